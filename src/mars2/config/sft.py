"""Every key of a supervised fine-tuning (`mars2 sft`): type, default, meaning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mars2.config.optimizer import AdamWSettings, ScheduleKind
from mars2.config.policies import LoraConfig
from mars2.config.values import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    resumable,
)
from mars2.core.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class SftConfig(AdamWSettings):
    """One model learns the assistant's side of conversations."""

    data: Path  # JSONL; a line is {"messages": [{"role": ..., "content": ...}, ...]}
    model: str  # a folder or a Hugging Face id
    out: Path  # the folder to make
    validation_data: Path | None = None  # JSONL; None: a part of `data` is held out
    validation_fraction: Fraction = 0.05  # of the conversations in `data`, drawn by `seed`; 0: none
    epochs: PositiveInt = 1
    steps: PositiveInt | None = None  # optimizer steps; replaces `epochs`
    batch_size: PositiveInt = 16  # conversations in one optimizer step
    max_length: PositiveInt = 4096  # tokens; longer conversations are left out and counted
    learning_rate: PositiveFloat = 2e-5
    lr_schedule: ScheduleKind = "cosine"
    lora: LoraConfig | None = None
    device: str = "auto"
    threads: NonNegativeInt = resumable("sft", default=0)  # torch threads; 0: as many as there are cores
    seed: NonNegativeInt = 0
    evaluate_every: PositiveInt = resumable("sft", default=50)  # optimizer steps between two validation losses
    checkpoint_every: PositiveInt = resumable("sft", default=100)  # optimizer steps between two checkpoints

    def _check(self) -> None:
        if self.validation_fraction >= 1:
            raise OptionError(
                "validation_fraction",
                f"must be < 1, got {self.validation_fraction}; nothing would be left to train on",
            )
