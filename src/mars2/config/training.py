"""Rewards, credit, optimizer and schedule of a training run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from mars2.config.objective import ClipObjectiveConfig, ObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.config.values import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt, Section


class RewardConfig(Section):
    """What a node earns, before shaping."""

    kind: Literal["binary", "fraction"] = "binary"
    overlong_buffer: NonNegativeInt = 0  # tokens before max_tokens in which the penalty grows (DAPO); 0: no penalty
    overlong_factor: NonNegativeFloat = 1.0


class ShapingConfig(Section):
    """Tree-consistent shaping, arXiv:2604.14564."""

    gamma: NonNegativeFloat = 0.5
    sibling_weight: Fraction = 0.5


class TrainingConfig(Section):
    """MARS2 training."""

    steps: PositiveInt  # stop when the policy that is furthest ahead has made this many updates
    schedule: Literal["rounds", "async"] = "rounds"  # rounds: generate, then update; async: both at once
    trees_per_round: PositiveInt = 32
    batch_samples: PositiveInt = 128  # samples in a policy's buffer that make it update
    max_staleness: NonNegativeInt = 1  # samples older than this many versions are dropped; 0: on-policy, in rounds
    dynamic_filtering: bool = True  # drop trees whose rewards are all equal
    advantage: Literal["tree_group", "no_std", "leave_one_out", "per_agent"] = "tree_group"
    reward: RewardConfig = RewardConfig()
    shaping: ShapingConfig = ShapingConfig()
    objective: ObjectiveConfig = ClipObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    max_rounds_without_samples: PositiveInt = 10  # in a row; then the run is saved and stops
    evaluate_every: NonNegativeInt = 0  # rounds (in async: steps) between validations, and the best is kept; 0: none
    evaluate_problems: PositiveInt = 32  # taken off the end of the training split for validation
    evaluate_samples: PositiveInt = 2  # first attempts per agent and problem in a validation
    checkpoint_every: PositiveInt = 5  # rounds (in async: steps) between checkpoints
    keep_checkpoints: PositiveInt = 2  # the newest ones; the best is kept beside them

    @field_validator("objective", mode="before")
    @classmethod
    def _default_loss(cls, given: Any) -> Any:
        return {"loss": "clip"} | given if isinstance(given, dict) else given
