"""CodeContests+ (arXiv:2506.05817): CodeContests with generated tests and, for most problems, checkers in C++."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mars2.core.problem import Checker, Limits, Problem
from mars2.problems.cases import split, stdio_tests
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, reference_solutions, text_field
from mars2.problems.source import parse


def _to_problem(row: Row, problem_id: str) -> Problem:
    """Public are the tests that the statement shows, or the first. A problem with a checker in C++ is left out."""
    statement = text_field(row, "description").strip()
    checker = optional_text(row, "checker").strip()
    if checker and (parse(checker) is None or "def check(" not in checker):
        raise RowFault("its checker is not Python", "write check(input, expected, actual), or leave the field empty")
    tests = stdio_tests(row, "test_cases")
    if not tests:
        raise RowFault("no tests", "the parts 1x to 5x of the data set have them")
    public, hidden = split(tests, statement)
    default = Limits()
    seconds, mebibytes = (_number(row, name) for name in ("time_limit", "memory_limit"))
    return Problem(
        id=problem_id,
        statement=statement,
        public_tests=public,
        hidden_tests=hidden,
        limits=replace(
            default,
            cpu_s=max(default.cpu_s, seconds / 1000),
            memory_mib=max(default.memory_mib, min(4096, int(mebibytes))),
        ),
        comparison=Checker(checker, problem_id) if checker else "codecontests",
        metadata={name: row[name] for name in ("source", "title") if row.get(name)}
        | reference_solutions(_solutions(row)),
    )


def _number(row: Row, name: str) -> float:
    value: Any = row.get(name)
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e7 else 0.0


def _solutions(row: Row) -> list[Any]:
    found: Any = row.get("correct_submissions") or []
    return [s.get("code") for s in found if isinstance(s, dict) and "py" in str(s.get("language")).lower()]


CODECONTESTS_PLUS = RowFormat(
    "codecontestsplus", lambda row, number: f"codecontestsplus/{row.get('id', f'row-{number}')}", _to_problem
)
"""Rows: source, id, title, description, time_limit (ms), memory_limit (MiB), checker, correct_submissions, test_cases.
Ids: "codecontestsplus/1575_A"."""
