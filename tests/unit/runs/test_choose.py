"""The answer of a tree, with programs really run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from mars2.config.growing import SelectionConfig
from mars2.core.completion import Completion
from mars2.core.problem import CallTest, Checker, Limits, Problem
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.runs.choose import choose
from mars2.runs.growing.guidance import Guide, RewardModelError
from mars2.sandbox import ScriptedSandbox, ZygoteSandbox

PROBLEM = Problem(
    id="largest",
    statement="The largest number.",
    public_tests=(CallTest("f", ([1, 2, 3],), 3), CallTest("f", ([2, 7],), 7)),
    hidden_tests=(CallTest("f", ([3, 1],), 3),),
    limits=Limits(cpu_s=1.0),
)
LAST = "def f(a):\n    return a[-1]"
LARGEST = "def f(a):\n    return max(a)"
SORTS = "def f(a):\n    return sorted(a)[-1]"
BREAKS = "def f(a):\n    return {(1, 2, 3): 3, (2, 7): 7}[tuple(a)]"
HANGS = "def f(a):\n    while tuple(a) not in ((1, 2, 3), (2, 7)):\n        pass\n    return a[-1]"
BEHAVIOUR = SelectionConfig(rule="behaviour", num_inputs=12, cpu_s=0.2)


class Favourite:
    """A reward model that likes some programs, and remembers what it was shown."""

    def __init__(self, likes: dict[str, float], *, answer: list[float] | None = None) -> None:
        self.likes, self.answer = likes, answer
        self.asked: list[tuple[Problem, list[str]]] = []

    def score(self, problem: Problem, programs: Sequence[str]) -> list[float]:
        self.asked.append((problem, list(programs)))
        time.sleep(0.02)
        return self.answer if self.answer is not None else [self.likes.get(program, 0.1) for program in programs]


def tree_of(*programs: str | None) -> Tree:
    """First attempts, all passing both public tests."""
    tree = Tree("tree", PROBLEM.id)
    for program in programs:
        status = Status.CE if program is None else Status.AC
        tree.add(
            tree.expand(None, "a"),
            Result(
                prompt=(),
                completion=Completion("", "stop", "policy", 0),
                program=program,
                public_verdict=Verdict(status, (TestResult(status),) * 2),
                hidden_verdict=None,
                score=0.0,
            ),
        )
    return tree


@pytest.fixture
async def sandbox() -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(workers=1, allow_unsafe=True) as judge:
        yield judge


async def test_the_answer_is_of_the_largest_group_of_equal_behaviour(sandbox: ZygoteSandbox) -> None:
    answer = await choose(tree_of(None, LAST, LARGEST, SORTS), PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)
    assert (answer.node_id, answer.group_size, answer.num_finalists, answer.num_programs) == (2, 2, 3, 3)
    assert answer.why == "2 of 3 finalists behave alike on 12 inputs"


async def test_by_public_tests_alone_the_earliest_is_the_answer_and_nothing_is_run(sandbox: ZygoteSandbox) -> None:
    answer = await choose(
        tree_of(LAST, LARGEST, SORTS), PROBLEM, sandbox, selection=SelectionConfig(rule="public"), seed=0
    )
    assert (answer.node_id, answer.why) == (0, "it is the earliest of 3 finalists")
    assert sandbox.num_judged == 0


async def test_programs_that_always_fail_never_win_however_many(sandbox: ZygoteSandbox) -> None:
    failing = [BREAKS, BREAKS.replace("a", "b"), BREAKS.replace("a", "c")]
    assert (await choose(tree_of(*failing, LARGEST), PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)).node_id == 3
    only = await choose(tree_of(*failing), PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)
    assert (only.node_id, only.num_inputs) == (0, 0)


async def test_a_program_that_hangs_is_stopped_soon(sandbox: ZygoteSandbox) -> None:
    selection = SelectionConfig(rule="behaviour", num_inputs=3, cpu_s=0.1)
    assert (await choose(tree_of(HANGS, LAST), PROBLEM, sandbox, selection=selection, seed=0)).node_id == 1


async def test_programs_need_not_agree_where_the_problem_has_a_checker(sandbox: ZygoteSandbox) -> None:
    problem = replace(PROBLEM, comparison=Checker("def check(input, expected, actual):\n    return True"))
    answer = await choose(tree_of(LAST, LARGEST, SORTS), problem, sandbox, selection=BEHAVIOUR, seed=0)
    assert (answer.node_id, answer.num_inputs, sandbox.num_judged) == (0, 0, 0)


@pytest.mark.parametrize(
    ("limits", "cpu_s", "wall_s"),
    [
        (Limits(cpu_s=1.0, wall_s=20.0), 0.2, 1.4),  # 2 · 0.2 + 1
        (Limits(cpu_s=0.1, wall_s=0.5), 0.1, 0.5),
        (Limits(cpu_s=0.1), 0.1, 1.2),  # 2 · 0.1 + 1
    ],
)
async def test_generated_inputs_have_the_smaller_limits_and_the_problems_comparison(
    limits: Limits, cpu_s: float, wall_s: float
) -> None:
    problem = replace(PROBLEM, limits=limits, comparison="tolerant")
    judge = ScriptedSandbox({LAST: Status.AC, LARGEST: Status.AC})
    await choose(tree_of(LAST, LARGEST), problem, judge, selection=BEHAVIOUR, seed=0)
    assert {program for program, _, _ in judge.asked} == {LAST, LARGEST}
    for _, suite, stops in judge.asked:
        assert (suite.limits.cpu_s, suite.limits.wall_s) == (cpu_s, pytest.approx(wall_s))
        assert suite.limits.memory_mib == limits.memory_mib
        assert (suite.comparison, stops) == ("tolerant", False)


async def test_a_prefix_of_a_tree_has_an_answer_too(sandbox: ZygoteSandbox) -> None:
    tree = tree_of(LAST, LARGEST, SORTS)
    assert (await choose(tree.nodes[:2], PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)).node_id == 0
    judged = sandbox.num_judged
    assert (await choose(tree, PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)).node_id == 1
    assert sandbox.num_judged == judged + 1  # the first two were remembered
    assert (await choose([], PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)).why == "no program was written"


async def test_the_reward_model_weighs_groups_and_sees_no_hidden_test(sandbox: ZygoteSandbox) -> None:
    model = Favourite({LAST: 0.9})
    guide = Guide(model)
    tree = tree_of(LAST, LARGEST, SORTS)
    answer = await choose(tree, PROBLEM, sandbox, selection=BEHAVIOUR, seed=0, guide=guide)
    assert (answer.node_id, answer.estimate) == (0, 0.9)
    assert answer.why == "no two of 3 finalists behave alike; the reward model gives it 0.90"
    assert [problem.hidden_tests for problem, _ in model.asked] == [()]
    assert (await choose(tree, PROBLEM, sandbox, selection=BEHAVIOUR, seed=0)).node_id == 1
    public = await choose(tree_of(SORTS, LAST), PROBLEM, sandbox, selection=SelectionConfig(), seed=0, guide=guide)
    assert (public.node_id, public.why) == (1, "the reward model gives it 0.90, the most of 2 finalists")


async def test_a_guide_asks_about_each_program_once_and_together_where_it_can() -> None:
    model = Favourite({LAST: 0.9})
    guide = Guide(model)
    asked = [guide.score(PROBLEM, [LAST]), guide.score(PROBLEM, [LARGEST, LAST]), guide.score(PROBLEM, [SORTS])]
    assert await asyncio.gather(*asked) == [[0.9], [0.1, 0.9], [0.1]]
    assert sorted(program for _, programs in model.asked for program in programs) == sorted([LAST, LARGEST, SORTS])
    assert len(model.asked) < 3
    assert await guide.score(PROBLEM, []) == []


async def test_a_guide_that_was_cancelled_answers_the_next_one() -> None:
    guide = Guide(Favourite({}))
    first = asyncio.create_task(guide.score(PROBLEM, [LAST]))
    await asyncio.sleep(0.005)
    first.cancel()
    assert await guide.score(PROBLEM, [LAST]) == [0.1]


@pytest.mark.parametrize("answer", [[], [0.5, 0.5], [1.5], [float("nan")]])
async def test_answers_that_are_no_probabilities_are_refused(answer: list[float]) -> None:
    with pytest.raises(RewardModelError, match="expected 1 numbers"):
        await Guide(Favourite({}, answer=answer)).score(PROBLEM, [LAST])
