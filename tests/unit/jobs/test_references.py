"""Reference solutions are judged, and problems whose own solution fails are left out and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mars2.core.problem import CallTest, Checker, Problem
from mars2.core.verdict import Status
from mars2.jobs.load import load_problems_async
from mars2.jobs.references import check_references, without_failing
from mars2.problems import Loaded
from mars2.sandbox import ZygoteSandbox

RIGHT, WRONG = "def f(x): return x + 1", "def f(x): return x"


def problem(name: str, reference: object, **changes: Any) -> Problem:
    tests = (CallTest("f", (1,), 2),)
    return Problem(name, "s", tests, tests, entry_point="f", metadata={"reference_solution": reference}, **changes)


async def test_of_several_references_one_must_pass_and_a_checker_that_fails_is_the_problems_fault() -> None:
    broken = Checker("def check(input, expected, actual):\n    return 1 // 0\n", "checker")
    problems = [
        problem("right", RIGHT),
        problem("wrong", WRONG),
        problem("one of two", [WRONG, RIGHT]),
        problem("none of two", [WRONG, WRONG]),
        problem("checker", RIGHT, comparison=broken),
        problem("without", ""),
    ]
    async with ZygoteSandbox(workers=1, allow_unsafe=True) as sandbox:
        checked = await check_references(problems, sandbox, at_once=2)
    assert {c.id: c.status for c in checked} == {
        "right": Status.AC,
        "wrong": Status.WA,
        "one of two": Status.AC,
        "none of two": Status.WA,
        "checker": Status.IE,
        "without": None,
    }
    assert {(c.num_public, c.num_hidden) for c in checked} == {(1, 1)}
    left = without_failing(Loaded("here", tuple(problems)), checked)
    assert [p.id for p in left.problems] == ["right", "one of two", "without"]
    assert left.summary() == "here: kept 3 of 6 problems; dropped 3 (its reference solution fails)"
    assert "ZeroDivisionError" in left.dropped[-1].detail


async def test_the_library_leaves_them_out_where_asked(tmp_path: Path) -> None:
    row = {"text": "t", "test_list": ["assert f(1) == 2"], "test_setup_code": "", "challenge_test_list": []}
    rows = [{**row, "task_id": number, "code": code} for number, code in ((1, RIGHT), (2, WRONG))]
    path = tmp_path / "mbpp.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert len(await load_problems_async(f"mbpp:{path}")) == 2
    problems = await load_problems_async(f"mbpp:{path}", check_references=True)
    assert [p.id for p in problems] == ["mbpp/1"]
    assert [(d.id, d.reason) for d in problems.dropped] == [("mbpp/2", "its reference solution fails")]
