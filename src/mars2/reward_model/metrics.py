"""How good estimated probabilities are: ranking (AUC), accuracy (Brier) and calibration (ECE)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Bin(NamedTuple):
    """Programs whose estimates lie in [lo, hi) (the last bin: [lo, 1])."""

    lo: float
    hi: float
    num: int
    estimate: float  # mean; 0 if the bin is empty
    share_right: float  # 0 if the bin is empty


def auc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Area under the ROC curve: the share of (right, wrong) pairs in which the right one scores higher, ties one half.

    Computed from mean ranks (Mann-Whitney U, Hanley and McNeil 1982). None if all labels are equal.

    Args:
        labels: [N] 0 or 1.
        scores: [N], any monotone scale.
    """
    right, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float)
    num_right, num_wrong = int(right.sum()), int((~right).sum())
    if not num_right or not num_wrong:
        return None
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2  # of each distinct value; ranks start at 1
    u = mean_rank[inverse][right].sum() - num_right * (num_right + 1) / 2
    return float(u / (num_right * num_wrong))


def brier(labels: ArrayLike, estimates: ArrayLike) -> float:
    """Mean of (estimate − label)² (Brier 1950). 0 is perfect; always saying the base rate p gives p(1 − p)."""
    return float(np.mean((np.asarray(estimates, dtype=float) - np.asarray(labels, dtype=float)) ** 2))


def reliability(labels: ArrayLike, estimates: ArrayLike, num_bins: int = 10) -> list[Bin]:
    """Estimates in [0, 1] in bins of equal width: the mean estimate of each bin and the share that was right."""
    right, values = np.asarray(labels, dtype=float), np.asarray(estimates, dtype=float)
    index = np.minimum((values * num_bins).astype(int), num_bins - 1)
    bins: list[Bin] = []
    for i in range(num_bins):
        here: NDArray[np.bool_] = index == i
        count = int(here.sum())
        means = (float(values[here].mean()), float(right[here].mean())) if count else (0.0, 0.0)
        bins.append(Bin(i / num_bins, (i + 1) / num_bins, count, *means))
    return bins


def ece(labels: ArrayLike, estimates: ArrayLike, num_bins: int = 10) -> float:
    """Expected calibration error: Σ_b (n_b / N) · |share right in b − mean estimate in b| (arXiv:1706.04599 eq. 3)."""
    bins = reliability(labels, estimates, num_bins)
    total = sum(b.num for b in bins)
    return sum(b.num / total * abs(b.share_right - b.estimate) for b in bins) if total else 0.0
