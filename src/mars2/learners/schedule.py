"""The learning rate as a function of the optimizer step, so that it needs no state of its own in checkpoints."""

from __future__ import annotations

import math
from typing import assert_never

from mars2.config.optimizer import ScheduleKind
from mars2.core.errors import ConfigError


def learning_rate_at(
    step: int, *, peak: float, warmup_steps: int = 0, kind: ScheduleKind = "constant", total_steps: int | None = None
) -> float:
    """Learning rate of optimizer step `step` (0, 1, …): a linear rise over `warmup_steps`, then the schedule.

    The first step of a warm-up already moves: step s < warmup_steps has peak · (s + 1) / (warmup_steps + 1).
    linear and cosine fall from `peak` to 0 at `total_steps`, and stay there.

    Raises:
        ConfigError: linear or cosine without `total_steps`, or `total_steps` within the warm-up.
    """
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    if kind == "constant":
        return peak
    if total_steps is None or total_steps <= warmup_steps:
        raise ConfigError(
            f"learner.total_steps must be > warmup_steps = {warmup_steps} for a {kind} schedule, got {total_steps}"
        )
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    match kind:
        case "linear":
            return peak * (1 - progress)
        case "cosine":
            return peak * 0.5 * (1 + math.cos(math.pi * progress))
        case _:
            assert_never(kind)
