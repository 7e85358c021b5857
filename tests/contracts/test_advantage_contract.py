"""What every advantage estimator promises. A new one is added to ESTIMATORS and passes."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.core.completion import Completion
from mars2.core.protocols import AdvantageEstimator
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.credit.advantages import leave_one_out, no_std, per_agent, tree_group

ESTIMATORS: list[AdvantageEstimator] = [tree_group, no_std, leave_one_out, per_agent]


def flat_tree(agents: str) -> Tree:
    tree = Tree("T", "problem")
    for agent in agents:
        tree.add(
            tree.expand(None, agent),
            Result(
                prompt=(),
                completion=Completion("", "stop", "p", 0),
                program=None,
                public_verdict=Verdict(Status.CE, ()),
                hidden_verdict=None,
                score=0.0,
            ),
        )
    return tree


AGENTS = st.text(alphabet="ab", min_size=1, max_size=10)
REWARD = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))


@pytest.mark.parametrize("estimator", ESTIMATORS)
class TestAdvantageEstimator:
    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_one_finite_advantage_for_each_node_summing_to_zero(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        before = dict(shaped)
        advantages = estimator(flat_tree(agents), shaped)
        assert shaped == before
        assert advantages.keys() == shaped.keys()
        assert all(isfinite(a) for a in advantages.values())
        assert sum(advantages.values()) == pytest.approx(0.0, abs=1e-6)

    @settings(deadline=None)
    @given(AGENTS, REWARD)
    def test_equal_rewards_teach_nothing(self, estimator: AdvantageEstimator, agents: str, reward: float) -> None:
        advantages = estimator(flat_tree(agents), dict.fromkeys(range(len(agents)), reward))
        assert advantages == pytest.approx(dict.fromkeys(range(len(agents)), 0.0), abs=1e-9)

    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_order_of_nodes_does_not_matter(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        order = data.draw(st.permutations(range(len(agents))))
        advantages = estimator(flat_tree(agents), shaped)
        permuted = estimator(
            flat_tree("".join(agents[i] for i in order)), {new: shaped[old] for new, old in enumerate(order)}
        )
        assert permuted == pytest.approx({new: advantages[old] for new, old in enumerate(order)})

    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_only_differences_of_rewards_matter(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        shifted = estimator(flat_tree(agents), {i: r + 1.0 for i, r in shaped.items()})
        assert shifted == pytest.approx(estimator(flat_tree(agents), shaped), rel=1e-6, abs=1e-6)

    def test_the_better_node_has_the_larger_advantage(self, estimator: AdvantageEstimator) -> None:
        advantages = estimator(flat_tree("aaaa"), {0: 0.0, 1: 0.2, 2: 0.7, 3: 1.0})
        assert advantages[0] < advantages[1] < advantages[2] < advantages[3]
        assert advantages[0] < 0 < advantages[3]

    def test_a_missing_reward_is_refused(self, estimator: AdvantageEstimator) -> None:
        with pytest.raises(ValueError, match="missing"):
            estimator(flat_tree("ab"), {0: 1.0})
