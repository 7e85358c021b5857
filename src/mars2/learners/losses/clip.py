"""The clipped objective of PPO, with the ratio of a token (GRPO, DAPO) or of a sequence (GSPO)."""

from __future__ import annotations

import torch
from torch import Tensor

from mars2.config.objective import ClipObjectiveConfig
from mars2.learners.losses.ratio import importance_ratio
from mars2.learners.losses.seam import LossOutput, TokenStatistics, mean_where


def clip(tokens: TokenStatistics, options: ClipObjectiveConfig) -> LossOutput:
    """−min(s·A, clip(s, 1 − ε_lo, 1 + ε_hi)·A); [B, L] for the token ratio, [B, 1] for the sequence ratio.

    Diagnostics: `ratio_mean`, and `clip_fraction`: where clipping has cut the gradient. Over tokens or over sequences.
    """
    advantages = tokens.advantages.unsqueeze(-1)
    bounds = (options.clip_low, options.clip_high, options.dual_clip)
    ratio = importance_ratio(tokens.logprobs, tokens.old_logprobs, tokens.mask, options.ratio)
    where = tokens.mask if options.ratio == "token" else tokens.mask.any(-1, keepdim=True)
    return LossOutput(
        per_token=-clipped_objective(ratio, advantages, *bounds),
        sums={
            "ratio_mean": mean_where(ratio, where),
            "clip_fraction": mean_where(is_clipped(ratio, advantages, *bounds), where),
        },
    )


def clipped_objective(
    ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float, dual_clip: float | None = None
) -> Tensor:
    """min(s·A, clip(s, 1 − ε_lo, 1 + ε_hi)·A), to be maximised; the shape of `ratio`.

    arXiv:1707.06347 eq. 7 with separate bounds (clip-higher, arXiv:2503.14476 §3.1). `dual_clip` c bounds it from
    below by c·A where A < 0 (arXiv:1912.09729 eq. 5), so that one bad sample with a huge ratio dominates no step.

    Args:
        ratio: [B, L] or [B, 1].
        advantages: [B, 1].
    """
    objective = torch.minimum(ratio * advantages, ratio.clamp(1 - clip_low, 1 + clip_high) * advantages)
    if dual_clip is None:
        return objective
    return torch.where(advantages < 0, torch.maximum(objective, dual_clip * advantages), objective)


def is_clipped(
    ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float, dual_clip: float | None = None
) -> Tensor:
    """Where clipping has cut the gradient (bool; the shape of `ratio`)."""
    cut = ((advantages > 0) & (ratio > 1 + clip_high)) | ((advantages < 0) & (ratio < 1 - clip_low))
    if dual_clip is not None:
        cut |= (advantages < 0) & (ratio > dual_clip)
    return cut
