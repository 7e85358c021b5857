"""Posteriors against hand-computed values, and their draws against the known moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.search.posteriors import Beta, Gaussian, Moments

SCORES = st.lists(st.floats(0, 1), min_size=0, max_size=30)


def observations(scores: list[float]) -> tuple[float, float, float]:
    return float(len(scores)), sum(scores), sum(r * r for r in scores)


def test_beta_adds_scores_to_a_and_their_complements_to_b() -> None:
    assert Beta().parameters(0.0, 0.0) == (0.5, 0.5)
    assert Beta().parameters(3.0, 1.75) == (2.25, 1.75)


def test_gaussian_prior_without_observations() -> None:
    assert Gaussian().parameters(0.0, 0.0, 0.0) == (0.0, 1.0, 1.0, 0.1)


def test_gaussian_by_hand_for_scores_1_and_half() -> None:
    # n=2, r̄=0.75, S=0.125: κ=3, ν=3, m=1.5/3, τ²=(0.1 + 0.125 + 2·0.75²/3)/3 = (0.225 + 0.375)/3
    assert Gaussian().parameters(*observations([1.0, 0.5])) == pytest.approx((0.5, 3.0, 3.0, 0.2), abs=1e-15)


def test_gaussian_with_another_prior_mean() -> None:
    # prior m=1, κ=2, ν=4, τ²=0.5; one score 0: κ=3, ν=5, m=2/3, τ²=(2 + 0 + 1·2·1/3)/5 = 8/15
    posterior = Gaussian(m=1.0, kappa=2.0, nu=4.0, tau_square=0.5)
    assert posterior.parameters(1.0, 0.0, 0.0) == pytest.approx((2 / 3, 3.0, 5.0, 8 / 15), abs=1e-15)


@given(SCORES)
def test_gaussian_equals_the_textbook_form(scores: list[float]) -> None:
    """Murphy's update with mean and scatter recomputed from the list."""
    n = len(scores)
    mean = float(np.mean(scores)) if scores else 0.0
    scatter = float(np.sum((np.array(scores) - mean) ** 2)) if scores else 0.0
    tau_square = (0.1 + scatter + n * mean**2 / (1 + n)) / (1 + n)
    got = Gaussian().parameters(*observations(scores))
    assert got == pytest.approx((n * mean / (1 + n), 1 + n, 1 + n, tau_square), abs=1e-12)


@pytest.mark.parametrize("posterior", [Beta(), Gaussian()])
def test_of_one_arm_the_largest_draw_is_its_draw(posterior: Beta | Gaussian) -> None:
    arm = observations([0.2, 0.9, 0.7, 0.4])
    rng = np.random.default_rng(0)
    arms, row = Moments(), np.arange(1)
    arms.add_row()
    for score in (0.2, 0.9, 0.7, 0.4):
        arms.observe(0, score)
    largest = [posterior.draw_largest(arms, row, rng)[1] for _ in range(10_000)]
    single = [posterior.draw(*arm, rng) for _ in range(10_000)]
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert np.quantile(single, quantiles) == pytest.approx(np.quantile(largest, quantiles), abs=0.02)


def test_beta_draws_have_the_mean_and_variance_of_the_posterior() -> None:
    rng = np.random.default_rng(1)
    draws = np.array([Beta().draw(4.0, 2.2, 1.5, rng) for _ in range(50_000)])
    a, b = 2.7, 2.3
    assert draws.mean() == pytest.approx(a / (a + b), abs=0.005)
    assert draws.var() == pytest.approx(a * b / ((a + b) ** 2 * (a + b + 1)), abs=0.002)


def test_gaussian_draws_have_the_mean_and_variance_of_the_posterior() -> None:
    scores = observations([0.1, 0.5, 0.9, 0.3, 0.7, 0.5])
    m, kappa, nu, tau_square = Gaussian().parameters(*scores)
    rng = np.random.default_rng(2)
    draws = np.array([Gaussian().draw(*scores, rng) for _ in range(50_000)])
    assert draws.mean() == pytest.approx(m, abs=0.005)
    assert draws.var() == pytest.approx(nu * tau_square / (nu - 2) / kappa, rel=0.08)  # Student t with νₙ degrees


@given(st.lists(st.tuples(st.integers(0, 39), st.floats(0, 1)), max_size=100))
def test_moments_hold_sums_per_row(observed: list[tuple[int, float]]) -> None:
    moments = Moments()
    for row in range(40):
        assert moments.add_row() == row
    for row, score in observed:
        moments.observe(row, score)
    expected = np.array([observations([r for i, r in observed if i == row]) for row in range(40)])
    assert np.stack(moments.many(np.arange(40)), axis=1) == pytest.approx(expected, abs=1e-12)
    assert moments.one(7) == pytest.approx(tuple(expected[7]), abs=1e-12)


def test_one_score_can_be_observed_by_several_rows() -> None:
    moments = Moments()
    for _ in range(3):
        moments.add_row()
    moments.observe(np.array([0, 2]), 0.5)
    assert [moments.one(i) for i in range(3)] == [(1.0, 0.5, 0.25), (0.0, 0.0, 0.0), (1.0, 0.5, 0.25)]
