"""Reads Python source that a model wrote, without ever running it, raising, or taking long over hostile text."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from functools import lru_cache

MAX_PARSE_CHARS = 100_000
"""Longer source is not parsed and counts as invalid here. (The judge has a size limit of its own.)"""
MAX_HEADS = 20
"""How many beginnings of a damaged source are tried."""

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CLOSERS = (" ", "\t", ")", "]", "}")


def parse_python(source: str) -> ast.Module | None:
    """The syntax tree of `source`; None if it is not valid Python, is nested too deeply, or is longer than the cap."""
    parsed = _parsed(source)
    return parsed if isinstance(parsed, ast.Module) else None


def longest_valid_head(source: str) -> tuple[str, ast.Module] | None:
    """The longest beginning of `source`, cut before a line without indentation, that is valid Python."""
    source = source[:MAX_PARSE_CHARS]
    for _ in range(MAX_HEADS):
        parsed = _parsed(source)
        if isinstance(parsed, ast.Module):
            return source, parsed
        lines = source.split("\n")
        at = min(parsed, len(lines)) - 1
        while at > 0 and (not lines[at].strip() or lines[at].startswith(_CLOSERS)):
            at -= 1
        if at <= 0:
            return None
        source = "\n".join(lines[:at])
    return None


@lru_cache(maxsize=1)  # what failed is often asked for again, to be trimmed
def _parsed(source: str) -> ast.Module | int:
    """The syntax tree, or the number of the line where the source stops being valid Python."""
    if len(source) > MAX_PARSE_CHARS:
        return 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning about "\d" in a model's string is not ours to print
        try:
            return ast.parse(source)
        except SyntaxError as error:
            return error.lineno or 0
        except (ValueError, RecursionError, MemoryError, OverflowError):
            return 0


def bound_names(tree: ast.Module) -> set[str]:
    """Names that the module's top level binds (inside `if`, `try`, `with` and loops too, not inside functions)."""
    names: set[str] = set()
    for node in _top_level(tree):
        if isinstance(node, DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def used_names(tree: ast.AST) -> set[str]:
    """Names read anywhere in the code and bound nowhere in it: what it needs from outside (built-ins included)."""
    read: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, DEFINITIONS):
            bound.add(node.name)
        elif isinstance(node, ast.ExceptHandler):
            bound.add(node.name or "")
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
    return read - bound


def imports_foreign(node: ast.AST) -> bool:
    """Whether it imports from a module that does not come with Python: a file that the answer may have shown."""
    return (
        isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] not in sys.stdlib_module_names
        and not any(alias.asname for alias in node.names)
    )


def _top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node outside function and class bodies; the definitions themselves included."""
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*DEFINITIONS, ast.Lambda)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
