"""Estimates of the KL divergence from the reference policy, from sampled tokens only."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor

from mars2.config.objective import KlEstimator

K3_MAX = 10.0  # nats; reached at r = 13.4 and at r = 1.7e-5


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, kind: KlEstimator) -> Tensor:
    """Estimate of KL(π_θ ‖ π_ref) at each sampled token [B, L], with r = π_ref/π_θ (Schulman 2020).

    k2 = ½ (log r)²: its gradient is the KL's. k3 = r − 1 − log r: never negative; arXiv:2402.03300 eq. 4; differs: at
    most `K3_MAX`, with no gradient beyond. At r = e^20 one token would otherwise take the whole clipped gradient.
    (k1 = −log r has an expected gradient of 0, so it is no loss.)
    """
    log_r = reference_logprobs - logprobs
    match kind:
        case "k2":
            return 0.5 * log_r.square()
        case "k3":
            log_r = log_r.clamp(max=K3_MAX)  # keeps exp, and its gradient, finite
            return (log_r.exp() - 1 - log_r).clamp(max=K3_MAX)
        case _:
            assert_never(kind)
