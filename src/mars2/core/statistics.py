"""Estimates over problems, each with an interval, so that no number is reported bare. Deterministic from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MAX_DRAWS_AT_ONCE = 4_000_000  # bounds the memory of one block of resamples to about 64 MB


class Estimate(NamedTuple):
    """A mean over problems and the ends of its interval."""

    mean: float
    lo: float
    hi: float


def mean_ci(
    values_per_problem: ArrayLike, *, seed: int = 0, level: float = 0.95, num_resamples: int = 10_000
) -> Estimate:
    """Mean over problems with a percentile bootstrap interval (Efron 1979): problems are drawn with replacement.

    Values that are all equal give an interval of width 0: the bootstrap cannot see what the sample does not show.

    Args:
        values_per_problem: [problems], one number per problem (a pass rate, a 0/1 outcome, …), all finite.
        level: coverage, in (0, 1).

    Raises:
        ValueError: no problems, more than one dimension, or a value that is not finite.
    """
    values = _checked(values_per_problem, "values_per_problem")
    return mean_cis(values[None], seed=seed, level=level, num_resamples=num_resamples)[0]


def mean_cis(rows: ArrayLike, *, seed: int = 0, level: float = 0.95, num_resamples: int = 10_000) -> list[Estimate]:
    """`mean_ci` of many quantities over the same problems, from the same resamples; much faster than one by one.

    Args:
        rows: [quantities, problems], all finite.

    Raises:
        ValueError: no problems, not two dimensions, or a value that is not finite.
    """
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"rows must be [quantities, problems], at least one problem, got shape {values.shape}")
    for row in values:
        _checked(row, "rows")
    n = values.shape[1]
    middle = values.mean(axis=1, keepdims=True)
    around = values - middle  # rows that are all equal become exactly 0 and keep an interval of width 0
    rng = np.random.Generator(np.random.PCG64(seed))
    block = max(1, _MAX_DRAWS_AT_ONCE // n)
    blocks: list[NDArray[np.float64]] = []
    for start in range(0, num_resamples, block):
        size = min(block, num_resamples - start)
        drawn = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        times_drawn = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)  # [resamples, problems]
        blocks.append(around @ times_drawn.T / n)
    means = middle + np.concatenate(blocks, axis=1)  # [quantities, num_resamples]
    means = means.clip(values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True))  # but for rounding, no-op
    lows, highs = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return [Estimate(*map(float, row)) for row in zip(middle[:, 0], lows, highs, strict=True)]


def paired_gain_ci(
    before: ArrayLike, after: ArrayLike, *, seed: int = 0, level: float = 0.95, num_resamples: int = 10_000
) -> Estimate:
    """Mean of `after − before` with its bootstrap interval, the same problems in the same order on both sides.

    Pairing removes the spread between easy and hard problems, which is most of the spread.

    Args:
        before: [problems].
        after: [problems].

    Raises:
        ValueError: as `mean_ci`, or the two lengths differ.
    """
    first, second = _checked(before, "before"), _checked(after, "after")
    if len(first) != len(second):
        raise ValueError(f"before and after must be over the same problems, got {len(first)} and {len(second)}")
    return mean_ci(second - first, seed=seed, level=level, num_resamples=num_resamples)


def _checked(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be one number per problem, at least one problem, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; leave out the problems that were not measured")
    return array
