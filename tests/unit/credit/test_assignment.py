"""Credit is a pure function of a finished tree: from its verdicts to rewards, shaped rewards and advantages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from credit_trees import build, verdict

from mars2.config.training import RewardConfig, ShapingConfig
from mars2.core.errors import SandboxUnavailable
from mars2.core.tree import Tree
from mars2.core.verdict import Status, Verdict
from mars2.credit.advantages import Stateless, no_std
from mars2.credit.assignment import Credit, CreditedTree

AC, WA, IE = Status.AC, Status.WA, Status.IE


def tree_of(*verdicts: tuple[Verdict, Verdict | None], output_ids: tuple[int, ...] = (5, 6)) -> Tree:
    """First attempts of agent a with these public and hidden verdicts."""
    tree = build([(None, "a")] * len(verdicts), output_ids=output_ids)
    tree.nodes = [
        replace(node, public_verdict=public, hidden_verdict=hidden)
        for node, (public, hidden) in zip(tree, verdicts, strict=True)
    ]
    return tree


def credit(*, dynamic_filtering: bool = True, **reward: object) -> Credit:
    return Credit(
        Stateless(no_std),
        {"a": "policy-a"},
        max_tokens={"a": 10},
        reward=RewardConfig(**reward),  # type: ignore[arg-type]
        shaping=ShapingConfig(gamma=0.0),
        dynamic_filtering=dynamic_filtering,
    )


def credit_of(assignment: Credit, tree: Tree) -> CreditedTree:
    """Of the first tree of a run."""
    credited, _ = assignment(tree, assignment.estimator.initial())
    return credited


def test_rewards_come_from_public_and_hidden_verdicts() -> None:
    tree = tree_of((verdict(AC), verdict(AC)), (verdict(AC), verdict(WA)), (verdict(WA, AC), None))
    assert credit_of(credit(), tree).rewards == {0: 1.0, 1: 0.0, 2: 0.0}
    assert credit_of(credit(kind="fraction"), tree).rewards == {0: 1.0, 1: 0.5, 2: 0.5}


def test_the_overlong_penalty_is_measured_from_the_agents_longest_output() -> None:
    tree = tree_of((verdict(AC), None), output_ids=(1, 2, 3, 4, 5, 6, 7))
    # 10 tokens allowed, the last 4 of them punished: 7 tokens are 1 of 4 into the slope, which ends at 0.5.
    rewards = credit_of(credit(overlong_buffer=4, overlong_factor=0.5), tree).rewards
    assert rewards == {0: pytest.approx(1 - 0.5 * 1 / 4)}


def test_every_node_is_annotated_with_reward_shaped_reward_and_advantage() -> None:
    credited = credit_of(credit(), tree_of((verdict(AC), None), (verdict(WA), None)))
    # no shaping; mean 0.5, so the advantages are ±0.5
    assert credited.annotations == {
        0: {"reward": 1.0, "shaped": 1.0, "advantage": 0.5},
        1: {"reward": 0.0, "shaped": 0.0, "advantage": -0.5},
    }
    assert [(s.reward, s.advantage) for s in credited.samples] == [(1.0, 0.5), (0.0, -0.5)]


def test_a_tree_of_equal_rewards_gives_no_samples_unless_filtering_is_off() -> None:
    tree = tree_of((verdict(AC), None), (verdict(AC), None))
    filtered, kept = credit_of(credit(), tree), credit_of(credit(dynamic_filtering=False), tree)
    assert (filtered.is_kept, filtered.samples) == (False, [])
    assert filtered.rewards == kept.rewards == {0: 1.0, 1: 1.0}
    assert (kept.is_kept, len(kept.samples)) == (True, 2)


def test_a_verdict_that_is_the_judges_fault_earns_nothing_and_ends_the_credit() -> None:
    with pytest.raises(SandboxUnavailable):
        credit_of(credit(), tree_of((verdict(AC), verdict(IE))))
