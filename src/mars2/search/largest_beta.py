"""Finds which of very many Beta arms draws the largest value, without a draw for every arm: exact, and faster.

On (c, 1) the density f of an arm is never above the density of a measure whose tail is known:

    p(x) = C · (1 − x)^b,     C = max(1, c^(a − 1)) / (b · B̌(a, b)),
    B̌(a, b) = √(2π) · a^(a − ½) · b^(b − ½) / (a + b)^(a + b − ½) <= B(a, b)

because x^(a − 1) <= max(1, c^(a − 1)), and because θ(a) + θ(b) > θ(a + b) in Stirling's ln Γ(x) = (x − ½) ln x − x
+ ½ ln 2π + θ(x), where θ is positive and falls. Let Z have the tail min(1, p). If Z is accepted, with probability
f(Z) / −p′(Z), it is the arm's draw. If it is rejected, or below c, the draw is below z* = max(c, the point where p is
1). Each arm gets its Z from one uniform number. The arms are tried in order of Z, the largest first. The first accepted
Z is the largest draw, if it is above z* of every arm. If there is none, all draws are below their z*, and are drawn
under that condition.
"""

from __future__ import annotations

from math import exp, expm1, inf, lgamma, log, log1p, pi

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HEAVY = 64.0  # arms with a larger a + b are drawn one by one, because there p is far above the true tail
C = 0.2  # any number in (0, 1) is right; the largest draw is rarely below this


def largest_beta(
    a: Array, b: Array, log_envelopes: Array, rng: np.random.Generator, *, heavy: float = HEAVY
) -> tuple[int, float]:
    """Index and value of the largest of independent draws from Beta(a_i, b_i).

    Args:
        a, b: [K], > 0.
        log_envelopes: [K], `log_envelope(a, b)`; it can be kept while an arm stays the same.
        heavy: changes the time, not the distribution.
    """
    scale = log_envelopes / b  # −ln(1 − x) where p(x) = 1
    reach = rng.standard_exponential(len(a))
    reach /= b
    reach += scale  # −ln(1 − Z)
    best, value = -1, -inf
    one_by_one = np.flatnonzero(a + b > heavy)
    if one_by_one.size:
        draws = rng.beta(a[one_by_one], b[one_by_one])
        best, value = one_by_one.item(int(draws.argmax())), float(draws.max())
        scale[one_by_one] = reach[one_by_one] = -inf
    top = -expm1(-max(-log1p(-C), float(scale.max())))  # the largest z*
    while True:
        i = int(reach.argmax())
        x = -expm1(-reach.item(i))
        if x <= max(top, value):
            break
        a_i, b_i = a.item(i), b.item(i)
        log_beta = lgamma(a_i) + lgamma(b_i) - lgamma(a_i + b_i)
        if rng.random() < exp((a_i - 1.0) * log(x) - log(b_i) - log_beta - log_envelopes.item(i)):
            return i, x
        reach[i] = -inf
    if value < top:
        others = np.flatnonzero(a + b <= heavy)
        draws = rng.beta(a[others], b[others])
        while (above := np.flatnonzero(draws > top)).size:
            draws[above] = rng.beta(a[others[above]], b[others[above]])
        if others.size and draws.max() > value:
            best, value = others.item(int(draws.argmax())), float(draws.max())
    return best, value


def log_envelope(a: Array, b: Array) -> Array:
    """ln C of every arm, [K]."""
    total = a + b
    stirling = (total - 0.5) * np.log(total) - (a - 0.5) * np.log(a) - (b + 0.5) * np.log(b) - 0.5 * log(2.0 * pi)
    return stirling + np.maximum((a - 1.0) * log(C), 0.0)
