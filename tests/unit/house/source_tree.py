"""Reads the source of mars2 as syntax trees, so that claims about it can be checked without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "mars2"


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class as it is written: where, on which bases, with which methods and properties of its own."""

    name: str
    file: Path  # relative to src/mars2
    bases: tuple[str, ...]
    members: frozenset[str]


@cache
def modules() -> dict[Path, ast.Module]:
    """The syntax tree of every file of the package, by its path below src/mars2."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def imported_packages(tree: ast.Module) -> set[str]:
    """Top-level names of every package that is imported, also inside functions; not for type checking only."""
    found: set[str] = set()
    for node in _without_type_checking(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def _without_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield from _without_type_checking(child)


@cache
def classes() -> tuple[ClassInfo, ...]:
    """Every class of the package, nested ones left out."""
    return tuple(
        ClassInfo(node.name, file, tuple(_last_name(base) for base in node.bases), _members(node))
        for file, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    )


def _last_name(base: ast.expr) -> str:
    """`Protocol` for `typing.Protocol`, `Box` for `Box[int]`."""
    return ast.unparse(base).split("[")[0].split(".")[-1]


def _members(node: ast.ClassDef) -> frozenset[str]:
    return frozenset(
        item.name
        for item in node.body
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and not item.name.startswith("__")
    )


def names_used(tree: ast.Module) -> set[str]:
    """Every name that a module reads, imports or takes from another object by a dot; not those in annotations."""
    found: set[str] = set()
    for node in _without_annotations(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def _without_annotations(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _without_annotations(child)
