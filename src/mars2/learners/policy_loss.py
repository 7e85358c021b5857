"""The loss of one micro-batch: the formulas of `losses` put together as an `Objective` says, with their diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mars2.learners import losses
from mars2.learners.objective import Objective


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """What the loss needs to know of one micro-batch. [B, L] are right-padded; finite values at padding are ignored."""

    logprobs: Tensor  # [B, L] log π_θ, with gradient
    old_logprobs: Tensor  # [B, L] log π_old of the training engine, before the update
    mask: Tensor  # [B, L] bool, True at output tokens
    advantages: Tensor  # [B]
    entropy: Tensor  # [B, L] nats
    rollout_logprobs: Tensor | None = None  # [B, L] log-probs of the sampling engine
    reference_logprobs: Tensor | None = None  # [B, L] log π_ref


@dataclass(frozen=True, slots=True)
class LossPart:
    """One micro-batch's part of a batch: the parts' losses add up, and so do the sums of each mean."""

    loss: Tensor  # scalar, with gradient
    sums: dict[str, tuple[Tensor, int]]  # diagnostic -> (sum, number of values summed)
    maxima: dict[str, Tensor]


def policy_loss(objective: Objective, tokens: TokenStatistics, *, num_sequences: int, num_tokens: int) -> LossPart:
    """Loss = aggregate( −clipped objective · TIS weight + β·KL − bonus·entropy ), to be minimised.

    The TIS weight corrects the policy term only, not the KL term.

    Args:
        num_sequences: sequences in the whole (mini-)batch that one optimizer step uses; `num_tokens`: output tokens.

    Raises:
        ValueError: the objective needs log-probs that `tokens` does not have.
    """
    mask = tokens.mask
    advantages = tokens.advantages.unsqueeze(-1)
    clip = (objective.clip_low, objective.clip_high, objective.dual_clip)
    ratio = losses.importance_ratio(tokens.logprobs, tokens.old_logprobs, mask, objective.ratio)
    per_token = -losses.clipped_objective(ratio, advantages, *clip)  # [B, L] or [B, 1]

    ratio_mask = mask if objective.ratio == "token" else mask.any(-1, keepdim=True)
    num_ratios = int(ratio_mask.sum())
    tokens_here = int(mask.sum())
    sums: dict[str, tuple[Tensor, int]] = {
        "ratio_mean": (_masked_sum(ratio, ratio_mask), num_ratios),
        "clip_fraction": (_masked_sum(losses.is_clipped(ratio, advantages, *clip), ratio_mask), num_ratios),
        "entropy": (_masked_sum(tokens.entropy, mask), tokens_here),
    }
    maxima: dict[str, Tensor] = {}

    if tokens.rollout_logprobs is not None:
        gap = (tokens.old_logprobs - tokens.rollout_logprobs).abs() * mask
        sums["logprob_gap"] = (_masked_sum(gap, mask), tokens_here)
        maxima["logprob_gap_max"] = gap.detach().max()
    if objective.tis_cap is not None:
        if tokens.rollout_logprobs is None:
            raise ValueError(
                "objective.tis_cap needs the sampler's log-probs; set it to null, or use a backend with them"
            )
        weights = losses.tis_weights(
            tokens.old_logprobs,
            tokens.rollout_logprobs,
            mask,
            objective.tis_cap,
            objective.tis_level,
            objective.tis_mode,
        )
        weights_mask = mask if objective.tis_level == "token" else mask.any(-1, keepdim=True)
        sums["tis_weight_mean"] = (_masked_sum(weights, weights_mask), int(weights_mask.sum()))
        per_token = per_token * weights
    if objective.kl_beta > 0:
        if tokens.reference_logprobs is None:
            raise ValueError("objective.kl_beta > 0 needs the reference policy's log-probs")
        kl = losses.kl_estimate(tokens.logprobs, tokens.reference_logprobs, objective.kl_estimator)
        sums["kl"] = (_masked_sum(kl, mask), tokens_here)
        per_token = per_token + objective.kl_beta * kl
    if objective.entropy_bonus != 0:
        per_token = per_token - objective.entropy_bonus * tokens.entropy

    loss = losses.aggregate(
        per_token.expand(mask.shape),
        mask,
        objective.aggregation,
        num_sequences=num_sequences,
        num_tokens=num_tokens,
        constant_length=objective.constant_length,
    )
    return LossPart(loss, sums, maxima)


def _masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Sum where `mask` is True, without gradient; values elsewhere may be anything, NaN included."""
    return torch.where(mask, values.detach().to(torch.float32), 0.0).sum()
