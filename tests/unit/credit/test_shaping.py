from typing import Any

import pytest
from credit_trees import Shape, build, growth_orders, relabel, shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.credit.shaping import shape_rewards

#        root
#     0        1        5
#   2   3      4                  (5 has no children; 4 is an only child)
SHAPE: Shape = [(None, "a"), (None, "b"), (0, "a"), (0, "b"), (1, "a"), (None, "b")]
REWARDS = {0: 0.0, 1: 1.0, 2: 1.0, 3: 0.0, 4: 0.5, 5: 0.0}


def test_by_hand() -> None:
    shaped = shape_rewards(build(SHAPE), REWARDS, gamma=0.5, sibling_weight=0.25)
    assert shaped == {
        # first attempts: baseline is the mean of the two others
        0: pytest.approx(0.0 + 0.5 * (0.0 - 0.5)),
        1: pytest.approx(1.0 + 0.5 * (1.0 - 0.0)),
        5: pytest.approx(0.0 + 0.5 * (0.0 - 0.5)),
        # parent 0 (raw reward 0), one sibling each: 0.75 · parent + 0.25 · sibling
        2: pytest.approx(1.0 + 0.5 * (1.0 - (0.75 * 0.0 + 0.25 * 0.0))),
        3: pytest.approx(0.0 + 0.5 * (0.0 - (0.75 * 0.0 + 0.25 * 1.0))),
        # parent 1 (raw reward 1), no sibling: the parent alone, whatever the sibling weight
        4: pytest.approx(0.5 + 0.5 * (0.5 - 1.0)),
    }


def test_a_lone_first_attempt_keeps_its_reward() -> None:
    assert shape_rewards(build([(None, "a")]), {0: 0.7}, gamma=3.0) == {0: 0.7}


def test_baseline_is_the_raw_parent_not_the_shaped_one() -> None:
    chain = build([(None, "a"), (0, "a"), (1, "a")])
    assert shape_rewards(chain, {0: 0.0, 1: 1.0, 2: 1.0}, gamma=1.0) == {0: 0.0, 1: 2.0, 2: 1.0}


def test_rewards_are_left_as_they_are() -> None:
    rewards = dict(REWARDS)
    shape_rewards(build(SHAPE), rewards, gamma=1.0)
    assert rewards == REWARDS


def test_every_node_needs_a_reward() -> None:
    with pytest.raises(ValueError, match=r"missing for nodes \[5\]"):
        shape_rewards(build(SHAPE), {k: v for k, v in REWARDS.items() if k != 5}, gamma=0.1)
    with pytest.raises(ValueError, match="unknown nodes"):
        shape_rewards(build(SHAPE), REWARDS | {6: 0.0}, gamma=0.1)


@pytest.mark.parametrize("bad", [{"gamma": -0.1}, {"gamma": 0.1, "sibling_weight": 1.1}])
def test_bad_arguments(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shaping"):
        shape_rewards(build(SHAPE), REWARDS, **bad)


REWARD = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@settings(deadline=None)
@given(st.data(), shapes())
def test_gamma_zero_is_the_identity(data: Any, shape: Shape) -> None:
    rewards = {i: data.draw(REWARD) for i in range(len(shape))}
    assert shape_rewards(build(shape), rewards, gamma=0.0, sibling_weight=data.draw(st.floats(0, 1))) == rewards


@settings(deadline=None)
@given(st.data(), shapes())
def test_depends_on_the_tree_not_on_the_order_it_grew_in(data: Any, shape: Shape) -> None:
    rewards = {i: data.draw(REWARD) for i in range(len(shape))}
    order = data.draw(growth_orders(shape))
    shaped = shape_rewards(build(shape), rewards, gamma=0.7, sibling_weight=0.3)
    regrown = shape_rewards(
        build(relabel(shape, order)),
        {new: rewards[old] for new, old in enumerate(order)},
        gamma=0.7,
        sibling_weight=0.3,
    )
    assert regrown == {new: shaped[old] for new, old in enumerate(order)}


@settings(deadline=None)
@given(st.data(), shapes())
def test_a_node_depends_on_itself_its_parent_and_its_siblings_only(data: Any, shape: Shape) -> None:
    tree = build(shape)
    rewards = {i: data.draw(REWARD) for i in range(len(shape))}
    changed = data.draw(st.integers(0, len(shape) - 1))
    before = shape_rewards(tree, rewards, gamma=0.5)
    after = shape_rewards(tree, rewards | {changed: rewards[changed] + 1.0}, gamma=0.5)
    near = {changed, *tree.children(changed), *tree.children(shape[changed][0])}
    assert {i for i in before if before[i] != after[i]} <= near
    assert after[changed] > before[changed]
    assert all(after[child] < before[child] for child in tree.children(changed))
