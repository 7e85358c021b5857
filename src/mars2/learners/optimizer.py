"""The guarded optimizer step: clipped, skipped and counted where it is not finite. The same for every training here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mars2.config.optimizer import AdamWSettings
from mars2.core.errors import Mars2Error
from mars2.learners.schedule import learning_rate_at

_FILE = "optimizer.pt"


class TrainingDiverged(Mars2Error):
    """Several updates in a row had a loss or gradient that is not finite."""


@dataclass(frozen=True, slots=True)
class Update:
    """What became of one optimizer step."""

    loss: float  # before the step
    grad_norm: float  # before clipping
    learning_rate: float
    is_skipped: bool  # the loss or the gradient was not finite; the weights are as they were


class GuardedOptimizer:
    """AdamW (arXiv:1711.05101) for some parameters, with the counters that its checkpoints need.

    Args:
        parameters: matrices decay by `settings.weight_decay`, biases and norms do not.
        total_steps: where a falling schedule ends, in optimizer steps.

    Raises:
        ConfigError: a falling schedule without an end after its warm-up.
    """

    def __init__(
        self, parameters: Sequence[torch.nn.Parameter], settings: AdamWSettings, *, total_steps: int | None
    ) -> None:
        self._settings = settings
        self._total_steps = total_steps
        self._learning_rate_at(settings.warmup_steps)  # refuses a wrong schedule now
        self._parameters = parameters
        self._adamw = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
                {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=settings.betas,
            fused=True,
        )
        self.num_steps = 0  # updates made
        self.num_skipped = 0
        self._skipped_in_a_row = 0

    def update(self, accumulate: Callable[[], Tensor], *, schedule_step: int) -> Update:
        """One step, unless loss or gradient is not finite. No gradient is left over, whatever happens.

        Args:
            accumulate: runs forward and backward passes, which add up gradients; returns the loss, detached.
            schedule_step: place in the learning-rate schedule (0, 1, …).
        """
        try:
            loss = float(accumulate())
            grad_norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.max_grad_norm))
            learning_rate = self._learning_rate_at(schedule_step)
            is_skipped = not (math.isfinite(grad_norm) and math.isfinite(loss))
            if is_skipped:
                self.num_skipped += 1
                self._skipped_in_a_row += 1
            else:
                for group in self._adamw.param_groups:
                    group["lr"] = learning_rate
                self._adamw.step()
                self.num_steps += 1
                self._skipped_in_a_row = 0
            return Update(loss, grad_norm, learning_rate, is_skipped)
        finally:
            self._adamw.zero_grad(set_to_none=True)

    def check_converges(self, whose: str, remedy: str) -> None:
        """Call it after each batch.

        Raises:
            TrainingDiverged: `max_skipped_in_a_row` updates in a row were skipped.
        """
        in_a_row = self._skipped_in_a_row
        if in_a_row >= self._settings.max_skipped_in_a_row:
            raise TrainingDiverged(
                f"{whose}: {in_a_row} updates in a row had a loss or gradient that is not finite; {remedy}"
            )

    def save(self, folder: Path) -> dict[str, int]:
        """Write the moments to `folder`; the counters are returned, for the caller's own state."""
        torch.save(self._adamw.state_dict(), folder / _FILE)
        return {
            "optimizer_steps": self.num_steps,
            "skipped_steps": self.num_skipped,
            "skipped_in_a_row": self._skipped_in_a_row,
        }

    def restore(self, folder: Path, counters: Mapping[str, Any], device: torch.device) -> None:
        """Go on where `save` was called; `counters` are those it returned."""
        self._adamw.load_state_dict(torch.load(folder / _FILE, map_location=device, weights_only=True))
        self.num_steps = counters["optimizer_steps"]
        self.num_skipped = counters["skipped_steps"]
        self._skipped_in_a_row = counters["skipped_in_a_row"]

    def _learning_rate_at(self, step: int) -> float:
        return learning_rate_at(
            step,
            peak=self._settings.learning_rate,
            warmup_steps=self._settings.warmup_steps,
            kind=self._settings.lr_schedule,
            total_steps=self._total_steps,
        )
