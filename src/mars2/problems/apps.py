"""APPS (arXiv:2105.09938) and TACO (arXiv:2312.14852): one row format, with different names and limits."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from mars2.core.problem import Limits, NamedComparison, Problem, Test
from mars2.problems.cases import apps_rule, call_tests, method_name, parse_cell, split, stdio_test
from mars2.problems.implied import APPS_PREAMBLE
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, text_field


def tests_of(cell: Any) -> tuple[tuple[Test, ...], str | None, NamedComparison]:
    """(tests, function, rule) of a cell ``{"inputs": […], "outputs": […], "fn_name": …}``, as JSON text or data.

    Raises:
        RowFault: malformed, or no tests.
    """
    data = parse_cell(cell or "{}", "input_output")
    if not isinstance(data, dict):
        raise RowFault("malformed tests", "not an object with inputs and outputs")
    inputs, outputs, function = data.get("inputs") or [], data.get("outputs") or [], data.get("fn_name")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise RowFault("malformed tests", "inputs and outputs are not lists of one length")
    if not inputs:
        raise RowFault("no tests")
    if function:
        if isinstance(function, str):
            function = function.removeprefix("Solution.")
        return call_tests(function, inputs, outputs), function, apps_rule(function, outputs)
    return tuple(map(stdio_test, inputs, outputs)), None, "apps"


def _to_problem(row: Row, problem_id: str) -> Problem:
    statement = text_field(row, "question").strip()
    starter_code = optional_text(row, "starter_code")
    tests, function, rule = tests_of(row.get("input_output"))
    public, hidden = split(tests, statement)
    return Problem(
        id=problem_id,
        statement=statement,
        public_tests=public,
        hidden_tests=hidden,
        entry_point=method_name(function, starter_code),
        starter_code=starter_code,
        limits=_limits(row),
        comparison=rule,
        metadata={name: row[name] for name in ("difficulty", "source", "url") if row.get(name)}
        | {"implied_imports": APPS_PREAMBLE},
    )


def _limits(row: Row) -> Limits:
    """The row's limits ("2.5 seconds", "256.0 megabytes") where they are wider than the default; Python is slow."""
    default = Limits()
    seconds = _number(row.get("time_limit"))
    mebibytes = _number(row.get("memory_limit"))
    return replace(
        default, cpu_s=max(default.cpu_s, seconds), memory_mib=max(default.memory_mib, min(4096, int(mebibytes)))
    )


def _number(text: Any) -> float:
    match = re.match(r"\s*(\d+(?:\.\d+)?)\s*(?:seconds?|s|megabytes?|mb)\b", str(text), re.IGNORECASE)
    return float(match.group(1)) if match else 0.0


APPS = RowFormat("apps", lambda row, number: f"apps/{row.get('problem_id', row.get('id', number))}", _to_problem)
"""Rows: problem_id, question, input_output, starter_code, difficulty, url. Ids: "apps/4000"."""

TACO = RowFormat("taco", lambda row, number: f"taco/{number}", _to_problem)
"""Rows: question, input_output, starter_code, difficulty, source, time_limit, memory_limit. Ids: "taco/ROW"."""
