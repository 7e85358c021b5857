"""Estimates of the KL divergence from the reference policy, from sampled tokens only."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor

from mars2.config.objective import KlEstimator


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, kind: KlEstimator) -> Tensor:
    """Estimate of KL(π_θ ‖ π_ref) at each sampled token [B, L], with r = π_ref/π_θ (Schulman 2020).

    k1 = −log r: unbiased, noisy; as a *loss* its expected gradient is 0, so use it for comparisons only.
    k2 = ½ (log r)²: its gradient is the KL's. k3 = r − 1 − log r: never negative; arXiv:2402.03300 eq. 4.
    """
    log_r = reference_logprobs - logprobs
    match kind:
        case "k1":
            return -log_r
        case "k2":
            return 0.5 * log_r.square()
        case "k3":
            return log_r.exp() - 1 - log_r
        case _:
            assert_never(kind)
