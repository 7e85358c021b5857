"""CodeContests (arXiv:2203.07814): contest problems with public, private and generated tests."""

from __future__ import annotations

from dataclasses import replace

from mars2.core.problem import Limits, Problem
from mars2.problems.cases import stdio_tests
from mars2.problems.loaded import Row, RowFault, RowFormat, reference_solutions, text_field


def _to_problem(row: Row, problem_id: str) -> Problem:
    """Private and generated tests are hidden. Problems that show an image or use files are left out."""
    statement = text_field(row, "description").strip()
    if "<image>" in statement:
        raise RowFault("the statement needs an image")
    if row.get("input_file") or row.get("output_file"):
        raise RowFault("reads or writes files")
    public = stdio_tests(row, "public_tests")
    hidden = stdio_tests(row, "private_tests") + stdio_tests(row, "generated_tests")
    if not public and not hidden:
        raise RowFault("no tests")
    return Problem(
        id=problem_id,
        statement=statement,
        public_tests=public,
        hidden_tests=hidden,
        limits=_limits(row),
        comparison="codecontests",
        metadata={name: row[name] for name in ("source", "difficulty", "cf_rating") if row.get(name)}
        | reference_solutions(_solutions(row)),
    )


def _solutions(row: Row) -> list[object]:
    """The row's right programs in Python 3."""
    match row.get("solutions"):
        case {"language": list() as languages, "solution": list() as programs}:
            return [text for language, text in zip(languages, programs, strict=False) if language in (3, "PYTHON3")]
        case _:
            return []


def _limits(row: Row) -> Limits:
    """The row's limits where they are wider than the default: they were set for faster languages."""
    default = Limits()
    match row.get("time_limit"):
        case {"seconds": int() as whole, "nanos": int() as nanos}:
            seconds = whole + nanos * 1e-9
        case _:
            seconds = 0.0
    size = row.get("memory_limit_bytes")
    mebibytes = size >> 20 if isinstance(size, int) else 0
    return replace(default, cpu_s=max(default.cpu_s, seconds), memory_mib=max(default.memory_mib, min(4096, mebibytes)))


CODECONTESTS = RowFormat("codecontests", lambda row, number: f"codecontests/{number}", _to_problem)
"""Rows: name, description, public_tests, private_tests, generated_tests, time_limit, … Ids: "codecontests/ROW"."""
