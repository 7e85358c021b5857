"""Rewards, credit, objective, optimizer and schedule of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Le

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
from mars2.core.errors import OptionError

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
class ObjectiveConfig(Section):
    """What one update minimises. The default is GSPO with truncated importance sampling and a k3 KL loss.

    GRPO: `ratio="token", clip_low=0.2, clip_high=0.2`. DAPO: that with `clip_high=0.28, aggregation="token-mean",
    kl_beta=0`. Dr. GRPO: GRPO with `aggregation="constant"`.
    The sequence ratio hardly moves (it is a geometric mean over tokens), hence its tiny clip range; with the large
    learning rates of tiny models and several mini-batches a wider one, such as 0.02, keeps most sequences unclipped.
    """

    ratio: Literal["sequence", "token"] = "sequence"  # sequence: GSPO, arXiv:2507.18071; token: GRPO and DAPO
    clip_low: Annotated[PositiveFloat, Le(1)] = 3e-4  # the ratio is clipped to [1 - clip_low, 1 + clip_high]
    clip_high: PositiveFloat = 4e-4
    dual_clip: PositiveFloat | None = None  # c: at A < 0 the objective is at least c·A, arXiv:1912.09729 eq. 5
    aggregation: Literal["sequence-mean", "token-mean", "constant"] = "sequence-mean"  # constant: arXiv:2503.20783
    tis_cap: PositiveFloat | None = 2.0  # C; None: no correction of the mismatch between sampler and trainer
    tis_level: Literal["token", "sequence"] = "token"  # sequence: one weight per sequence, the product over its tokens
    tis_mode: Literal["truncate", "mask"] = "truncate"  # truncate: min(w, C); mask: 0 where w > C (MIS)
    kl_beta: NonNegativeFloat = 1e-3  # 0: no KL term, and no reference model in memory
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    entropy_bonus: NonNegativeFloat = 0.0  # subtracts this times the mean token entropy (nats)

    def _check(self) -> None:
        if self.dual_clip is not None and self.dual_clip <= 1 + self.clip_high:
            raise OptionError(
                "dual_clip",
                f"must be > 1 + clip_high = {1 + self.clip_high}, got {self.dual_clip}; use 3, or null for none",
            )


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
    objective: ObjectiveConfig = ObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    # in a row; then the run is saved and stops
    max_rounds_without_samples: PositiveInt = resumable("train", default=10)
    evaluate_every: NonNegativeInt = 0  # rounds (in async: steps) between validations, and the best is kept; 0: none
    evaluate_problems: PositiveInt = 32  # taken off the end of the training split for validation
    evaluate_samples: PositiveInt = 2  # first attempts per agent and problem in a validation
    checkpoint_every: PositiveInt = resumable("train", default=5)  # rounds (in async: steps) between checkpoints
    keep_checkpoints: PositiveInt = resumable("train", default=2)  # the newest ones; the best is kept beside them
