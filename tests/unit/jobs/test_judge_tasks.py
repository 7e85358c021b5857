"""Batch files: every kind of test, answers in order, mistakes named by line and field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mars2.core.errors import UserError
from mars2.core.problem import Limits
from mars2.core.verdict import Status
from mars2.jobs.judge import judge_tasks
from mars2.problems.schema import problem_from_data
from mars2.problems.tasks import parse_task
from mars2.sandbox import ScriptedSandbox, ZygoteSandbox

STDIO = {"kind": "stdio", "inputs": ["1 2\n"], "outputs": ["3\n"]}


def _line(**changes: Any) -> str:
    return json.dumps({"id": "a", "program": "print(3)", "tests": STDIO} | changes)


async def test_real_tasks_of_every_kind() -> None:
    call = {"kind": "call", "function": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 8]}
    check = {"kind": "assert", "asserts": ["assert add(1, 2) == 3"]}
    lines = [
        _line(id="s"),
        "",
        _line(id=7, program="def add(a, b): return a + b", tests=call),
        _line(id="t", program="def add(a, b): return a + b", tests=check, limits={"cpu_s": 1.0}),
        _line(id="n", program=None),
        _line(id="d", program="print('0.30000001')", tests=STDIO | {"outputs": ["0.3"]}, comparison="tolerant"),
    ]
    async with ZygoteSandbox(2, allow_unsafe=True) as sandbox:
        answers = [answer async for answer in judge_tasks(lines, sandbox, at_once=4)]
    assert [a["id"] for a in answers] == ["s", 7, "t", "n", "d"]
    assert [a["verdict"] for a in answers] == ["AC", "WA", "AC", "CE", "AC"]
    assert answers[1]["tests"][1]["detail"] == 'printed or returned: "7"'
    assert set(answers[0]) == {"id", "verdict", "tests", "tier", "mode"}
    assert set(answers[0]["tests"][0]) == {"verdict", "cpu_s", "wall_s", "peak_mib", "detail"}
    json.dumps(answers)


async def test_lone_surrogates_survive_the_round_trip() -> None:
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        lines = [_line(program="import sys\nsys.stdout.buffer.write(b'\\xff')")]
        (answer,) = [answer async for answer in judge_tasks(lines, sandbox, at_once=1)]
    assert answer["verdict"] == "WA"
    json.dumps(answer).encode()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 3: line"),
        (_line(extra=1), "line 3: extra"),
        (_line(program=3), "line 3: program"),
        (_line(limits={"cpu_s": -1}), "line 3: limits.cpu_s"),
        (_line(limits={"cpu": 1}), "line 3: limits.cpu"),
        (_line(comparison="fuzzy"), "line 3: comparison"),
        (_line(tests={"kind": "magic"}), "line 3: tests"),
        # although `program` and `tests` are missing
        ('{"id": 1, "progam": "x"}', 'line 3: progam: unknown key; did you mean "program"?'),
        (
            _line(tests=STDIO | {"input": []}),
            'line 3: tests.input: unknown key; did you mean "inputs"?',
        ),
        (_line(limits={"cpu_s": float("inf")}), "line 3: limits.cpu_s"),
        (_line(limits={"memory_mib": 10**30}), "line 3: limits.memory_mib"),
        (_line(comparison=[1] * 1000), "got [1, 1"),
        (_line(limits={"cpu": 1, "cpu_s": -1}), "line 3: limits.cpu:"),
        (_line(id=None), "line 3: id"),
        ("[" * 100_000, "line 3: line: nested too deep"),
        (_line(tests=STDIO | {"outputs": ["3", "4"]}), "1 inputs but 2 outputs"),
        (_line(tests={"kind": "stdio", "inputs": [], "outputs": []}), "line 3: tests.inputs: is empty: without a test"),
        (_line(tests={"kind": "assert", "asserts": []}), "line 3: tests.asserts: is empty"),
        (_line(tests={"inputs": [], "outputs": []}), "line 3: tests.kind: missing; add it"),
        (_line(tests={"kind": "magic"}), "line 3: tests.kind: must be one of 'stdio', 'call', 'assert', got 'magic'"),
        (_line(**{"a[b": 1}), "line 3: 'a[b': unknown key; use one of id, program"),
        (_line(**{"": 1}), "line 3: '': unknown key"),
        (_line(**{"\ud800": 1}), "line 3: line: '\\ud800' holds half a character"),
        (_line(**{"x" * 100_000: 1}), "x…: unknown key"),
        ('{"id": 1, "id": 2}', "line 3: line: 'id' is given twice"),
        (_line().replace('"id": "a"', f'"id": 1{"0" * 5000}'), "line 3: id: is an integer of more than 256 bits"),
        (_line(checker="not python ("), "line 3: checker: is not Python"),
        (_line(checker="x = 1"), "line 3: checker: defines no check"),
    ],
)
def test_mistakes_are_named(line: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_task(line, 3)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_weak_results_say_so_even_if_accepted() -> None:
    tests = {"kind": "assert", "asserts": ["assert f(1) == 1", "assert f.__name__ == 'f'"]}
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        lines = [_line(program="def f(x): return x", tests=tests)]
        (answer,) = [answer async for answer in judge_tasks(lines, sandbox, at_once=1)]
    assert [test["verdict"] for test in answer["tests"]] == ["AC", "AC"]
    assert [test.get("weak", False) for test in answer["tests"]] == [False, True]
    assert "weak" in answer["tests"][1]["detail"]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"cpu_s": float("nan")}, "cpu_s: got nan; must be > 0"),
        ({"cpu_s": float("inf")}, "cpu_s: got inf; must be <= 86400"),
        ({"wall_s": 86_401}, "wall_s: got 86401; must be <= 86400"),
        ({"memory_mib": 10**30}, f"memory_mib: got {10**30}; must be <= 1048576"),
        ({"stderr_kib": 0}, "stderr_kib: got 0; must be >= 1"),
    ],
)
def test_limits_that_no_process_can_be_given_are_refused_by_python_and_by_files(
    limit: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Limits(**limit)
    with pytest.raises(UserError, match=f"line 1: limits.{next(iter(limit))}"):
        parse_task(_line(limits=limit), 1)
    problem = {"id": "a", "statement": "s", "tests": {"public": [{"input": "", "output": ""}]}, "limits": limit}
    with pytest.raises(UserError, match=rf"FILE: limits\.{next(iter(limit))}: must be "):
        problem_from_data(problem, "FILE")


async def test_a_checker_that_fails_costs_its_own_task_only() -> None:
    checker = "def check(input, expected, actual): return 1 / 0"
    lines = [_line(id=1), _line(id=2, checker=checker), _line(id=3)]
    answers = []
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        with pytest.raises(UserError, match=r"1 tasks were not judged.*problem 2: checker"):  # noqa: PT012 (after the last)
            async for answer in judge_tasks(lines, sandbox, at_once=3):
                answers.append(answer)
    assert [(answer["id"], answer["verdict"]) for answer in answers] == [(1, "AC"), (2, "IE"), (3, "AC")]


async def test_nothing_runs_if_a_line_is_wrong() -> None:
    sandbox = ScriptedSandbox({"print(3)": Status.AC})
    with pytest.raises(UserError):
        [answer async for answer in judge_tasks([_line(), "{}"], sandbox, at_once=1)]
    assert sandbox.asked == []


def test_characters_and_numbers_of_any_kind_are_accepted() -> None:
    """One odd program among thousands does not stop the batch."""
    call = {"kind": "call", "function": "f", "inputs": [[]], "outputs": [7]}
    line = _line(program="print('\ud800\x00')", tests=call).replace("[7]", f"[1{'0' * 5000}]")
    task = parse_task(line, 1)
    assert task.program == "print('\ud800\x00')"
    assert task.tests.tests()[0].expected == 10**5000  # type: ignore[union-attr]


async def test_odd_programs_are_answered_in_order() -> None:
    programs = [
        "print('\ud800')",
        "print(3)\x00",
        "print(3) #\u2028 \x0c",
        "while True: pass",
        "import os\nos._exit(0)",
        "",
        "print(3)",
    ]
    lines = [_line(id=i, program=p, limits={"cpu_s": 0.2, "memory_mib": 64}) for i, p in enumerate(programs)]
    async with ZygoteSandbox(2, allow_unsafe=True) as sandbox:
        answers = [answer async for answer in judge_tasks(lines, sandbox, at_once=8)]
    assert [a["id"] for a in answers] == list(range(7))
    assert [a["verdict"] for a in answers] == ["CE", "CE", "AC", "TLE", "WA", "CE", "AC"]
