"""The whole loss of one micro-batch: a loss, and around it what is the same for every loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mars2.config.objective import ObjectiveConfig
from mars2.learners.losses.aggregation import aggregate
from mars2.learners.losses.choose import choose_loss
from mars2.learners.losses.kl import kl_estimate
from mars2.learners.losses.seam import Sums, TokenStatistics, mean_where
from mars2.learners.losses.tis import bounded_weights, rollout_weights


@dataclass(frozen=True, slots=True)
class LossPart:
    """One micro-batch's part of a batch: the parts' losses add up, and so do the sums of each mean."""

    loss: Tensor  # scalar, with gradient
    sums: Sums
    maxima: dict[str, Tensor]


def policy_loss(
    objective: ObjectiveConfig,
    tokens: TokenStatistics,
    *,
    num_sequences: int,
    num_tokens: int,
    constant_length: int | None = None,
) -> LossPart:
    """Loss = aggregate( policy term · TIS weight + β·KL − bonus·entropy ), to be minimised.

    The policy term is the loss that the objective names. The TIS weight corrects this term only, not the KL term.

    Args:
        num_sequences: sequences in the whole (mini-)batch that one optimizer step uses; `num_tokens`: output tokens.
        constant_length: the longest output allowed, in tokens; the divisor of `aggregation: constant`.

    Raises:
        ValueError: the objective needs log-probs that `tokens` does not have.
    """
    mask = tokens.mask
    policy_term = choose_loss(objective)(tokens)
    per_token = policy_term.per_token  # [B, L] or [B, 1]
    sums: Sums = {**policy_term.sums, "entropy": mean_where(tokens.entropy, mask)}
    maxima: dict[str, Tensor] = {}

    if tokens.rollout_logprobs is not None:
        gap = (tokens.old_logprobs - tokens.rollout_logprobs).detach().abs()
        fresh = mask if tokens.is_stale is None else mask & ~tokens.is_stale.unsqueeze(-1)
        sums["logprob_gap"] = mean_where(gap, fresh)  # of the two engines
        sums["stale_logprob_gap"] = mean_where(gap, mask & ~fresh)  # and of what was learned since
        maxima["logprob_gap_max"] = (gap * fresh).max()
    if objective.tis_cap is not None:
        if tokens.rollout_logprobs is None:
            raise ValueError(
                "objective.tis_cap needs the sampler's log-probs; set it to null, or use a backend with them"
            )
        raw = rollout_weights(tokens.old_logprobs, tokens.rollout_logprobs, mask, objective.tis_level)
        weights = bounded_weights(raw, objective.tis_cap, objective.tis_mode, objective.tis_floor)
        where = mask if objective.tis_level == "token" else mask.any(-1, keepdim=True)
        sums["tis_weight_mean"] = mean_where(weights, where)
        sums["tis_weight_square"] = mean_where(weights.square(), where)
        sums["tis_bounded_fraction"] = mean_where(weights != raw, where)
        per_token = per_token * weights
    if objective.kl_beta > 0:
        if tokens.reference_logprobs is None:
            raise ValueError("objective.kl_beta > 0 needs the reference policy's log-probs")
        kl = kl_estimate(tokens.logprobs, tokens.reference_logprobs, objective.kl_estimator)
        sums["kl"] = mean_where(kl, mask)
        per_token = per_token + objective.kl_beta * kl
    if objective.entropy_bonus != 0:
        per_token = per_token - objective.entropy_bonus * tokens.entropy

    loss = aggregate(
        per_token.expand(mask.shape),
        mask,
        objective.aggregation,
        num_sequences=num_sequences,
        num_tokens=num_tokens,
        constant_length=constant_length,
    )
    return LossPart(loss, sums, maxima)
