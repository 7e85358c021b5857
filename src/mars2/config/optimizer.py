"""AdamW, its learning rate and how a batch is split; every training of weights here uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mars2.config.values import Decay, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section, resumable

ScheduleKind = Literal["constant", "linear", "cosine"]
Dtype = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamWSettings(Section):
    """What reinforcement learning and supervised fine-tuning have in common."""

    learning_rate: PositiveFloat = 1e-6  # the peak
    lr_schedule: ScheduleKind = "constant"  # linear and cosine end at 0 with the last step
    warmup_steps: NonNegativeInt = 0  # optimizer steps in which the learning rate rises to its peak
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: PositiveFloat = 1.0
    # padding included, in one pass; bounds memory, not the result
    micro_batch_tokens: PositiveInt = resumable("train", "sft", default=16384)
    gradient_checkpointing: bool = resumable("train", "sft", default=False)
    dtype: Dtype = "auto"  # of matrix products; weights and AdamW stay float32
    # so many non-finite updates in a row end the run
    max_skipped_in_a_row: PositiveInt = resumable("train", "sft", default=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig(AdamWSettings):
    """The optimizer of a training run."""

    mini_batches: PositiveInt = 1  # optimizer steps per batch
    # compute a prompt that several samples have in common once; changes only the time
    share_prompts: bool = resumable("train", default=True)
