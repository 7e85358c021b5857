"""BigCodeBench (arXiv:2406.15877): functions that use libraries, with unittest classes as tests."""

from __future__ import annotations

import ast
import sys
from typing import Any

from mars2.core.problem import AssertTest, Limits, Problem
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, reference_solution, text_field
from mars2.problems.source import parse

LIBRARIES = frozenset({*sys.stdlib_module_names, "numpy"})
"""What programs find in the judge."""

LIMITS = Limits(cpu_s=15.0, memory_mib=1024)

_RUN = """

import unittest as _unittest

globals()["_result"] = _unittest.TestResult()  # the tests need the program's own names, so they run beside it
_unittest.TestLoader().loadTestsFromTestCase(TestCases).run(_result)
for _test, _trace in [*_result.failures, *_result.errors]:
    raise AssertionError(f"{_test.id().rpartition('.')[2]}: {_trace.strip().splitlines()[-1]}")
assert _result.testsRun, "the class TestCases has no tests"
"""


def _to_problem(row: Row, problem_id: str) -> Problem:
    """The statement is the instruction; the class TestCases is one hidden test. There are no public tests."""
    prompt, test = text_field(row, "complete_prompt", "code_prompt"), text_field(row, "test")
    entry_point = text_field(row, "entry_point")
    for name, code in (("test", test), ("code_prompt", optional_text(row, "code_prompt"))):
        if (tree := parse(f"{code}    pass\n" if name == "code_prompt" else code)) is None:
            raise RowFault("malformed field", f"{name}: not valid Python")
        missing = sorted({*_imported(tree), *_named(row)} - LIBRARIES)
        if missing:
            raise RowFault("its libraries are not in the judge", ", ".join(missing))
    if "class TestCases" not in test:
        raise RowFault("malformed tests", "test: no class TestCases")
    solution = optional_text(row, "canonical_solution")
    return Problem(
        id=problem_id,
        statement=text_field(row, "instruct_prompt", "complete_prompt").strip(),
        public_tests=(),
        hidden_tests=(AssertTest(f"{test.strip()}\n{_RUN}"),),
        entry_point=entry_point,
        starter_code=optional_text(row, "code_prompt"),
        limits=LIMITS,
        metadata={"task_id": row.get("task_id")} | reference_solution(prompt + solution if solution else ""),
    )


def _named(row: Row) -> list[str]:
    """The libraries in the field `libs`: the text of a Python list."""
    found: Any = row.get("libs") or []
    if isinstance(found, str):
        try:
            found = ast.literal_eval(found)
        except (ValueError, SyntaxError):
            found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise RowFault("malformed field", "libs is not a list of names")
    return found


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names.update(alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.partition(".")[0])
            case _:
                pass
    return names


def _row_id(row: Row, number: int) -> str:
    return f"bigcodebench/{str(row.get('task_id', f'row-{number}')).rpartition('/')[2]}"


BIGCODEBENCH = RowFormat("bigcodebench", _row_id, _to_problem)
"""Rows: task_id, complete_prompt, instruct_prompt, canonical_solution, code_prompt, test, entry_point, libs. Ids:
"bigcodebench/17"."""
