"""Configuration of ``mars2 train-reward``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MinLen

from mars2.config.values import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section
from mars2.core.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig(Section):
    """Shares of the problems; the rest is for training. A problem's programs are never in two parts."""

    valid: Fraction = 0.1  # decides when to stop
    calibration: Fraction = 0.1  # makes estimates into probabilities
    test: Fraction = 0.2  # only for the report

    def _check(self) -> None:
        total = self.valid + self.calibration + self.test
        if not total < 1:
            raise OptionError("valid", f"+ calibration + test must be < 1, got {total:g}; lower one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig(Section):
    """How a reward model is fitted to programs that were judged."""

    seed: NonNegativeInt = 0
    epochs: PositiveInt = 5  # at most
    patience: PositiveInt = 2  # epochs without a lower validation loss before training stops
    learning_rate: PositiveFloat = 1e-5
    weight_decay: NonNegativeFloat = 0.01
    batch_size: PositiveInt = 32  # programs in an optimizer step
    micro_batch_tokens: PositiveInt = 8192  # tokens computed at once, padding included


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModelConfig(FitConfig):
    """A reward model trained on the trees of finished runs."""

    runs: Annotated[tuple[Path, ...], MinLen(1)]  # folders of runs whose hidden tests were judged
    phase: str | None = None  # only these trees, such as train or evaluate; None: all
    model: str  # the backbone: a folder, a Hugging Face id, or lab:NAME
    out: Path  # the folder to make; used as guidance.reward_model
    threads: NonNegativeInt = 0  # torch threads; 0: as many as there are cores
    device: str = "auto"
    trainable: Literal["all", "head"] = "all"  # head: the backbone stays as it is
    max_tokens: PositiveInt = 2048  # problem and program together
    split: SplitConfig = SplitConfig()
