"""What every advantage estimator promises. A new one is added to ESTIMATORS and passes."""

from __future__ import annotations

import json
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.config.training import MovingBaselineConfig
from mars2.core.completion import Completion
from mars2.core.protocols import AdvantageEstimator
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.credit.advantages import Stateless, leave_one_out, no_std, per_agent, tree_group
from mars2.credit.moving_baseline import MovingBaseline

IN_ONE_TREE: dict[str, AdvantageEstimator] = {  # a node is compared with others of its tree
    f.__name__: Stateless(f) for f in (tree_group, no_std, leave_one_out, per_agent)
}
ESTIMATORS: dict[str, AdvantageEstimator] = {
    **IN_ONE_TREE,
    "moving_baseline": MovingBaseline(MovingBaselineConfig(decay=0.5)),
}


def first(estimator: AdvantageEstimator, tree: Tree, shaped: dict[int, float]) -> dict[int, float]:
    """Advantages of the first tree of a run."""
    return estimator(tree, shaped, estimator.initial())[0]


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


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
class TestAdvantageEstimator:
    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_one_finite_advantage_for_each_node(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        before = dict(shaped)
        advantages = first(estimator, flat_tree(agents), shaped)
        assert shaped == before
        assert advantages.keys() == shaped.keys()
        assert all(isfinite(a) for a in advantages.values())

    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_order_of_nodes_does_not_matter(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        order = data.draw(st.permutations(range(len(agents))))
        advantages = first(estimator, flat_tree(agents), shaped)
        permuted = first(
            estimator, flat_tree("".join(agents[i] for i in order)), {new: shaped[old] for new, old in enumerate(order)}
        )
        assert permuted == pytest.approx({new: advantages[old] for new, old in enumerate(order)})

    def test_the_better_node_has_the_larger_advantage(self, estimator: AdvantageEstimator) -> None:
        advantages = first(estimator, flat_tree("aaaa"), {0: 0.0, 1: 0.2, 2: 0.7, 3: 1.0})
        assert advantages[0] < advantages[1] < advantages[2] < advantages[3]
        assert advantages[0] < 0 < advantages[3]

    def test_a_missing_reward_is_refused(self, estimator: AdvantageEstimator) -> None:
        with pytest.raises(ValueError, match="missing"):
            first(estimator, flat_tree("ab"), {0: 1.0})

    @settings(deadline=None)
    @given(st.data(), st.lists(AGENTS, min_size=1, max_size=4))
    def test_the_state_is_handed_on_and_never_kept(
        self, estimator: AdvantageEstimator, data: st.DataObject, trees: list[str]
    ) -> None:
        """Same inputs, same outputs, whatever came between; a state survives JSON, as in a checkpoint."""
        state = estimator.initial()
        history: list[tuple[Tree, dict[int, float], str, dict[int, float]]] = []
        for agents in trees:
            shaped = {i: data.draw(REWARD) for i in range(len(agents))}
            before = json.dumps(dict(state))
            advantages, moved = estimator(flat_tree(agents), shaped, state)
            assert json.dumps(dict(state)) == before  # the state given is left as it is
            history.append((flat_tree(agents), shaped, before, advantages))
            state = moved
        for tree, shaped, before, advantages in history:
            assert estimator(tree, shaped, json.loads(before))[0] == advantages


@pytest.mark.parametrize("estimator", IN_ONE_TREE.values(), ids=IN_ONE_TREE)
class TestComparedInOneTree:
    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_advantages_of_a_tree_sum_to_zero(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        advantages = first(estimator, flat_tree(agents), shaped)
        assert sum(advantages.values()) == pytest.approx(0.0, abs=1e-6)

    @settings(deadline=None)
    @given(AGENTS, REWARD)
    def test_equal_rewards_teach_nothing(self, estimator: AdvantageEstimator, agents: str, reward: float) -> None:
        advantages = first(estimator, flat_tree(agents), dict.fromkeys(range(len(agents)), reward))
        assert advantages == pytest.approx(dict.fromkeys(range(len(agents)), 0.0), abs=1e-9)

    @settings(deadline=None)
    @given(st.data(), AGENTS)
    def test_only_differences_of_rewards_matter(
        self, estimator: AdvantageEstimator, data: st.DataObject, agents: str
    ) -> None:
        shaped = {i: data.draw(REWARD) for i in range(len(agents))}
        shifted = first(estimator, flat_tree(agents), {i: r + 1.0 for i, r in shaped.items()})
        assert shifted == pytest.approx(first(estimator, flat_tree(agents), shaped), rel=1e-6, abs=1e-6)
