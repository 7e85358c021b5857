"""Growing one tree: prompts, scores, verdicts, failures, resume, and the same tree whatever runs beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from team_of_scripts import HALF, NOTHING, PROBLEM, RIGHT, WRONG, grower, judge, look, scripted

from mars2.config.growing import RetryConfig, StoppingConfig
from mars2.core.errors import SandboxUnavailable
from mars2.core.problem import Problem, Suite
from mars2.core.serial import tree_hash
from mars2.core.tree import Tree
from mars2.core.verdict import Status, Verdict
from mars2.reward_model.scripted import ScriptedRewardModel
from mars2.runs.growing.attempt import Hidden
from mars2.runs.growing.grow_tree import MAX_CANCELLED_IN_A_ROW
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.sandbox import ScriptedSandbox
from mars2.search.best_of_n import BestOfN
from mars2.search.sequential import Sequential

ANSWERS = ("", [RIGHT, HALF, WRONG, NOTHING])


async def test_scores_come_from_public_tests_and_programs_that_pass_them_are_judged_by_the_hidden_ones() -> None:
    tree = Tree("t", PROBLEM.id)
    growth = await grower(scripted("a", ANSWERS), max_nodes=24).grow(tree, PROBLEM)
    assert growth.stop_reason == "budget spent"
    assert len(tree) == 24
    assert not tree.pending
    by_program = {n.completion.text: n for n in tree}
    assert set(by_program) == {RIGHT, HALF, WRONG, NOTHING}
    assert [by_program[answer].score for answer in (RIGHT, HALF, WRONG)] == [1.0, 0.5, 0.0]
    assert by_program[NOTHING].program is None
    assert by_program[HALF].hidden_verdict is None, "what failed a public test is wrong already"
    hidden = by_program[RIGHT].hidden_verdict
    assert hidden is not None
    assert hidden.accepted


async def test_first_attempts_see_no_feedback_and_refinements_see_the_parent() -> None:
    tree = Tree("t", PROBLEM.id)
    await grower(scripted("a", ("", [HALF])), new_search=lambda: Sequential(["a"]), max_nodes=3).grow(tree, PROBLEM)
    first, second, third = tree
    assert first.parent_id is None
    assert (second.parent_id, third.parent_id) == (0, 1)
    assert "earlier attempt" not in first.prompt[-1].content
    assert "earlier attempt" in second.prompt[-1].content
    assert "    return 2" in second.prompt[-1].content
    assert all("8" not in n.prompt[-1].content for n in tree), "the hidden test leaked"


async def test_hidden_tests_are_left_alone_when_solving() -> None:
    tree = Tree("t", PROBLEM.id)
    await grower(scripted("a", ("", [RIGHT])), hidden="never", max_nodes=2).grow(tree, PROBLEM)
    assert all(n.hidden_verdict is None for n in tree)


async def test_a_reward_model_has_its_part_in_the_score() -> None:
    seen: list[tuple[object, ...]] = []

    def rule(problem: Problem, program: str) -> float:
        seen.append(problem.hidden_tests)
        return 0.25 if "x + 1" in program else 0.75

    tree, guide = Tree("t", PROBLEM.id), Guide(ScriptedRewardModel(rule))
    await grower(scripted("a", ANSWERS), max_nodes=24, alpha=0.2, guide=guide).grow(tree, PROBLEM)
    scores = {n.completion.text: n.score for n in tree}
    assert scores[RIGHT] == pytest.approx(0.8 + 0.2 * 0.25)
    assert scores[HALF] == pytest.approx(0.8 * 0.5 + 0.2 * 0.75)
    assert scores[NOTHING] == 0.0
    assert len(seen) == 3, "a program was scored twice"
    assert set(seen) == {()}, "the reward model saw hidden tests"
    plain, silent = Tree("t", PROBLEM.id), Guide(ScriptedRewardModel(rule))
    await grower(scripted("a", ANSWERS), max_nodes=4, guide=silent).grow(plain, PROBLEM)
    assert len(seen) == 3, "alpha is 0"


@pytest.mark.parametrize(
    ("hidden", "judged"),
    [
        ("never", [(2, False)]),
        ("if public passed", [(2, False), (1, True)]),
        ("always", [(2, False), (1, False)]),
    ],
)
async def test_public_tests_are_all_run_and_hidden_ones_as_asked(
    hidden: Hidden, judged: list[tuple[int, bool]]
) -> None:
    """(number of tests, stops at the first failure) of each call of the judge for one right program."""
    sandbox = judge()
    team = grower(scripted("a", ("", [RIGHT])), sandbox=sandbox, hidden=hidden, max_nodes=1)
    await team.grow(Tree("t", PROBLEM.id), PROBLEM)
    assert [(len(suite.tests), stops) for _, suite, stops in sandbox.asked] == judged


async def test_a_share_of_tests_needs_the_hidden_verdict_of_wrong_programs_too() -> None:
    tree = Tree("t", PROBLEM.id)
    await grower(scripted("a", ("", [WRONG])), hidden="always", max_nodes=1).grow(tree, PROBLEM)
    assert tree.nodes[0].hidden_verdict is not None


async def test_a_fault_of_the_judge_on_hidden_tests_ends_the_tree() -> None:
    def fails_on_hidden(program: str, suite: Suite) -> Verdict:
        verdict = look(program, suite)
        return replace(verdict, status=Status.IE) if suite == PROBLEM.hidden else verdict

    sandbox = ScriptedSandbox(fails_on_hidden)
    with pytest.raises(SandboxUnavailable):
        await grower(scripted("a", ("", [RIGHT])), sandbox=sandbox).grow(Tree("t", PROBLEM.id), PROBLEM)


async def test_stop_when_solved() -> None:
    tree = Tree("t", PROBLEM.id)
    growth = await grower(scripted("a", ("", [RIGHT])), stop_rules=StoppingConfig(solved=1)).grow(tree, PROBLEM)
    assert (growth.stop_reason, len(tree)) == ("solved", 1)


async def test_a_problem_without_public_tests_is_not_solved_by_the_first_program() -> None:
    tree = Tree("t", PROBLEM.id)
    problem = replace(PROBLEM, public_tests=())
    growth = await grower(scripted("a", ANSWERS), stop_rules=StoppingConfig(solved=1), max_nodes=4).grow(tree, problem)
    assert (growth.stop_reason, len(tree)) == ("budget spent", 4)
    assert all(n.score == 0 for n in tree)


async def test_a_model_that_keeps_failing_ends_the_search_with_its_error() -> None:
    backend = scripted("a", ("no such prompt", [RIGHT]))
    tree = Tree("t", PROBLEM.id)
    growth = await grower(backend, retries=RetryConfig(max_retries=2, retry_backoff_s=0)).grow(tree, PROBLEM)
    assert growth.stop_reason == "the model keeps failing"
    assert growth.error is not None
    assert "no rule of the script matches" in growth.error
    assert growth.num_failed_calls == 3 * MAX_CANCELLED_IN_A_ROW
    assert (len(tree), tree.num_cancelled, len(tree.pending)) == (0, MAX_CANCELLED_IN_A_ROW, 0)


async def test_a_backend_that_fails_now_and_then_does_not_stop_the_tree() -> None:
    class Flaky(type(scripted("a"))):
        async def generate(self, prompt, sampling):  # pyright: ignore[reportIncompatibleMethodOverride]
            from mars2.core.errors import BackendError

            if (sampling.seed or 0) % 10 < 3:
                raise BackendError("now and then")
            return await super().generate(prompt, sampling)

    backend = Flaky("a", scripted("a", ANSWERS).rules)
    tree = Tree("t", PROBLEM.id)
    growth = await grower(backend, max_nodes=32, expansions_in_flight=4).grow(tree, PROBLEM)
    assert growth.num_failed_calls > 0
    assert (len(tree), growth.error) == (32, None)


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_the_same_tree_whatever_runs_beside_it(in_flight: int) -> None:
    async def hash_of_first(num_trees: int, trees_in_flight: int, *, lockstep: bool) -> str:
        team = grower(scripted("a", ANSWERS), scripted("b", ANSWERS), expansions_in_flight=in_flight)
        jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, team) for i in range(num_trees)]
        await grow_trees(jobs, trees_in_flight=trees_in_flight, lockstep=lockstep)
        return tree_hash([jobs[0].tree])

    for lockstep in (True, False):
        alone = await hash_of_first(1, 1, lockstep=lockstep)
        assert await hash_of_first(7, 3, lockstep=lockstep) == alone
        assert await hash_of_first(7, 7, lockstep=lockstep) == alone


async def test_lockstep_does_not_depend_on_latencies() -> None:
    async def grown(latency_s: float) -> str:
        team = grower(scripted("a", ANSWERS), scripted("b", ANSWERS, latency_s=latency_s), expansions_in_flight=3)
        jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, team) for i in range(4)]
        await grow_trees(jobs, trees_in_flight=3, lockstep=True)
        return tree_hash(j.tree for j in jobs)

    assert await grown(0.0) == await grown(0.003)


async def test_a_resumed_tree_equals_an_uninterrupted_one() -> None:
    team = grower(scripted("a", ANSWERS), scripted("b", ANSWERS), max_nodes=12)
    whole = Tree("t", PROBLEM.id)
    await team.grow(whole, PROBLEM)
    for cut in (0, 1, 5, 11, 12):
        resumed = Tree("t", PROBLEM.id)
        resumed.restore(whole.nodes[:cut], next_expansion_id=cut, num_cancelled=0)
        await team.grow(resumed, PROBLEM)
        assert tree_hash([resumed]) == tree_hash([whole])


async def test_cancelling_leaves_no_pending_expansion_and_no_task() -> None:
    tree = Tree("t", PROBLEM.id)
    team = grower(scripted("a", ANSWERS, latency_s=30), expansions_in_flight=4)
    task = asyncio.create_task(team.grow(tree, PROBLEM))
    while len(tree.pending) < 4:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not tree.pending
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_results_are_in_the_order_of_jobs_and_one_error_ends_all() -> None:
    team = grower(scripted("a", ANSWERS), new_search=lambda: BestOfN(["a"]), max_nodes=2)
    jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, team) for i in range(5)]
    growths = await grow_trees(jobs, trees_in_flight=2, lockstep=False)
    assert [g.tree.tree_id for g in growths] == ["t0", "t1", "t2", "t3", "t4"]

    def broken_judge(program: str, suite: Suite) -> Status:
        raise SandboxUnavailable("the judge is broken")

    broken = grower(scripted("a", ANSWERS), sandbox=ScriptedSandbox(broken_judge))
    jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, t) for i, t in enumerate([broken, team])]
    with pytest.raises(ExceptionGroup):
        await grow_trees(jobs, trees_in_flight=2, lockstep=True)
