"""Rewards, credit, optimizer and schedule of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mars2.config.objective import ClipObjectiveConfig, ObjectiveConfig
from mars2.config.values import (
    Decay,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    resumable,
)

Schedule = Literal["constant", "linear", "cosine"]
Dtype = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig(Section):
    """What a node earns, before shaping."""

    kind: Literal["binary", "fraction"] = "binary"
    overlong_buffer: NonNegativeInt = 0  # tokens before max_tokens in which the penalty grows (DAPO); 0: no penalty
    overlong_factor: NonNegativeFloat = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapingConfig(Section):
    """Tree-consistent shaping, arXiv:2604.14564."""

    gamma: NonNegativeFloat = 0.5
    sibling_weight: Fraction = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig(Section):
    """AdamW and how a batch is cut up."""

    learning_rate: PositiveFloat = 1e-6  # the peak
    lr_schedule: Schedule = "constant"  # linear and cosine end at 0 with the last step
    warmup_steps: NonNegativeInt = 0  # optimizer steps in which the learning rate rises to its peak
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: PositiveFloat = 1.0
    mini_batches: PositiveInt = 1  # optimizer steps per batch
    micro_batch_tokens: PositiveInt = 16384  # padding included, in one pass; bounds memory, not the result
    share_prompts: bool = True  # compute a prompt that several samples have in common once; changes only the time
    gradient_checkpointing: bool = False
    dtype: Dtype = "auto"  # of matrix products; weights and AdamW stay float32
    max_skipped_in_a_row: PositiveInt = 5  # so many non-finite updates in a row end the run


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
    advantage: Literal["tree_group", "no_std", "leave_one_out", "per_agent"] = "tree_group"
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
