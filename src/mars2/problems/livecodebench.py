"""LiveCodeBench code generation (arXiv:2403.07974), its official JSON lines: test.jsonl, test2.jsonl, … test6.jsonl."""

from __future__ import annotations

import base64
import zlib
from datetime import date, datetime
from typing import Any

from mars2.core.problem import CallTest, Limits, Problem, Test
from mars2.problems.cases import method_name, parse_cell, stdio_test
from mars2.problems.implied import LIVECODEBENCH_PREAMBLE
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, text_field
from mars2.problems.plain_pickle import loads

LIMITS = Limits(cpu_s=6.0, memory_mib=4096)
"""Of the official harness, which names 4 GB as the most memory (lcb_runner/evaluation/testing_util.py, run_test)."""

MAX_TESTS_BYTES = 1 << 30
"""Private tests that unpack to more bytes are refused: they may be a decompression bomb."""


def livecodebench(since: date | None = None, until: date | None = None) -> RowFormat:
    """Rows of contests held from `since` to `until`, both days included. Ids: "livecodebench/abc301_a"."""

    def to_problem(row: Row, problem_id: str) -> Problem:
        day = _contest_day(row)
        if (since and day < since) or (until and day > until):
            raise RowFault("outside the date window", day.isoformat())
        return _to_problem(row, problem_id, day)

    return RowFormat("livecodebench", _row_id, to_problem)


def _row_id(row: Row, number: int) -> str:
    return f"livecodebench/{row.get('question_id', f'row-{number}')}"


def _to_problem(row: Row, problem_id: str, day: date) -> Problem:
    statement = text_field(row, "question_content")
    starter_code = optional_text(row, "starter_code")
    metadata = parse_cell(row.get("metadata") or "{}", "metadata")
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    public = _tests(parse_cell(row.get("public_test_cases") or "[]", "public_test_cases"), function)
    hidden = _tests(_private(optional_text(row, "private_test_cases") or "[]"), function)
    if not public and not hidden:
        raise RowFault("no tests")
    return Problem(
        id=problem_id,
        statement=statement.strip(),
        public_tests=public,
        hidden_tests=hidden,
        entry_point=method_name(function, starter_code),
        starter_code=starter_code,
        limits=LIMITS,
        comparison="livecodebench",
        metadata={name: row.get(name) for name in ("question_title", "platform", "difficulty", "contest_id")}
        | {"contest_date": day.isoformat(), "implied_imports": LIVECODEBENCH_PREAMBLE},
    )


def _contest_day(row: Row) -> date:
    try:
        return datetime.fromisoformat(str(row.get("contest_date"))).date()
    except ValueError:
        raise RowFault("malformed contest_date", str(row.get("contest_date"))) from None


def _private(cell: str) -> Any:
    """Private tests: JSON, or (in code_generation_lite) that JSON pickled, zlib-compressed and in base64."""
    if cell.lstrip().startswith("["):
        return parse_cell(cell, "private_test_cases")
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(cell, validate=True), MAX_TESTS_BYTES)
        if unpacker.unconsumed_tail:
            raise RowFault("private tests too large", f"more than {MAX_TESTS_BYTES >> 20} MiB")
        text = loads(data)
    except (ValueError, zlib.error) as error:  # base64's own and ForbiddenPickle are ValueErrors
        raise RowFault("malformed private tests", str(error)) from None
    return parse_cell(text, "private_test_cases")


def _tests(cases: Any, function: str | None) -> tuple[Test, ...]:
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise RowFault("malformed tests", "not a list of objects")
    return tuple(_test(case, function) for case in cases)


def _test(case: dict[str, Any], function: str | None) -> Test:
    given, expected = case.get("input"), case.get("output")
    if not isinstance(given, str) or not isinstance(expected, str):
        raise RowFault("malformed tests", "input and output must be text")
    if case.get("testtype") != "functional":
        return stdio_test(given, expected)
    if not function:
        raise RowFault("functional tests without func_name")
    return line_call(function, given, expected)


def line_call(function: str, given: Any, expected: Any) -> CallTest:
    """A functional case has one JSON argument a line, and its result as JSON.

    Raises:
        RowFault: some line is not JSON.
    """
    args = tuple(parse_cell(line, "input") for line in str(given).rstrip("\n").split("\n"))
    return CallTest(function, args, parse_cell(expected, "output"))
