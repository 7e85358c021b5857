"""Credit is a pure function of a finished tree: from its verdicts to rewards, shaped rewards and advantages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from credit_trees import build, verdict

from mars2.config.training import RewardConfig, ShapingConfig
from mars2.core.completion import FinishReason
from mars2.core.errors import SandboxUnavailable
from mars2.core.tree import Tree
from mars2.core.verdict import Status, Verdict
from mars2.credit.advantages import Stateless, no_std, tree_group
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


def test_the_overlong_penalty_is_measured_from_the_agents_longest_output_and_taken_off_the_advantage() -> None:
    tree = tree_of((verdict(AC), None), (verdict(WA), None), output_ids=(1, 2, 3, 4, 5, 6, 7))
    # 10 tokens allowed, the last 4 of them punished: 7 tokens are 1 of 4 into the slope, which ends at 0.5.
    credited = credit_of(credit(overlong_buffer=4, overlong_factor=0.5), tree)
    assert credited.rewards == {0: 1.0, 1: 0.0}
    assert credited.advantages == pytest.approx({0: 0.5 - 0.5 / 4, 1: -0.5 - 0.5 / 4})


def overlong_tree(*answers: tuple[Status, int, FinishReason]) -> Tree:
    """First attempts with this verdict, this many output tokens, and this end."""
    tree = tree_of(*((verdict(status), None) for status, _, _ in answers))
    tree.nodes = [
        replace(
            node,
            completion=replace(
                node.completion, output_ids=(1,) * length, logprobs=(-1.0,) * length, finish_reason=reason
            ),
        )
        for node, (_, length, reason) in zip(tree, answers, strict=True)
    ]
    return tree


@pytest.mark.parametrize("status", [AC, WA])
def test_length_alone_makes_no_tree_informative(status: Status) -> None:
    """Filtering asks who is right (DAPO eq. 11): 8 equal verdicts teach nothing, however long one answer is."""
    tree = overlong_tree(*[(status, 3, "stop")] * 7, (status, 10, "length"))
    assert not credit_of(credit(overlong_buffer=4), tree).is_kept


def test_a_right_answer_one_token_too_long_stays_better_than_a_wrong_one() -> None:
    tree = overlong_tree((AC, 3, "stop"), (AC, 7, "stop"), (WA, 3, "stop"), (WA, 3, "stop"))
    normalised = replace(credit(overlong_buffer=4), estimator=Stateless(tree_group))
    # rewards 1, 1, 0, 0: mean 0.5, std 0.5, so ±1; the second answer is 1 of 4 tokens into the slope: 1 − 0.25
    assert credit_of(normalised, tree).advantages == pytest.approx({0: 1, 1: 0.75, 2: -1, 3: -1}, abs=1e-5)


def test_an_answer_cut_off_by_the_context_is_overlong_whatever_its_length() -> None:
    tree = overlong_tree((AC, 3, "stop"), (WA, 2, "length"))
    assert credit_of(credit(overlong_buffer=4), tree).advantages == pytest.approx({0: 0.5, 1: -0.5 - 1.0})


def test_masked_answers_count_for_their_tree_and_are_not_learned_from() -> None:
    tree = overlong_tree((AC, 3, "stop"), (WA, 10, "length"))
    masked = credit_of(credit(mask_truncated=True), tree)
    assert masked.is_kept
    assert [(s.node_id, s.advantage) for s in masked.samples] == [(0, 0.5)]
    assert len(credit_of(credit(), tree).samples) == 2


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
