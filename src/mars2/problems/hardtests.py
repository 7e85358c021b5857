"""HardTests (arXiv:2505.24098): contest problems, and in a second data set their tests and judging functions."""

from __future__ import annotations

from typing import Any

from mars2.core.problem import Checker, Comparison, Problem
from mars2.problems.cases import parse_cell, split, stdio_tests
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, reference_solutions, text_field
from mars2.problems.source import parse

_CHECK = """
{source}


def check(input, expected, actual):
    return bool(output_judging_function(input_str=input, candidate_output=actual, reference_output=expected))
"""


def _to_problem(row: Row, problem_id: str) -> Problem:
    """Public are the tests that the statement shows, or the first. Without a judging function the rule is `exact`:
    theirs compares line by line without trailing white space.
    """
    statement = text_field(row, "question_content", "question").strip()
    tests = stdio_tests(row, "test_cases")
    if not tests:
        raise RowFault("no tests", "join the rows of sigcp/hardtests_tests by pid")
    public, hidden = split(tests, statement)
    title = optional_text(row, "question_title").strip()
    return Problem(
        id=problem_id,
        statement=f"{title}\n\n{statement}" if title else statement,
        public_tests=public,
        hidden_tests=hidden,
        starter_code=optional_text(row, "starter_code"),
        comparison=_comparison(parse_cell(row.get("test_cases_kit"), "test_cases_kit"), problem_id),
        metadata={"pid": row.get("pid")} | reference_solutions(_solutions(row)),
    )


def _comparison(kit: Any, problem_id: str) -> Comparison:
    source = kit.get("output_judging_function") if isinstance(kit, dict) else None
    if not source:
        return "exact"
    if not isinstance(source, str) or parse(source) is None or "def output_judging_function" not in source:
        raise RowFault("malformed checker", "output_judging_function: not a Python function of that name")
    return Checker(_CHECK.format(source=source), problem_id)


def _solutions(row: Row) -> list[Any]:
    found: Any = row.get("solutions") or []
    if isinstance(found, dict):  # columns, as Parquet may have them
        found = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    return [s.get("code") for s in found if isinstance(s, dict) and "py" in str(s.get("language")).lower()]


HARDTESTS = RowFormat("hardtests", lambda row, number: f"hardtests/{row.get('pid', number)}", _to_problem, join="pid")
"""Rows: pid, question_title, question_content, starter_code, solutions of the problems; test_cases, test_cases_kit of
the tests. Rows with one pid are one. Ids: "hardtests/PID"."""
