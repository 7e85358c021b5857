"""π_θ/π_old: how far the policy has moved from the one before the update. Every loss here starts from it."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor

from mars2.config.objective import Ratio


def importance_ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor, kind: Ratio) -> Tensor:
    """π_θ/π_old of each token [B, L], or of each sequence [B, 1].

    token: exp(log π_θ(o_t) − log π_old(o_t)); arXiv:2402.03300 eq. 3.
    sequence: s = exp( (1/|o|) Σ_t [log π_θ(o_t) − log π_old(o_t)] ); arXiv:2507.18071 eq. 7. Only output tokens count.
    """
    log_ratio = (logprobs - old_logprobs) * mask
    match kind:
        case "token":
            return log_ratio.exp()
        case "sequence":
            return (log_ratio.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)).exp()
        case _:
            assert_never(kind)
