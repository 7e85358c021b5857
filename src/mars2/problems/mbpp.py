"""MBPP (arXiv:2108.07732) from its JSON lines: the first assert is public, the others and the challenge hidden."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path
from typing import Any

from mars2.core.problem import AssertTest, CallTest, Problem, Test
from mars2.problems.examples import literal, literal_call
from mars2.problems.loaded import Dropped, Loaded, RowFault
from mars2.problems.reading import read_json_lines


def load_mbpp(path: Path) -> Loaded:
    """All problems of an mbpp.jsonl file (rows: text or prompt, code, task_id, test_list, …).

    Raises:
        ProblemError: the file is missing or malformed.
    """
    problems: list[Problem] = []
    dropped: list[Dropped] = []
    for _, row in read_json_lines(path):
        try:
            problems.append(problem_from_row(row))
        except RowFault as fault:
            dropped.append(Dropped(f"mbpp/{row.get('task_id', '?')}", fault.reason, fault.detail))
    return Loaded(f"mbpp:{path}", tuple(problems), tuple(dropped))


def problem_from_row(row: dict[str, Any]) -> Problem:
    """One row as a problem with the id "mbpp/511". Accepts the sanitized edition's names (prompt, test_imports) too.

    The public assert becomes a `CallTest` where it is ``assert f(literals) == literal``, so that feedback can show what
    the program returned. Hidden asserts stay as they are, each after the row's set-up code.

    Raises:
        RowFault: no text, no task id, or no tests.
    """
    text = row.get("text") or row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise RowFault("missing field", "text")
    if "task_id" not in row:
        raise RowFault("missing field", "task_id")
    asserts = _strings(row, "test_list")
    if not asserts:
        raise RowFault("no tests")
    setup = "\n".join([_newlines(row.get("test_setup_code") or ""), *_strings(row, "test_imports")]).strip()
    hidden = [*asserts[1:], *_strings(row, "challenge_test_list")]
    return Problem(
        id=f"mbpp/{row['task_id']}",
        statement=_newlines(text).strip(),
        public_tests=(_public_test(asserts[0], setup),),
        hidden_tests=tuple(_assert_test(code, setup) for code in hidden),
        entry_point=entry_point_of(asserts, _newlines(row.get("code") or "")),
        metadata={"task_id": row["task_id"]},
    )


def entry_point_of(asserts: list[str], code: str = "") -> str | None:
    """The function that the asserts are about: one that `code` defines, else the first that is not a built-in."""
    defined = {node.name for node in _parse(code) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    called = [
        node.func.id
        for text in asserts
        for node in _parse(text)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    known = [name for name in called if name in defined]
    return next(iter(known or [name for name in called if not hasattr(builtins, name)]), None)


def _public_test(code: str, setup: str) -> Test:
    tree = _parse(code)
    match tree[0].body if tree and isinstance(tree[0], ast.Module) else []:
        case [ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]))] if not setup:
            call, value = literal_call(left), literal(right)
            if call is not None and value is not None:
                return CallTest(*call, value[0])
    return _assert_test(code, setup)


def _assert_test(code: str, setup: str) -> AssertTest:
    return AssertTest(f"{setup}\n{code}" if setup else code)


def _parse(code: str) -> list[ast.AST]:
    """Every node of `code`, the module first, in source order as far as `ast.walk` goes; [] if it does not parse."""
    try:
        return list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _strings(row: dict[str, Any], name: str) -> list[str]:
    return [_newlines(text).strip() for text in row.get(name) or [] if isinstance(text, str) and text.strip()]


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
