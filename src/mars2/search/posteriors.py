"""The two conjugate posteriors of AB-MCTS-A, kept as sufficient statistics so that an observation costs O(1).

Throughout, n is the number of observations of an arm, total their sum Σr and squares their sum of squares Σr².
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, TypeVar, assert_never

import numpy as np
from numpy.typing import NDArray

from mars2.config.search import PosteriorName
from mars2.search.largest_beta import largest_beta, log_envelope

MANY = 128  # Beta arms from which on not every one is drawn

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Observations = tuple[float, float, float]
"""n, Σr and Σr² of one arm."""

Value = TypeVar("Value", float, Array)


class Posterior(Protocol):
    """A family of posteriors over one arm's mean score."""

    def draw(self, n: float, total: float, squares: float, rng: np.random.Generator) -> float:
        """A Thompson draw for one arm, from `rng` only."""
        ...

    def draw_largest(self, arms: Moments, rows: Rows, rng: np.random.Generator) -> tuple[int, float]:
        """Position in `rows` and value of the largest of Thompson draws for these arms; the first if equal."""
        ...


@dataclass(frozen=True, slots=True)
class Beta:
    """Beta posterior of a score in [0, 1], Jeffreys prior a = b = ½: a += r, b += 1 − r per observation."""

    a: float = 0.5
    b: float = 0.5

    def parameters(self, n: Value, total: Value) -> tuple[Value, Value]:
        """a and b after n observations of sum `total`."""
        return self.a + total, self.b + n - total

    def draw(self, n: float, total: float, squares: float, rng: np.random.Generator) -> float:
        return rng.beta(*self.parameters(n, total))

    def draw_largest(self, arms: Moments, rows: Rows, rng: np.random.Generator) -> tuple[int, float]:
        a, b = self.parameters(*arms.many(rows)[:2])
        if len(rows) < MANY:
            return _largest(rng.beta(a, b))
        return largest_beta(a, b, arms.kept(rows, self._log_envelope), rng)

    def _log_envelope(self, n: Array, total: Array, squares: Array) -> Array:
        return log_envelope(*self.parameters(n, total))


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Normal-Inverse-χ² posterior of a Gaussian score with unknown mean and variance.

    Murphy, Probabilistic Machine Learning: Advanced Topics, §3.4.3.3. Differs: the usual
    ντ² + S + nκ(m − r̄)²/κₙ is written ντ² + Σr² + κm² − κₙmₙ², which needs no r̄ and holds for n = 0.
    """

    m: float = 0.0
    kappa: float = 1.0
    nu: float = 1.0
    tau_square: float = 0.1

    def parameters(self, n: Value, total: Value, squares: Value) -> tuple[Value, Value, Value, Value]:
        """mₙ, κₙ, νₙ and τₙ² after n observations."""
        kappa = self.kappa + n
        nu = self.nu + n
        m = (self.kappa * self.m + total) / kappa
        tau_square = (self.nu * self.tau_square + squares + self.kappa * self.m**2 - kappa * m**2) / nu
        return m, kappa, nu, tau_square

    def draw(self, n: float, total: float, squares: float, rng: np.random.Generator) -> float:
        """σ² ~ InvGamma(νₙ/2, νₙτₙ²/2), then a mean μ ~ N(mₙ, σ²/κₙ); not a predictive draw."""
        m, kappa, nu, tau_square = self.parameters(n, total, squares)
        sigma_square = nu * tau_square / 2 / rng.standard_gamma(nu / 2)
        return m + sqrt(sigma_square / kappa) * rng.standard_normal()

    def draw_largest(self, arms: Moments, rows: Rows, rng: np.random.Generator) -> tuple[int, float]:
        m, kappa, nu, tau_square = self.parameters(*arms.many(rows))
        sigma_square = nu * tau_square / 2 / rng.standard_gamma(nu / 2)
        return _largest(m + np.sqrt(sigma_square / kappa) * rng.standard_normal(len(rows)))


def posterior_named(name: PosteriorName) -> Posterior:
    """The posterior family called `name`, with its default prior."""
    match name:
        case "beta":
            return Beta()
        case "gaussian":
            return Gaussian()
        case _:
            assert_never(name)


def _largest(draws: Array) -> tuple[int, float]:
    best = int(draws.argmax())
    return best, draws.item(best)


class Moments:
    """A growable table of sufficient statistics: arm i has n[i], total[i] and squares[i]."""

    def __init__(self) -> None:
        self._size = 0
        self._n = np.zeros(16)
        self._total = np.zeros(16)
        self._squares = np.zeros(16)
        self._kept = np.full(16, np.nan)  # see `kept`

    def add_row(self) -> int:
        """Index of a new arm without observations."""
        if self._size == len(self._n):
            self._n = np.concatenate([self._n, np.zeros(self._size)])
            self._total = np.concatenate([self._total, np.zeros(self._size)])
            self._squares = np.concatenate([self._squares, np.zeros(self._size)])
            self._kept = np.concatenate([self._kept, np.full(self._size, np.nan)])
        self._size += 1
        return self._size - 1

    def observe(self, rows: int | Rows, score: float | Array, weight: float = 1.0) -> None:
        """Add an observation to one arm, or to each of several distinct arms; it counts as `weight` equal ones."""
        self._n[rows] += weight
        self._total[rows] += weight * score
        self._squares[rows] += weight * score * score
        self._kept[rows] = np.nan

    def one(self, row: int) -> Observations:
        """n, Σr, Σr² of one arm."""
        return self._n.item(row), self._total.item(row), self._squares.item(row)

    def many(self, rows: Rows) -> tuple[Array, Array, Array]:
        """n, Σr, Σr² of several arms, each [K]."""
        return self._n.take(rows), self._total.take(rows), self._squares.take(rows)

    def kept(self, rows: Rows, compute: Callable[[Array, Array, Array], Array]) -> Array:
        """`compute(n, Σr, Σr²)` of several arms, [K], remembered for each arm until it is observed again.

        Always with the same function: one number is kept for an arm.
        """
        values = self._kept.take(rows)
        stale = np.flatnonzero(np.isnan(values))
        if stale.size:
            values[stale] = self._kept[rows[stale]] = compute(*self.many(rows[stale]))
        return values
