"""From one value for each token to one number for the batch."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor

from mars2.config.objective import Aggregation


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
        constant_length: the longest output allowed, in tokens; for `constant` only.

    Raises:
        ValueError: `constant` without `constant_length`.
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
