"""What a loss is given and what it gives: the seam between the learner and a formula from a paper.

A loss is a function of the statistics of a micro-batch and of its own options:

    def clip(tokens: TokenStatistics, options: ClipObjectiveConfig) -> LossOutput

Importance weights of the sampler, the KL term, the entropy bonus and the aggregation are the same for every loss and
stand around it (`mars2.learners.policy_loss`). A new loss: `docs/extending.md`.

Shapes: B sequences, L output tokens (right-padded). `mask` [B, L] is True at output tokens. Log-probs are natural logs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Sums = dict[str, tuple[Tensor, int]]
"""Diagnostic → (sum, number of values summed): a mean that can be added up over micro-batches."""


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """What a loss may know of one micro-batch. Values at padding are finite and have no meaning."""

    logprobs: Tensor  # [B, L] log π_θ, with gradient
    old_logprobs: Tensor  # [B, L] log π_old of the training engine, before the update
    mask: Tensor  # [B, L] bool, True at output tokens
    advantages: Tensor  # [B]
    entropy: Tensor  # [B, L] nats
    rollout_logprobs: Tensor | None = None  # [B, L] log-probs of the sampling engine
    reference_logprobs: Tensor | None = None  # [B, L] log π_ref
    is_stale: Tensor | None = None  # [B] bool, True where an earlier version wrote the sample; None: nowhere


@dataclass(frozen=True, slots=True)
class LossOutput:
    """The policy term, to be minimised, and its diagnostics."""

    per_token: Tensor  # [B, L] with gradient, or [B, 1] if all tokens of a sequence have the same; anything at padding
    sums: Sums  # without gradient; `ratio_mean` and `clip_fraction` at least


Loss = Callable[[TokenStatistics], LossOutput]
"""A loss with its options filled in."""


def mean_where(values: Tensor, mask: Tensor) -> tuple[Tensor, int]:
    """(sum, count) of `values` where `mask` is True, without gradient; values elsewhere may be anything, NaN included.

    Shapes of both: [B, L], or [B, 1].
    """
    return torch.where(mask, values.detach().to(torch.float32), 0.0).sum(), int(mask.sum())
