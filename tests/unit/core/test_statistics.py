"""Intervals, against values worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from mars2.core.statistics import mean_ci, mean_cis, paired_gain_ci


def test_mean_ci_of_two_problems_by_hand() -> None:
    # Resamples of [0, 1] average 0, 1/2, 1 with probability 1/4, 1/2, 1/4: the 2.5 % and 97.5 % points are 0 and 1,
    # the 30 % and 70 % points both 1/2.
    assert mean_ci([0, 1]) == (0.5, 0.0, 1.0)
    assert mean_ci([0, 1], level=0.4) == (0.5, 0.5, 0.5)


def test_mean_ci_has_the_width_that_theory_gives_for_many_problems() -> None:
    outcomes = [1.0] * 90 + [0.0] * 210
    mean, lo, hi = mean_ci(outcomes)
    half_width = 1.96 * sqrt(0.3 * 0.7 / 300)
    assert mean == pytest.approx(0.3)
    assert (mean - lo, hi - mean) == pytest.approx((half_width, half_width), rel=0.08)


def test_mean_ci_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        _, lo, hi = mean_ci(rng.random(60), seed=trial, num_resamples=400)
        covered += lo <= 0.5 <= hi
    assert 0.90 <= covered / 300 <= 0.985


def test_paired_gain_removes_the_spread_between_problems() -> None:
    before = np.tile([0.0, 1.0], 50)
    after = before + np.tile([0.1, 0.1, 0.3, 0.3], 25)
    gain = paired_gain_ci(before, after)
    assert gain.mean == pytest.approx(0.2)
    assert gain.hi - gain.lo < 0.05  # 2 · 1.96 · 0.1 / sqrt(100) = 0.039; unpaired it would be 0.28
    assert paired_gain_ci(after, before).mean == pytest.approx(-0.2)


def test_estimates_are_the_same_for_the_same_seed_only() -> None:
    values = np.random.default_rng(0).random(40)
    assert mean_ci(values, seed=3) == mean_ci(values, seed=3)
    assert mean_ci(values, seed=3) != mean_ci(values, seed=4)


def test_large_inputs_are_resampled_in_blocks() -> None:
    values = np.random.default_rng(0).random(9_000)  # 10,000 resamples at once would be 90 million draws
    mean, lo, hi = mean_ci(values, num_resamples=1_000)
    assert mean - lo == pytest.approx(1.96 * values.std() / sqrt(9_000), rel=0.12)
    assert hi > mean


def test_equal_values_have_an_interval_of_width_zero() -> None:
    assert mean_ci([1, 1, 1]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("values", [[], [[0.1]], [0.1, float("nan")]])
def test_unusable_values_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values_per_problem"):
        mean_ci(values)


def test_unpaired_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        paired_gain_ci([0, 1], [1])


def test_many_quantities_at_once_are_the_same_as_one_by_one() -> None:
    rows = np.random.default_rng(0).random((3, 40))
    rows[1] = 0.3
    for row, found in zip(rows, mean_cis(rows), strict=True):
        assert found == pytest.approx(mean_ci(row), abs=1e-12)
    assert mean_cis(rows)[1].lo == mean_cis(rows)[1].hi == mean_cis(rows)[1].mean
    with pytest.raises(ValueError, match="at least one problem"):
        mean_cis(np.zeros((2, 0)))
