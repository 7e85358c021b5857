"""Every choice in the loss, in one validated value, so that a run's objective can be read, printed and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mars2.core.errors import ConfigError

Ratio = Literal["sequence", "token"]
Aggregation = Literal["sequence-mean", "token-mean", "constant"]
TisLevel = Literal["token", "sequence"]
TisMode = Literal["truncate", "mask"]
KlEstimator = Literal["k1", "k2", "k3"]


@dataclass(frozen=True, slots=True)
class Objective:
    """What one update minimises. The default is GSPO with truncated importance sampling and a k3 KL loss.

    GRPO: `ratio="token", clip_low=0.2, clip_high=0.2`. DAPO: that with `clip_high=0.28, aggregation="token-mean",
    kl_beta=0`. Dr. GRPO: GRPO with `aggregation="constant", constant_length=<max output tokens>`.
    The sequence ratio hardly moves (it is a geometric mean over tokens), hence its tiny clip range; with the large
    learning rates of tiny models and several mini-batches a wider one, such as 0.02, keeps most sequences unclipped.
    """

    ratio: Ratio = "sequence"  # sequence: GSPO, arXiv:2507.18071; token: GRPO, arXiv:2402.03300, and DAPO
    clip_low: float = 3e-4  # the ratio is clipped to [1 - clip_low, 1 + clip_high]
    clip_high: float = 4e-4
    dual_clip: float | None = None  # c > 1: at A < 0 the objective is at least c·A, arXiv:1912.09729 eq. 5
    aggregation: Aggregation = "sequence-mean"  # how token losses become one number
    constant_length: int | None = None  # tokens; the divisor of "constant", arXiv:2503.20783 (Dr. GRPO)
    tis_cap: float | None = 2.0  # C; None: no correction of the sampler/trainer mismatch
    tis_level: TisLevel = "token"  # sequence: one weight per sequence, the product over its tokens
    tis_mode: TisMode = "truncate"  # truncate: min(w, C); mask: 0 where w > C (MIS)
    kl_beta: float = 1e-3  # 0: no KL term, and no reference model in memory
    kl_estimator: KlEstimator = "k3"
    entropy_bonus: float = 0.0  # subtracts this times the mean token entropy (nats)

    def __post_init__(self) -> None:
        if not 0 <= self.clip_low <= 1:
            raise ConfigError(f"objective.clip_low must be in [0, 1], got {self.clip_low}; GSPO uses 3e-4, GRPO 0.2")
        if self.clip_high < 0:
            raise ConfigError(f"objective.clip_high must be >= 0, got {self.clip_high}; GSPO uses 4e-4, GRPO 0.2")
        if self.dual_clip is not None and self.dual_clip <= 1 + self.clip_high:
            raise ConfigError(
                f"objective.dual_clip must be > 1 + clip_high = {1 + self.clip_high}, got {self.dual_clip}; "
                "use 3, or null for none"
            )
        if (self.aggregation == "constant") != (self.constant_length is not None):
            raise ConfigError(
                f"objective.constant_length must be set exactly when aggregation is constant, got "
                f"{self.constant_length} with {self.aggregation}; use the maximum output length in tokens"
            )
        if self.constant_length is not None and self.constant_length < 1:
            raise ConfigError(f"objective.constant_length must be >= 1, got {self.constant_length}")
        if self.tis_cap is not None and self.tis_cap <= 0:
            raise ConfigError(f"objective.tis_cap must be > 0, got {self.tis_cap}; use 2, or null for no correction")
        if self.kl_beta < 0:
            raise ConfigError(f"objective.kl_beta must be >= 0, got {self.kl_beta}; use 0 for no KL term")
