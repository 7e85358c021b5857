"""Turns logits into calibrated probabilities: Platt scaling, fitted on held-out problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MAX_STEPS = 100
_RIDGE = 1e-3  # keeps the slope finite where the classes are separated; towards the identity


@dataclass(frozen=True, slots=True)
class Platt:
    """p = σ(slope · logit + offset) (Platt 1999); slope 1/T and offset 0 is temperature scaling."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of logits, elementwise."""
        return _sigmoid(self.slope * np.asarray(logits, dtype=float) + self.offset)


def fit_platt(labels: ArrayLike, logits: ArrayLike) -> Platt:
    """The slope and offset of least cross-entropy, by Newton's method; the identity if there is nothing to fit.

    A slope that is not positive would reverse the order of the scores. Then the slope stays 1 and only the offset is
    fitted.

    Args:
        labels: [N] 0 or 1.
        logits: [N].
    """
    y, z = np.asarray(labels, dtype=float), np.asarray(logits, dtype=float)
    if len(y) == 0 or y.min() == y.max():
        return Platt()
    slope, offset = _newton(y, np.stack([z, np.ones_like(z)]), np.array([1.0, 0.0]), np.zeros_like(z))
    if slope <= 0:
        (offset,) = _newton(y, np.ones((1, len(z))), np.array([0.0]), z)
        slope = 1.0
    return Platt(float(slope), float(offset))


def _newton(
    y: NDArray[np.float64], x: NDArray[np.float64], start: NDArray[np.float64], base: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Parameters [P] of σ(base + xᵀ·parameters) with features x [P, N]; steps are halved while they do not help."""

    def loss(parameters: NDArray[np.float64]) -> float:
        t = base + parameters @ x
        return float(np.mean(np.logaddexp(0, t) - y * t) + _RIDGE / 2 * np.sum((parameters - start) ** 2))

    best, value = start, loss(start)
    for _ in range(_MAX_STEPS):
        p = _sigmoid(base + best @ x)
        gradient = x @ (p - y) / len(y) + _RIDGE * (best - start)
        hessian = (x * (p * (1 - p))) @ x.T / len(y) + _RIDGE * np.eye(len(best))
        step, size = np.linalg.solve(hessian, gradient), 1.0
        while size > 1e-6 and loss(best - size * step) > value:
            size /= 2
        new = best - size * step
        improved = value - loss(new)
        best, value = new, loss(new)
        if improved < 1e-12:
            break
    return best


def _sigmoid(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0, -t))
