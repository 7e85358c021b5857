"""AUC, Brier score and calibration error, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.reward_model.calibration import Platt, fit_platt
from mars2.reward_model.metrics import auc, brier, ece, reliability


def test_auc_by_hand() -> None:
    # Pairs (right, wrong): (0.8, 0.4) 1, (0.8, 0.6) 1, (0.5, 0.4) 1, (0.5, 0.6) 0.
    assert auc([0, 1, 1, 0], [0.4, 0.8, 0.5, 0.6]) == 0.75
    assert auc([0, 1], [0.3, 0.3]) == 0.5  # a tie is one half
    assert auc([1, 0, 1, 0], [2, 1, 4, 3]) == 0.75
    assert auc([1, 1], [0.1, 0.9]) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    right, wrong = [s for r, s in rows if r], [s for r, s in rows if not r]
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in right for b in wrong]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert auc([r for r, _ in rows], [s for _, s in rows]) == pytest.approx(expected)


def test_brier_by_hand() -> None:
    assert brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)
    assert brier([1, 0, 0, 0], [0.25] * 4) == pytest.approx(0.25 * 0.75)


def test_ece_by_hand() -> None:
    # Bin [0.2, 0.3): mean estimate 0.25, none of 2 right. Bin [0.9, 1]: mean 0.95, 1 of 2 right.
    assert ece([0, 0, 1, 0], [0.2, 0.29999999, 0.9, 1.0]) == pytest.approx(0.5 * 0.25 + 0.5 * 0.45)
    assert ece([0, 1, 0, 1], [0.5] * 4) == 0.0
    bins = reliability([1, 0], [1.0, 0.0], num_bins=2)
    assert [(b.lo, b.hi, b.num, b.estimate, b.share_right) for b in bins] == [(0, 0.5, 1, 0, 0), (0.5, 1, 1, 1, 1)]


def test_platt_finds_the_scale_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 20_000)
    labels = rng.random(20_000) < Platt(0.5, -1.0)(logits)
    found = fit_platt(labels, logits)
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.offset == pytest.approx(-1.0, abs=0.06)
    assert ece(labels, found(logits)) < 0.02 < ece(labels, Platt()(logits))


def test_platt_never_turns_scores_round_and_leaves_what_it_cannot_fit() -> None:
    assert fit_platt([1, 1], [0.3, 0.4]) == fit_platt([], []) == Platt()
    upside_down = fit_platt([1, 1, 0, 0, 0, 0], [-2.0, -1.0, 1.0, 2.0, 1.5, 0.5])
    assert upside_down.slope == 1.0
    assert np.isfinite(fit_platt([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0]).slope)  # separable


def test_platt_by_hand() -> None:
    assert Platt(2.0, 1.0)([0.0])[0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert list(Platt()([-1e9, 1e9])) == [0.0, 1.0]
