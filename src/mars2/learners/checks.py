"""Refuses samples that must not reach an update, with the reason. A wrong batch is a bug, so it is never skipped."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mars2.core.sample import TrainingSample


def check_batch(samples: Sequence[TrainingSample], policy: str) -> None:
    """Raise ValueError unless there are samples and all are of `policy`."""
    if not samples:
        raise ValueError("step needs at least one sample, got none")
    for sample in samples:
        if sample.policy != policy:
            raise ValueError(f"sample {sample.key} is of policy {sample.policy}, this learner's is {policy}")


def check_trainable(samples: Sequence[TrainingSample], *, needs_logprobs: bool, max_length: int | None) -> None:
    """Raise ValueError unless a model that takes `max_length` input tokens (None: any number) can learn from each."""
    for sample in samples:
        if not sample.prompt_ids or not sample.output_ids:
            raise ValueError(f"sample {sample.key} needs prompt and output tokens; drop empty outputs before training")
        num_outputs, num_logprobs = len(sample.output_ids), len(sample.rollout_logprobs)
        if needs_logprobs and not num_logprobs:
            raise ValueError(f"sample {sample.key} has no sampling log-probs; set objective.tis_cap to null")
        if num_logprobs not in (0, num_outputs):
            raise ValueError(f"sample {sample.key} has {num_logprobs} log-probs for {num_outputs} output tokens")
        if not math.isfinite(sample.advantage):
            raise ValueError(f"sample {sample.key} has advantage {sample.advantage}; it must be finite")
        num_tokens = len(sample.prompt_ids) + num_outputs
        if max_length is not None and num_tokens - 1 > max_length:
            raise ValueError(f"sample {sample.key} has {num_tokens} tokens, the model takes {max_length}")
