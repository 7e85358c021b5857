"""No budget is overshot, and each stopping rule stops exactly where it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from team_of_scripts import HALF, PROBLEM, RIGHT, WRONG, grower, scripted
from virtual_time import SlowBackend, run_virtually

from mars2.backends.scripted import ScriptedBackend
from mars2.config.growing import BudgetConfig, StoppingConfig
from mars2.config.policies import PriceConfig
from mars2.core.completion import Completion, Message, Prompt, Sampling
from mars2.core.tree import Node, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.runs.growing.budget import prompt_tokens_at_most
from mars2.runs.growing.grow_tree import Growth, Order
from mars2.runs.growing.stopping import Stopping
from mars2.runs.growing.team import Agent

ANSWERS = [RIGHT, HALF, WRONG]
PRICE = PriceConfig(input_per_million=2.0, output_per_million=10.0)


def grow(budget: BudgetConfig, *, order: Order = "expansion", in_flight: int = 4, **options: Any) -> Growth:
    backends = [SlowBackend("a", ANSWERS), SlowBackend("b", ANSWERS, mean_s=4.0)]
    team = grower(
        *backends, budget=budget, order=order, expansions_in_flight=in_flight, price=PRICE, max_nodes=30, **options
    )
    return run_virtually(team.grow(Tree("t", PROBLEM.id), PROBLEM))


def tokens_of(tree: Tree) -> int:
    return sum(n.completion.prompt_tokens + n.completion.output_tokens for n in tree)


@settings(max_examples=15, deadline=None)
@given(tokens=st.integers(1, 20_000), in_flight=st.integers(1, 8), order=st.sampled_from(["expansion", "arrival"]))
def test_the_token_budget_is_never_overshot_and_spent_but_for_one_call(
    tokens: int, in_flight: int, order: Order
) -> None:
    growth = grow(BudgetConfig(tokens=tokens), order=order, in_flight=in_flight)
    assert growth.stop_reason.startswith(("token budget", "budget spent"))
    assert tokens_of(growth.tree) <= tokens
    if growth.stop_reason == "token budget spent":
        assert tokens - tokens_of(growth.tree) < 3000, "much was left unspent"


def test_the_cost_budget_is_never_overshot() -> None:
    whole = grow(BudgetConfig())
    cost = sum(n.completion.cost for n in whole.tree)
    first = whole.tree.nodes[0].completion
    assert first.cost == pytest.approx((2 * first.prompt_tokens + 10 * first.output_tokens) / 1e6)
    half = grow(BudgetConfig(cost=cost / 2))
    spent = sum(n.completion.cost for n in half.tree)
    assert half.stop_reason == "cost budget spent"
    assert 0.3 * cost < spent <= 0.5 * cost


@pytest.mark.parametrize("order", ["expansion", "arrival"])
def test_the_time_budget_ends_the_tree_at_once_and_keeps_what_came_in_time(order: Order) -> None:
    growth = grow(BudgetConfig(seconds=9.0), order=order)
    assert growth.stop_reason == "time budget spent"
    assert 0 < len(growth.tree) < 30
    assert all(n.elapsed_s <= 9.0 for n in growth.tree)
    assert not growth.tree.pending
    whole = grow(BudgetConfig(), order=order)
    assert len(growth.tree) == sum(n.elapsed_s <= 9.0 for n in whole.tree) if order == "arrival" else True


def test_time_already_spent_counts_after_a_resume() -> None:
    cut = grow(BudgetConfig(seconds=9.0)).tree
    resumed = Tree("t", PROBLEM.id)
    resumed.restore(cut.nodes, next_expansion_id=cut.next_expansion_id, num_cancelled=cut.num_cancelled)
    team = grower(
        SlowBackend("a", ANSWERS), SlowBackend("b", ANSWERS), budget=BudgetConfig(seconds=cut.nodes[-1].elapsed_s)
    )
    growth = run_virtually(team.grow(resumed, PROBLEM))
    assert (growth.stop_reason, len(resumed)) == ("time budget spent", len(cut))


@pytest.mark.parametrize(
    ("budget", "reason"),
    [(BudgetConfig(tokens=6000), "token budget spent"), (BudgetConfig(cost=0.02), "cost budget spent")],
)
def test_tokens_and_money_already_spent_count_after_a_resume(budget: BudgetConfig, reason: str) -> None:
    cut = grow(budget)
    assert cut.stop_reason == reason
    assert 0 < len(cut.tree) < 30
    resumed = Tree("t", PROBLEM.id)
    resumed.restore(cut.tree.nodes, next_expansion_id=cut.tree.next_expansion_id, num_cancelled=0)
    backends = [SlowBackend("a", ANSWERS), SlowBackend("b", ANSWERS)]
    team = grower(*backends, budget=budget, expansions_in_flight=4, price=PRICE, max_nodes=30)
    growth = run_virtually(team.grow(resumed, PROBLEM))
    assert (growth.stop_reason, len(resumed)) == (reason, len(cut.tree))


def test_a_budget_too_small_for_anything_says_so() -> None:
    growth = grow(BudgetConfig(tokens=10))
    assert growth.stop_reason.startswith("token budget too small: one call may take ")
    assert len(growth.tree) == 0


def test_a_prompt_is_never_longer_than_its_bound() -> None:
    class Silent:
        policy = "a"
        version = 0

        async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
            raise NotImplementedError

        async def close(self) -> None: ...

    prompt = (Message("system", "é" * 10), Message("user", "x" * 7))
    agent = Agent("a", "a", Silent(), "", Sampling())
    assert prompt_tokens_at_most(agent, prompt) == 20 + 7 + 3 * 64
    counting = Agent("a", "a", ScriptedBackend("a", scripted("a", ("", ["x"])).rules), "", Sampling())
    assert prompt_tokens_at_most(counting, prompt) == 27


# ── stopping ────────────────────────────────────────────────────────────────────────────────────────────────────────


def node(program: str | None, passed: int, total: int = 2) -> Node:
    tests = tuple(TestResult(Status.AC if i < passed else Status.WA) for i in range(total))
    verdict = Verdict(Status.AC if passed == total else Status.WA, tests)
    return Node(
        id=0,
        expansion_id=0,
        parent_id=None,
        agent="a",
        depth=1,
        prompt=(),
        completion=Completion("", "stop", "a", 0),
        program=program,
        public_verdict=verdict,
        hidden_verdict=None,
        score=0.0,
    )


def stops_after(rules: StoppingConfig, nodes: list[Node]) -> tuple[int, str | None]:
    stopping = Stopping(rules)
    for count, each in enumerate(nodes, start=1):
        stopping.tell(each)
        if stopping.reason:
            return count, stopping.reason
    return len(nodes), None


def test_solved_counts_distinct_programs() -> None:
    nodes = [node("x = 1", 2), node("x  =  1  # the same", 2), node("x = 2", 1), node("x = 3", 2)]
    assert stops_after(StoppingConfig(solved=1), nodes) == (1, "solved")
    assert stops_after(StoppingConfig(solved=2), nodes) == (4, "solved")
    assert stops_after(StoppingConfig(solved=3), nodes) == (4, None)
    assert stops_after(StoppingConfig(solved=1), [node("x = 1", 0, total=0)]) == (1, None), "no public test says so"


def test_consensus_is_first_to_be_ahead_by_k() -> None:
    nodes = [node("a = 1", 2), node("b = 1", 2), node("b=1", 2), node("b = 1 # b", 2), node("wrong = 1", 0)]
    assert stops_after(StoppingConfig(consensus_margin=1), nodes) == (1, "consensus")
    assert stops_after(StoppingConfig(consensus_margin=2), nodes) == (4, "consensus")
    assert stops_after(StoppingConfig(consensus_margin=3), nodes) == (5, None)
    assert stops_after(StoppingConfig(consensus_margin=1), [node("w = 1", 1)] * 3) == (3, None)


def test_patience_counts_nodes_since_the_best_rose() -> None:
    nodes = [node("a", 0), node("b", 0), node("c", 1), node("d", 1), node("e", 0), node("f", 1)]
    assert stops_after(StoppingConfig(patience=1), nodes) == (2, "no improvement")
    assert stops_after(StoppingConfig(patience=2), nodes) == (5, "no improvement")
    assert stops_after(StoppingConfig(patience=4), nodes) == (6, None)


def test_a_rule_that_is_met_ends_what_is_under_way() -> None:
    growth = grow(BudgetConfig(), stop_rules=StoppingConfig(solved=1))
    assert growth.stop_reason == "solved"
    assert growth.tree.nodes[-1].public_verdict.accepted
    assert sum(n.public_verdict.accepted for n in growth.tree) == 1
    assert not growth.tree.pending
