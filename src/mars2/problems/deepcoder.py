"""DeepCoder-Preview (agentica-org): TACO, PrimeIntellect, LiveCodeBench and Codeforces rows under one set of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mars2.core.problem import Limits, NamedComparison, Problem, Test
from mars2.problems.apps import tests_of
from mars2.problems.cases import apps_rule, call_tests, method_name, parse_cell, split, stdio_test
from mars2.problems.implied import APPS_PREAMBLE, LIVECODEBENCH_PREAMBLE
from mars2.problems.livecodebench import LIMITS, line_call
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, text_field


def _to_problem(row: Row, problem_id: str) -> Problem:
    """`tests` is ``{"inputs", "outputs", "fn_name"}`` (TACO), or a list of ``{"input", "output"}`` with `type` and
    `fn_name` (PrimeIntellect), or with `testtype` and `metadata.func_name` (LiveCodeBench), or with neither
    (Codeforces). As in DeepCoder's rllm/rewards/code_reward.py, LiveCodeBench's rows have LiveCodeBench's rule and
    preamble, and all others those of the APPS family.
    """
    statement = text_field(row, "problem", "question").strip()
    starter_code = optional_text(row, "starter_code")
    cell = parse_cell(row.get("tests") or "[]", "tests")
    if isinstance(cell, list):
        metadata = parse_cell(row.get("metadata") or "{}", "metadata")
        tests, function, rule = _tests_of_list(cell, metadata if isinstance(metadata, dict) else {})
    else:
        tests, function, rule = tests_of(cell)
    public, hidden = split(tests, statement)
    is_livecodebench = rule == "livecodebench"
    return Problem(
        id=problem_id,
        statement=statement,
        public_tests=public,
        hidden_tests=hidden,
        entry_point=method_name(function, starter_code),
        starter_code=starter_code,
        limits=LIMITS if is_livecodebench else Limits(),
        comparison=rule,
        metadata={"implied_imports": LIVECODEBENCH_PREAMBLE if is_livecodebench else APPS_PREAMBLE},
    )


def _tests_of_list(
    cases: Sequence[Any], metadata: dict[str, Any]
) -> tuple[tuple[Test, ...], str | None, NamedComparison]:
    if not cases:
        raise RowFault("no tests")
    if not all(isinstance(case, dict) and "input" in case and "output" in case for case in cases):
        raise RowFault("malformed tests", "not a list of objects with input and output")
    first = cases[0]
    if first.get("testtype") == "functional":
        own = first.get("metadata")
        function = (own.get("func_name") if isinstance(own, dict) else None) or metadata.get("func_name")
        if not function:
            raise RowFault("functional tests without func_name")
        return tuple(line_call(function, case["input"], case["output"]) for case in cases), function, "livecodebench"
    function = first.get("fn_name") if first.get("type") == "function_call" else None
    if function:
        inputs = [parse_cell(case["input"], "input") for case in cases]
        outputs = [
            parse_cell(case["output"], "output") if isinstance(case["input"], str) else case["output"] for case in cases
        ]
        return call_tests(function, inputs, outputs), function, apps_rule(function, outputs)
    tests = tuple(stdio_test(case["input"], case["output"]) for case in cases)
    return tests, None, "livecodebench" if "testtype" in first else "apps"


DEEPCODER = RowFormat("deepcoder", lambda row, number: f"deepcoder/{number}", _to_problem)
"""Rows: problem, starter_code, tests, metadata. Ids: "deepcoder/ROW"."""
