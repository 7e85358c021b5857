"""Comparing strategies: curves from one tree, figures by hand, and evaluations that are interrupted and grown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from team_of_scripts import HALF, NOTHING, PROBLEM, RIGHT, WRONG, grower, judge, scripted

from mars2.build import build_memory
from mars2.config.growing import RetryConfig, SelectionConfig
from mars2.core.errors import BackendError
from mars2.core.prefix import prefix
from mars2.core.problem import Problem
from mars2.core.protocols import Search
from mars2.core.serial import tree_hash
from mars2.core.tree import Result, Tree
from mars2.problems.subset import seeded_subset
from mars2.runs.measuring.evaluation import ChooseAnswer, Entrant, Evaluation
from mars2.runs.measuring.figures import Figures, Scores, figures_of
from mars2.runs.measuring.outcomes import Outcome, curve_budgets, measure
from mars2.runs.measuring.results import TEAM, Results, Series, differences, problem_rows, rows_of
from mars2.runs.measuring.summary import summarise
from mars2.runs.measuring.validation import METRIC, Validation
from mars2.runs.recorder import Recorder
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.refine_best import RefineBest
from mars2.store.run_store import RunStore

ANSWERS = ("", [RIGHT, HALF, WRONG, NOTHING, WRONG])


def failing(policy: str, every: int) -> object:
    """A scripted backend whose calls with a seed that `every` divides fail."""
    backend = scripted(policy, ANSWERS)
    answer = backend.generate

    async def generate(prompt, sampling):  # type: ignore[no-untyped-def]
        if sampling.seed % every == 0:
            raise BackendError("the script failed")
        return await answer(prompt, sampling)

    backend.generate = generate  # type: ignore[method-assign]
    return backend


@pytest.mark.parametrize("in_flight", [1, 3])
@pytest.mark.parametrize(
    "search", [lambda: AbMcts(["a", "b"]), lambda: BestOfN(["a", "b"]), lambda: RefineBest(["a", "b"])]
)
async def test_a_prefix_is_the_tree_of_a_smaller_budget(search: Callable[[], Search], in_flight: int) -> None:
    team = grower(
        scripted("a", ANSWERS, latency_s=0.001),
        scripted("b", ANSWERS),
        max_nodes=32,
        new_search=search,
        expansions_in_flight=in_flight,
    )
    tree = Tree("t", PROBLEM.id)
    await team.grow(tree, PROBLEM)
    for budget in (0, 1, 2, 5, 17, 32):
        small = Tree("t", PROBLEM.id)
        if budget:
            await replace(team, max_nodes=budget).grow(small, PROBLEM)
        part = prefix(tree, budget)
        assert tree_hash([part]) == tree_hash([small])
        assert [n.parent_id for n in part] == [n.parent_id for n in small]


async def test_a_prefix_has_the_failures_of_a_smaller_budget() -> None:
    team = grower(failing("a", 3), max_nodes=24, retries=RetryConfig(max_retries=1, retry_backoff_s=0))  # type: ignore[arg-type]
    tree = Tree("t", PROBLEM.id)
    await team.grow(tree, PROBLEM)
    assert tree.num_cancelled
    for budget in (1, 4, 9, 23):
        small = Tree("t", PROBLEM.id)
        await replace(team, max_nodes=budget).grow(small, PROBLEM)
        part = prefix(tree, budget)
        assert (part.failures, part.num_cancelled) == (small.failures, small.num_cancelled)


def test_a_prefix_renumbers_nodes_that_overtook_others() -> None:
    tree = Tree("t", "p")
    first, second, third = (tree.expand(None, "a") for _ in range(3))
    result = some_result()
    tree.add(third, result)  # node 0
    tree.add(first, result)  # node 1
    fourth = tree.expand(1, "a")
    tree.add(fourth, result)  # node 2, child of expansion 0
    tree.add(second, result)  # node 3
    part = prefix(tree, 2)
    assert [(n.id, n.expansion_id, n.parent_id) for n in part] == [(0, 0, None), (1, 1, None)]
    part = prefix(tree, 3)
    assert [(n.id, n.expansion_id) for n in part] == [(0, 2), (1, 0), (2, 1)]
    assert [(n.id, n.parent_id) for n in prefix(tree, 4)] == [(0, None), (1, None), (2, 1), (3, None)]
    with pytest.raises(ValueError, match="num_nodes must be >= 0"):
        prefix(tree, -1)


def some_result() -> Result:
    from mars2.core.completion import Completion
    from mars2.core.verdict import Status, Verdict

    return Result(
        prompt=(),
        completion=Completion("", "stop", "p", 0),
        program=None,
        public_verdict=Verdict(Status.CE, ()),
        hidden_verdict=None,
        score=0.0,
    )


def test_budgets_double_up_to_the_budget() -> None:
    assert curve_budgets(64) == [1, 2, 4, 8, 16, 32, 64]
    assert curve_budgets(12) == [1, 2, 4, 8, 12]
    assert curve_budgets(1) == [1]
    with pytest.raises(ValueError, match="budget must be >= 1"):
        curve_budgets(0)


def outcome(budget: int, chosen: bool, some: bool, first: dict[str, int], right: dict[str, int]) -> Outcome:
    return Outcome(budget, budget, chosen, some, first, right, 100, 10 * budget, 0.5, 2.0, 1, 0)


def test_rows_by_hand() -> None:
    """Two problems, two seeds: seeds are averaged within a problem, then problems."""
    series = Series("s", TEAM, {
        "p": {0: [outcome(1, True, True, {"a": 1}, {"a": 1})], 1: [outcome(1, False, True, {"b": 1}, {"b": 0})]},
        "q": {0: [outcome(1, False, False, {"a": 1}, {"a": 0})], 1: [outcome(1, False, False, {"a": 1}, {"a": 0})]},
    })  # fmt: skip
    rows = {row.metric: row for row in rows_of(series)}
    assert rows["pass_at_1_mcts"].value == 0.25
    assert (rows["pass_at_1_mcts"].low, rows["pass_at_1_mcts"].high) == (0.0, 0.5)
    assert rows["pass_at_n"].value == 0.5
    assert rows["gap"].value == 0.25
    assert rows["pass_at_1"].value == 0.25
    assert (rows["pass_at_1/a"].value, rows["pass_at_1/a"].num_problems) == (0.5, 2)
    assert (rows["pass_at_1/b"].value, rows["pass_at_1/b"].num_problems) == (0.0, 1)
    assert rows["failed_calls"].value == 1.0
    assert rows["output_tokens"].value == 10.0
    assert {row.num_seeds for row in rows.values()} == {2}
    table = problem_rows([series])
    assert [(r["problem"], r["seed"], r["is_chosen_right"]) for r in table] == [
        ("p", 0, True), ("p", 1, False), ("q", 0, False), ("q", 1, False),
    ]  # fmt: skip


def test_differences_are_paired_and_the_later_strategy_comes_first() -> None:
    def series(strategy: str, who: str, chosen: list[bool]) -> Series:
        return Series(strategy, who, {str(i): {0: [outcome(1, c, True, {}, {})]} for i, c in enumerate(chosen)})

    found = differences([
        series("x", TEAM, [True, False, False, False]),
        series("y", TEAM, [True, True, True, False]),
        series("x", "a", [False, False, False, False]),
    ])  # fmt: skip
    chosen = {(d.first, d.second): d.value for d in found if d.metric == "pass_at_1_mcts"}
    assert chosen == {(("y", TEAM), ("x", TEAM)): 0.5, (("x", TEAM), ("x", "a")): 0.25}


def test_a_smaller_subset_is_part_of_a_larger_one() -> None:
    problems = [replace(PROBLEM, id=str(i)) for i in range(50)]
    small, large = seeded_subset(problems, 5, 0), seeded_subset(problems, 20, 0)
    assert {p.id for p in small} < {p.id for p in large}
    assert large == sorted(large, key=lambda p: int(p.id))
    assert small != problems[:5]
    assert small != seeded_subset(problems, 5, 1)
    assert seeded_subset(problems, None, 0) == problems


PROBLEMS = [replace(PROBLEM, id=f"p{i}") for i in range(3)]


def comparison(
    store: RunStore,
    *,
    max_nodes: int = 8,
    strategies: tuple[str, ...] = ("ab", "bon"),
    seeds: int = 2,
    calls: list[str],
) -> Evaluation:
    searches = {"ab": lambda: AbMcts(["a", "b"]), "bon": lambda: BestOfN(["a", "b"])}
    backends = [failing("a", 7), failing("b", 7)]
    for backend in backends:
        count(backend, calls)
    return Evaluation(
        problems=PROBLEMS,
        entrants=[
            Entrant(
                name,
                TEAM,
                grower(*backends, max_nodes=max_nodes, new_search=searches[name]),  # type: ignore[arg-type]
                ChooseAnswer(judge(), SelectionConfig(), seed=0),
                gives_first_attempts=name == "bon",
            )
            for name in strategies
        ],
        seeds=seeds,
        trees_in_flight=3,
        lockstep=False,
        memory=build_memory(store, Recorder(store)),
    )


def count(backend: object, calls: list[str]) -> None:
    answer = backend.generate  # type: ignore[attr-defined]

    async def generate(prompt, sampling):  # type: ignore[no-untyped-def]
        calls.append(f"{sampling.seed}")
        return await answer(prompt, sampling)

    backend.generate = generate  # type: ignore[attr-defined]


def figures(results: Results) -> list[tuple]:
    skipped = {"seconds"}
    return [
        tuple(value for name, value in row.items() if name not in skipped) for row in problem_rows(results.reported)
    ]


async def test_an_evaluation_grows_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    calls: list[str] = []
    with RunStore.create(tmp_path / "whole", config={}) as store:
        whole = figures(await comparison(store, max_nodes=16, calls=calls).run())
        all_calls = sorted(calls)
        assert all_calls == sorted(set(all_calls))
        calls.clear()
        again = figures(await comparison(store, max_nodes=16, calls=calls).run())
        assert calls == []
        assert again == whole
        smaller = figures(await comparison(store, max_nodes=12, calls=calls).run())
        assert calls == []
        assert {row[4] for row in smaller} == {1, 2, 4, 8, 12}
    with RunStore.create(tmp_path / "grown", config={}) as store:
        calls.clear()
        await comparison(store, max_nodes=4, strategies=("bon",), seeds=1, calls=calls).run()
        await comparison(store, max_nodes=8, strategies=("bon",), seeds=2, calls=calls).run()
        grown = figures(await comparison(store, max_nodes=16, calls=calls).run())
    assert grown == whole
    assert sorted(calls) == all_calls


async def test_outcomes_match_what_smaller_budgets_report(tmp_path: Path) -> None:
    """The curve of one evaluation of 8 nodes, against evaluations of 1, 2, 4 and 8."""
    with RunStore.create(tmp_path / "curve", config={}) as store:
        curve = figures(await comparison(store, calls=[]).run())
    for budget in (1, 2, 4, 8):
        with RunStore.create(tmp_path / str(budget), config={}) as store:
            alone = figures(await comparison(store, max_nodes=budget, calls=[]).run())
        assert [row for row in curve if row[4] == budget] == [row for row in alone if row[4] == budget]


async def test_the_chosen_program_and_the_oracle_are_told_apart() -> None:
    """The first half-right program is chosen before a right one is there; a hidden failure is not seen."""
    tree = Tree("t", PROBLEM.id)
    sneaky = Problem("s", "", PROBLEM.public_tests[:1], PROBLEM.hidden_tests, entry_point="f")  # HALF passes 1 → 2
    team = grower(scripted("a", ("", [HALF, RIGHT])), max_nodes=6, new_search=lambda: BestOfN(["a"]))
    await team.grow(tree, sneaky)
    outcomes = await measure(tree, sneaky, [1, 2, 4, 8], ChooseAnswer(judge(), SelectionConfig(), seed=0))
    first_right = next(n.id for n in tree if n.is_correct)
    first_half = next(n.id for n in tree if not n.is_correct)
    for found, budget in zip(outcomes, [1, 2, 4, 8], strict=True):
        assert found.is_any_right == (first_right < budget)
        assert found.is_chosen_right == (first_right < min(first_half, budget))
        assert found.num_nodes == min(budget, 6)
        assert sum(found.first_attempts.values()) == min(budget, 6)


async def test_a_validation_is_an_evaluation_that_keeps_nothing(tmp_path: Path) -> None:
    """Pass@1 of each agent over its own first attempts: a is right in 1 of 2, b never."""
    backends = [scripted("a", ("", [RIGHT, HALF])), scripted("b", ("", [WRONG]))]
    team = grower(*backends, max_nodes=4, new_search=lambda: BestOfN(["a", "b"]))
    entrant = Entrant("best_of_n", TEAM, team, ChooseAnswer(judge(), SelectionConfig(), seed=0), False, True)
    evaluation = Evaluation(PROBLEMS, [entrant], trees_in_flight=2, lockstep=True, label="validation")
    results = await evaluation.run()
    made = [o.first_attempts for by_seed in results.first_attempts.outcomes.values() for o in by_seed[0][-1:]]
    assert made == [{"a": 2, "b": 2}] * 3
    figures = figures_of("validation", results, ["a", "b"])
    found = await Validation(evaluation, ["a", "b"])()
    assert found["agent/a"] == {METRIC: figures.agents["a"].mean("pass_at_1")}
    assert found["agent/b"] == {METRIC: 0.0}
    assert found["run"][METRIC] == pytest.approx(found["agent/a"][METRIC] / 2)
    assert figures.team == Scores()


def test_gains_are_paired_by_problem_and_leave_out_what_was_not_measured() -> None:
    """Problem 2 was not measured before: (1 - 0) and (0.5 - 0.5) remain, mean 0.5."""
    before = Figures("before", {"a": Scores((0.0, None, 0.5))}, Scores((), (0.0, 0.0, 1.0), (0.0, 1.0, 1.0)), 3, 8, 0)
    after = Figures("after", {"a": Scores((1.0, 1.0, 0.5))}, Scores((), (1.0, 0.0, 1.0), (1.0, 1.0, 1.0)), 3, 8, 0)
    summary = summarise({"before": before, "after": after}, seed=7)
    assert summary["agents"]["a"]["gain"] == 0.5
    assert summary["agents"]["a"]["before"]["pass_at_1"] == 0.25
    assert summary["team"]["gain"] == pytest.approx(1 / 3)
    assert summary["team"]["after"]["pass_at_1_mcts_ci95"] == [0.0, 1.0]
    assert (summary["n_problems"], summary["budget"], summary["seed"]) == (3, 8, 7)
