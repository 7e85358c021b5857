from math import sqrt

import pytest
from credit_trees import build

from mars2.credit.advantages import leave_one_out, no_std, per_agent, tree_group

TREE = build([(None, "a"), (None, "b"), (0, "a"), (1, "b"), (3, "a")])
SHAPED = {0: 0.0, 1: 1.0, 2: 1.0, 3: 0.0, 4: 0.5}


def test_tree_group_by_hand() -> None:
    # mean 0.5, deviations −.5 .5 .5 −.5 0, variance 1/5
    std = sqrt(0.2)
    expected = {0: -0.5 / std, 1: 0.5 / std, 2: 0.5 / std, 3: -0.5 / std, 4: 0.0}
    assert tree_group(TREE, SHAPED) == pytest.approx(expected, rel=1e-5)


def test_tree_group_divides_by_std_plus_epsilon() -> None:
    two = build([(None, "a"), (None, "a")])
    # mean 5e-7, std 5e-7, epsilon 1e-6: 5e-7 / 1.5e-6
    assert tree_group(two, {0: 0.0, 1: 1e-6}) == pytest.approx({0: -1 / 3, 1: 1 / 3})


def test_no_std_by_hand() -> None:
    assert no_std(TREE, SHAPED) == {0: -0.5, 1: 0.5, 2: 0.5, 3: -0.5, 4: 0.0}


def test_leave_one_out_by_hand() -> None:
    # the others of 0: (1 + 1 + 0 + .5) / 4; of 1 and 2: (0 + 1 + 0 + .5) / 4; of 4: 2 / 4
    expected = {0: -0.625, 1: 1 - 0.375, 2: 1 - 0.375, 3: -0.625, 4: 0.0}
    assert leave_one_out(TREE, SHAPED) == pytest.approx(expected)


def test_leave_one_out_of_two_nodes_is_their_difference_and_of_one_is_nothing() -> None:
    assert leave_one_out(build([(None, "a")] * 2), {0: 1.0, 1: 0.25}) == {0: 0.75, 1: -0.75}
    assert leave_one_out(build([(None, "a")]), {0: 1.0}) == {0: 0.0}


def test_per_agent_by_hand() -> None:
    # agent a has nodes 0, 2, 4 (0, 1, .5: mean .5, variance 1/6), agent b has 1, 3 (1, 0: mean .5, std .5)
    std_a = sqrt(1 / 6)
    expected = {0: -0.5 / std_a, 2: 0.5 / std_a, 4: 0.0, 1: 1.0, 3: -1.0}
    assert per_agent(TREE, SHAPED) == pytest.approx(expected, rel=1e-5)


def test_an_agents_only_node_has_no_advantage() -> None:
    tree = build([(None, "a"), (None, "a"), (None, "b")])
    assert per_agent(tree, {0: 1.0, 1: 1.0, 2: 0.0}) == {0: 0.0, 1: 0.0, 2: 0.0}


def test_trees_of_different_size_are_each_their_own_group() -> None:
    small, large = build([(None, "a")] * 2), build([(None, "a")] * 8)
    assert tree_group(small, {0: 0.0, 1: 1.0}) == pytest.approx({0: -1.0, 1: 1.0}, rel=1e-5)
    one_of_eight = tree_group(large, {i: float(i == 0) for i in range(8)})
    assert one_of_eight[0] == pytest.approx((1 - 1 / 8) / sqrt(7 / 64), rel=1e-5)
    assert one_of_eight[1] == pytest.approx((-1 / 8) / sqrt(7 / 64), rel=1e-5)
