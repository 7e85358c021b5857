"""CISPO: the importance weight is clipped, not the update, so that every token keeps its gradient."""

from __future__ import annotations

from torch import Tensor

from mars2.config.objective import CispoObjectiveConfig
from mars2.learners.losses.ratio import importance_ratio
from mars2.learners.losses.seam import LossOutput, TokenStatistics, mean_where


def cispo(tokens: TokenStatistics, options: CispoObjectiveConfig) -> LossOutput:
    """−sg(r̂_t)·A·log π_θ(o_t) of each token [B, L], with r̂ from `clipped_weights`; arXiv:2506.13585 eq. 4.

    The paper's mean over all tokens is `aggregation: token-mean`, and it has no KL term: `kl_beta: 0`.
    Diagnostics: `ratio_mean` before clipping, and `clip_fraction`: where the weight was clipped. Over tokens.
    """
    ratio = importance_ratio(tokens.logprobs.detach(), tokens.old_logprobs, tokens.mask, "token")
    weights = clipped_weights(ratio, options.clip_low, options.clip_high)
    return LossOutput(
        per_token=-weights * tokens.advantages.unsqueeze(-1) * tokens.logprobs,
        sums={
            "ratio_mean": mean_where(ratio, tokens.mask),
            "clip_fraction": mean_where(weights != ratio, tokens.mask),
        },
    )


def clipped_weights(ratio: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """r̂ = clip(r, 1 − ε_lo, 1 + ε_hi), without gradient; the shape of `ratio`. arXiv:2506.13585 eq. 5."""
    return ratio.detach().clamp(1 - clip_low, 1 + clip_high)
