"""Weights that correct for the sampling engine not being the training engine."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from mars2.config.objective import TisLevel, TisMode


def tis_weights(
    old_logprobs: Tensor, rollout_logprobs: Tensor, mask: Tensor, cap: float, level: TisLevel, mode: TisMode
) -> Tensor:
    """π_old/π_rollout, bounded by `cap` C; detached.

    token level [B, L]: each token's own ratio. sequence level [B, 1]: the product over the sequence's tokens.
    truncate: min(w, C) (TIS, Yao et al. 2025). mask: w where w ≤ C, else 0 (MIS, Liu et al. 2025).
    """
    log_weight = (old_logprobs.detach() - rollout_logprobs) * mask
    if level == "sequence":
        log_weight = log_weight.sum(-1, keepdim=True)
    weight = log_weight.exp()
    match mode:
        case "truncate":
            return weight.clamp(max=cap)
        case "mask":
            return torch.where(weight <= cap, weight, 0.0)
        case _:
            assert_never(mode)
