"""Each agent against its own past, with figures worked out by hand on a tree of seven nodes."""

from __future__ import annotations

import pytest
from credit_trees import build

from mars2.config.training import MovingBaselineConfig
from mars2.credit.moving_baseline import MovingBaseline

SEVEN = build([(None, "a"), (None, "b"), (0, "a"), (0, "b"), (1, "a"), (2, "b"), (2, "a")])
SHAPED = {0: 0.0, 1: 1.0, 2: 1.0, 3: 0.5, 4: 0.0, 5: 0.0, 6: 1.0}
# agent a wrote 0, 2, 4, 6: mean (0 + 1 + 0 + 1) / 4 = 0.5; agent b wrote 1, 3, 5: mean (1 + 0.5 + 0) / 3 = 0.5
ESTIMATOR = MovingBaseline(MovingBaselineConfig(decay=0.9))


def test_first_tree_by_hand() -> None:
    advantages, state = ESTIMATOR(SEVEN, SHAPED, ESTIMATOR.initial())
    # baselines: 0.9 · 0 + 0.1 · 0.5 = 0.05 of both agents; advantages: reward − 0.05
    assert state == pytest.approx({"a": 0.05, "b": 0.05})
    assert advantages == pytest.approx({0: -0.05, 1: 0.95, 2: 0.95, 3: 0.45, 4: -0.05, 5: -0.05, 6: 0.95})


def test_the_baseline_follows_each_agent_by_itself_by_hand() -> None:
    rewards = {0: 1.0, 1: 0.0, 2: 1.0, 3: 0.0, 4: 1.0, 5: 0.0, 6: 1.0}
    advantages, state = ESTIMATOR(SEVEN, rewards, {"a": 0.5, "b": 0.5, "c": 0.25})
    # a: 0.9 · 0.5 + 0.1 · 1 = 0.55; b: 0.9 · 0.5 + 0.1 · 0 = 0.45; c wrote nothing here
    assert state == pytest.approx({"a": 0.55, "b": 0.45, "c": 0.25})
    expected = {0: 0.45, 1: -0.45, 2: 0.45, 3: -0.45, 4: 0.45, 5: -0.45, 6: 0.45}
    assert advantages == pytest.approx(expected)


def test_the_order_of_trees_matters() -> None:
    lucky, unlucky = dict.fromkeys(range(7), 1.0), dict.fromkeys(range(7), 0.0)
    _, after = ESTIMATOR(SEVEN, unlucky, ESTIMATOR(SEVEN, lucky, {})[1])
    _, other = ESTIMATOR(SEVEN, lucky, ESTIMATOR(SEVEN, unlucky, {})[1])
    # 0.9 · 0.1 + 0 = 0.09; 0.9 · 0 + 0.1 = 0.1
    assert (after["a"], other["a"]) == (pytest.approx(0.09), pytest.approx(0.1))


def test_the_baseline_goes_to_the_mean_reward() -> None:
    state = ESTIMATOR.initial()
    for _ in range(200):
        _, state = ESTIMATOR(SEVEN, SHAPED, state)
    assert state == pytest.approx({"a": 0.5, "b": 0.5})
