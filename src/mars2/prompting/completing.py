"""Adds to a program the imports and helper functions that its benchmark runs in front, if the model left them out."""

from __future__ import annotations

import ast
import importlib
import symtable
import warnings
from functools import lru_cache

from mars2.prompting.python_source import DEFINITIONS, bound_names, parse_python, used_names

_STARRED = frozenset({
    "bisect", "builtins", "collections", "copy", "datetime", "functools", "heapq", "io", "itertools", "json", "math",
    "operator", "random", "re", "statistics", "string", "sys", "typing",
})  # fmt: skip
"""Modules of which `from MODULE import *` is understood: they are imported here, to know their names."""


def complete_program(program: str, starter_code: str, implied_imports: str = "") -> str:
    """`program`, with the code that it needs but does not contain put in front.

    From `starter_code`: all imports and helpers before its last definition, which is the one to be written. HumanEval's
    harness runs prompt + completion, so there these are always present; a chat model may leave them out.
    From `implied_imports`, which the harness of a benchmark runs before every solution: the imports of names that the
    program reads and does not bind, and its other statements if the program defines a function. A program that does not
    parse is returned unchanged.
    """
    tree = parse_python(program)
    if tree is None:
        return program
    missing = _missing_from_starter(tree, starter_code) + _missing_imports(program, tree, implied_imports)
    if not missing:
        return program
    lines = program.splitlines(keepends=True)
    at = max((s.end_lineno or 0 for s in tree.body if _is_future_import(s)), default=0)
    return "".join(lines[:at]) + "\n".join(missing) + "\n\n" + "".join(lines[at:])


def _missing_from_starter(tree: ast.Module, starter_code: str) -> list[str]:
    starter = parse_python(starter_code) or parse_python(starter_code.rstrip() + " pass")
    if starter is None:
        return []
    bound = bound_names(tree)
    return [ast.unparse(s) for s in _before_last_definition(starter) if not _binds(s) <= bound]


def _missing_imports(program: str, tree: ast.Module, implied_imports: str) -> list[str]:
    imports, others = _implied(implied_imports)
    used = _global_names(program, tree)
    if any(isinstance(node, (*DEFINITIONS, ast.Lambda)) for node in ast.walk(tree)):
        used |= used_names(ast.Module([*others], []))
    else:
        others = ()
    lines: dict[str, list[str]] = {}
    for name, (module, text) in imports.items():
        if name in used:
            lines.setdefault(module, []).append(text)
    imported = [f"{f'from {module} ' if module else ''}import {', '.join(texts)}" for module, texts in lines.items()]
    return imported + [ast.unparse(statement) for statement in others]


def _global_names(program: str, tree: ast.Module) -> set[str]:
    """Names that the program reads from its global scope and does not bind there: `count` of one function's own is
    not that of another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning about "\d" in a model's string is not ours to print
        try:
            scopes = [symtable.symtable(program, "program", "exec")]
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # what `ast` takes and the compiler refuses
            return used_names(tree)
    bound = {symbol.get_name() for symbol in scopes[0].get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    read: set[str] = set()
    for scope in scopes:  # it grows meanwhile
        for symbol in scope.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                read.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
        scopes += scope.get_children()
    return read - bound


@lru_cache(maxsize=8)
def _implied(source: str) -> tuple[dict[str, tuple[str, str]], tuple[ast.stmt, ...]]:
    """What binds each name at the end of these statements, as (module or "", what is imported), and the others."""
    tree = parse_python(source)
    imports: dict[str, tuple[str, str]] = {}
    others: list[ast.stmt] = []
    for statement in [] if tree is None else tree.body:
        match statement:
            case ast.ImportFrom(module=str(module), names=[ast.alias(name="*")]):
                imports |= {name: (module, name) for name in _exported(module)}
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                module = str(statement.module) if isinstance(statement, ast.ImportFrom) else ""
                imports |= {alias.asname or alias.name: (module, ast.unparse(alias)) for alias in names}
            case _:
                others.append(statement)
    return {name: origin for name, origin in imports.items() if origin[0] != "builtins"}, tuple(others)


def _exported(module: str) -> list[str]:
    if module not in _STARRED:
        return []
    loaded = importlib.import_module(module)
    return getattr(loaded, "__all__", None) or [name for name in vars(loaded) if not name.startswith("_")]


def _before_last_definition(starter: ast.Module) -> list[ast.stmt]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    last = max((i for i, s in enumerate(starter.body) if isinstance(s, kinds)), default=len(starter.body))
    return [s for i, s in enumerate(starter.body) if i != last and not _is_future_import(s)]


def _binds(statement: ast.stmt) -> set[str]:
    return bound_names(ast.Module(body=[statement], type_ignores=[]))


def _is_future_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
