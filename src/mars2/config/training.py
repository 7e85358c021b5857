"""Rewards, credit, optimizer and schedule of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mars2.config.objective import ClipObjectiveConfig, ObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.config.values import (
    Decay,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Section,
    resumable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig(Section):
    """What a node earns, before shaping."""

    kind: Literal["binary", "fraction"] = "binary"
    overlong_buffer: NonNegativeInt = 0  # tokens before max_tokens in which the penalty grows (DAPO); 0: no penalty
    overlong_factor: NonNegativeFloat = 1.0  # the largest penalty, taken off the advantage
    mask_truncated: bool = False  # answers that were cut off count for their tree and are not learned from (DAPO)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapingConfig(Section):
    """Tree-consistent shaping, arXiv:2604.14564."""

    gamma: NonNegativeFloat = 0.5
    sibling_weight: Fraction = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingBaselineConfig(Section):
    """What each agent's past is worth in `advantage: moving_baseline`, arXiv:2506.24119."""

    decay: Decay = 0.95  # α: b ← α·b + (1 − α)·R with each tree


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(Section):
    """MARS2 training."""

    # stop when the policy that is furthest ahead has made this many updates
    steps: PositiveInt = resumable("train")
    schedule: Literal["rounds", "async"] = "rounds"  # rounds: generate, then update; async: both at once
    trees_per_round: PositiveInt = 32
    batch_samples: PositiveInt = 128  # samples in a policy's buffer that make it update
    max_staleness: NonNegativeInt = 1  # samples older than this many versions are dropped; 0: on-policy, in rounds
    dynamic_filtering: bool = True  # drop trees whose rewards are all equal
    advantage: Literal["tree_group", "no_std", "leave_one_out", "per_agent", "moving_baseline"] = "tree_group"
    moving_baseline: MovingBaselineConfig = MovingBaselineConfig()
    reward: RewardConfig = RewardConfig()
    shaping: ShapingConfig = ShapingConfig()
    objective: ObjectiveConfig = ClipObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    # in a row; then the run is saved and stops
    max_rounds_without_samples: PositiveInt = resumable("train", default=10)
    evaluate_every: NonNegativeInt = 0  # rounds (in async: steps) between validations, and the best is kept; 0: none
    evaluate_problems: PositiveInt = 32  # taken off the end of the training split for validation
    evaluate_samples: PositiveInt = 2  # first attempts per agent and problem in a validation
    checkpoint_every: PositiveInt = resumable("train", default=5)  # rounds (in async: steps) between checkpoints
    keep_checkpoints: PositiveInt = resumable("train", default=2)  # the newest ones; the best is kept beside them
