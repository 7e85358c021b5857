"""Weights that correct for the policy that wrote the samples not being the policy in training."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from mars2.config.objective import TisLevel, TisMode


def rollout_weights(old_logprobs: Tensor, rollout_logprobs: Tensor, mask: Tensor, level: TisLevel) -> Tensor:
    """w = π_old/π_rollout, detached.

    token [B, L]: each token's own ratio. sequence [B, 1]: the product over the sequence's tokens. geometric [B, 1]:
    their geometric mean, which does not grow with the length.
    """
    log_weight = (old_logprobs.detach() - rollout_logprobs) * mask
    match level:
        case "token":
            return log_weight.exp()
        case "sequence":
            return log_weight.sum(-1, keepdim=True).exp()
        case "geometric":
            return (log_weight.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)).exp()
        case _:
            assert_never(level)


def bounded_weights(weights: Tensor, cap: float, mode: TisMode, floor: float = 0.0) -> Tensor:
    """Weights that no outlier dominates; the shape of `weights`.

    truncate: min(w, C) (TIS, Yao et al. 2025). mask: w where floor ≤ w ≤ C, else 0: with floor 0 MIS (Liu et al.
    2025), with a floor the two-sided band of IcePop (arXiv:2510.18855).
    """
    match mode:
        case "truncate":
            return weights.clamp(max=cap)
        case "mask":
            return torch.where((weights >= floor) & (weights <= cap), weights, 0.0)
        case _:
            assert_never(mode)
