"""Adds to a program the imports and helper functions that its benchmark runs in front, if the model left them out."""

from __future__ import annotations

import ast

from mars2.prompting.python_source import bound_names, parse_python, used_names


def complete_program(program: str, starter_code: str, implied_imports: str = "") -> str:
    """`program`, with the code that it needs but does not contain put in front.

    From `starter_code`: all imports and helpers before its last definition, which is the one to be written. HumanEval's
    harness runs prompt + completion, so there these are always present; a chat model may leave them out.
    From `implied_imports` (import statements): only the names that the program reads. LiveCodeBench's harness runs
    such imports before every solution. A program that does not parse is returned unchanged.
    """
    tree = parse_python(program)
    if tree is None:
        return program
    missing = _missing_from_starter(tree, starter_code) + _missing_imports(tree, implied_imports)
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


def _missing_imports(tree: ast.Module, implied_imports: str) -> list[str]:
    implied = parse_python(implied_imports)
    if implied is None:
        return []
    used = used_names(tree)
    lines: list[str] = []
    for statement in implied.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names = [alias for alias in statement.names if (alias.asname or alias.name) in used]
            if names:
                statement.names = names
                lines.append(ast.unparse(statement))
    return lines


def _before_last_definition(starter: ast.Module) -> list[ast.stmt]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    last = max((i for i, s in enumerate(starter.body) if isinstance(s, kinds)), default=len(starter.body))
    return [s for i, s in enumerate(starter.body) if i != last and not _is_future_import(s)]


def _binds(statement: ast.stmt) -> set[str]:
    return bound_names(ast.Module(body=[statement], type_ignores=[]))


def _is_future_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
