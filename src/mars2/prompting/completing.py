"""Gives a program back the starter code's imports and helper functions when the model left them out."""

from __future__ import annotations

import ast

from mars2.prompting.python_source import bound_names, parse_python


def complete_program(program: str, starter_code: str) -> str:
    """`program` with those imports and helpers of `starter_code` in front that it does not bind itself.

    The last definition of the starter code is the one to be written and is never added. A program or starter code that
    does not parse is left alone. HumanEval's own harness runs prompt + completion, so that its prompts' imports and
    helpers are always there; a chat model answers with a whole function and may or may not repeat them.
    """
    if not starter_code.strip():
        return program
    tree = parse_python(program)
    starter = parse_python(starter_code) or parse_python(starter_code.rstrip() + " pass")
    if tree is None or starter is None:
        return program
    bound = bound_names(tree)
    missing = [ast.unparse(s) for s in _before_last_definition(starter) if not _binds(s) <= bound]
    if not missing:
        return program
    lines = program.splitlines(keepends=True)
    at = max((s.end_lineno or 0 for s in tree.body if _is_future_import(s)), default=0)
    return "".join(lines[:at]) + "\n".join(missing) + "\n\n" + "".join(lines[at:])


def _before_last_definition(starter: ast.Module) -> list[ast.stmt]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    last = max((i for i, s in enumerate(starter.body) if isinstance(s, kinds)), default=len(starter.body))
    return [s for i, s in enumerate(starter.body) if i != last and not _is_future_import(s)]


def _binds(statement: ast.stmt) -> set[str]:
    return bound_names(ast.Module(body=[statement], type_ignores=[]))


def _is_future_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
