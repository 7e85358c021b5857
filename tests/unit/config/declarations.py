"""Finds options that are declared twice: in a section of options, and with defaults of their own elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPTIONS_IN_CORE = {"Limits", "SamplingOptions"}  # sections of options that core/ itself needs
LEAST_SHARED = 3  # fewer names in common can be chance, such as seed and device


@dataclass(frozen=True, slots=True)
class Twice:
    """A class or function that repeats options of a section."""

    where: str  # file:name
    section: str
    names: frozenset[str]  # the options they share

    def __str__(self) -> str:
        return f"{self.where} repeats {self.section}: {', '.join(sorted(self.names))}"


def declared_twice(package: Path) -> list[Twice]:
    """Every pair of a section of options and a class or function outside of `package`/config that repeats them.

    Only what has a default counts outside, since a default is what can drift.
    """
    trees = {path.relative_to(package): ast.parse(path.read_text("utf-8")) for path in sorted(package.rglob("*.py"))}
    sections = _sections(trees)
    return [
        Twice(f"{path}:{name}", section, shared)
        for path, tree in trees.items()
        if path.parts[0] != "config"
        for name, given in _declarations(tree)
        if name not in sections
        for section, options in sections.items()
        if len(shared := options & given) >= LEAST_SHARED
    ]


def _sections(trees: dict[Path, ast.Module]) -> dict[str, frozenset[str]]:
    """The options of each section, without those of its bases: these are sections themselves."""
    return {
        node.name: frozenset(name for name, _ in _fields(node))
        for path, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and (path.parts[0] == "config" or (path.parts[0] == "core" and node.name in OPTIONS_IN_CORE))
    }


def _declarations(tree: ast.Module) -> Iterator[tuple[str, frozenset[str]]]:
    """Names with defaults, of each class and each function; a method is named after its class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, frozenset(name for name, has_default in _fields(node) if has_default)
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{method.name}", _with_defaults(method)
        elif isinstance(node, ast.Module):
            for item in node.body:
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield item.name, _with_defaults(item)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name)) if not ast.unparse(item.annotation).startswith("ClassVar"):
                yield name, item.value is not None
            case _:
                pass


def _with_defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    named = [argument for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default]
    return frozenset(argument.arg for argument in [*positional[len(positional) - len(given.defaults) :], *named])
