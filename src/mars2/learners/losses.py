"""The formulas of the loss, each alone and on plain tensors, so that each can be checked by hand.

Shapes: B sequences, L output tokens (right-padded). `mask` [B, L] is True at output tokens. Log-probs are natural logs.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from mars2.learners.objective import Aggregation, KlEstimator, Ratio, TisLevel, TisMode


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


def clipped_objective(
    ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float, dual_clip: float | None = None
) -> Tensor:
    """min(s·A, clip(s, 1 − ε_lo, 1 + ε_hi)·A), to be maximised; the shape of `ratio`.

    arXiv:1707.06347 eq. 7 with separate bounds (clip-higher, arXiv:2503.14476 §3.1). `dual_clip` c bounds it from
    below by c·A where A < 0 (arXiv:1912.09729 eq. 5), so that one bad sample with a huge ratio cannot rule the step.

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


def tis_weights(
    old_logprobs: Tensor, rollout_logprobs: Tensor, mask: Tensor, cap: float, level: TisLevel, mode: TisMode
) -> Tensor:
    """Weights correcting for the sampling engine not being the training engine: π_old/π_rollout, bounded; detached.

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


def aggregate(
    values: Tensor,
    mask: Tensor,
    kind: Aggregation,
    *,
    num_sequences: int,
    num_tokens: int,
    constant_length: int | None = None,
) -> Tensor:
    """One micro-batch's part of the mean of `values` [B, L] over the whole batch; the parts of a batch add up to it.

    sequence-mean: mean over a sequence's tokens, then over sequences (GRPO, GSPO).
    token-mean: mean over all tokens (DAPO, arXiv:2503.14476 eq. 12).
    constant: sum over tokens / (number of sequences · constant_length) (Dr. GRPO, arXiv:2503.20783).

    Args:
        num_sequences: sequences in the whole batch; `num_tokens`: its output tokens.
    """
    masked = values * mask
    match kind:
        case "sequence-mean":
            return (masked.sum(-1) / mask.sum(-1)).sum() / num_sequences
        case "token-mean":
            return masked.sum() / num_tokens
        case "constant":
            if constant_length is None:
                raise ValueError("aggregation constant needs constant_length")
            return masked.sum() / (num_sequences * constant_length)
        case _:
            assert_never(kind)
