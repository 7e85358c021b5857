"""The loss of an update: one section for each kind of loss, and what all losses share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mars2.config.values import Fraction, NonNegativeFloat, OneOf, PositiveFloat, Section
from mars2.core.errors import OptionError

Ratio = Literal["sequence", "token"]
Aggregation = Literal["sequence-mean", "token-mean", "constant"]
TisLevel = Literal["token", "sequence", "geometric"]
TisMode = Literal["truncate", "mask"]
KlEstimator = Literal["k2", "k3"]  # not k1: as a loss its expected gradient is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSettings(Section):
    """What every loss has around it."""

    aggregation: Aggregation = "sequence-mean"  # how token losses become one number; constant: Dr. GRPO
    tis_cap: PositiveFloat | None = 2.0  # C; None: no correction of the sampler/trainer mismatch
    # one weight per token, or per sequence: the product over its tokens, or their geometric mean
    tis_level: TisLevel = "token"
    tis_mode: TisMode = "truncate"  # truncate: min(w, C); mask: 0 where w > C (MIS)
    tis_floor: NonNegativeFloat = 0.0  # mask only: also 0 where w is below it; 0.5 with tis_cap 5: IcePop
    kl_beta: NonNegativeFloat = 1e-3  # 0: no KL term, and no reference model in memory
    kl_estimator: KlEstimator = "k3"
    entropy_bonus: NonNegativeFloat = 0.0  # subtracts this times the mean token entropy (nats)

    def _check(self) -> None:
        if self.tis_floor and self.tis_mode != "mask":
            raise OptionError("tis_floor", f"needs tis_mode: mask, got {self.tis_floor} with truncate; use 0")
        if self.tis_cap is not None and self.tis_floor > self.tis_cap:
            raise OptionError("tis_floor", f"must be <= tis_cap = {self.tis_cap}, got {self.tis_floor}; use 0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipObjectiveConfig(ObjectiveSettings):
    """The clipped ratio of PPO. The default is GSPO (arXiv:2507.18071).

    GRPO: `ratio: token, clip_low: 0.2, clip_high: 0.2`. DAPO: that with `clip_high: 0.28, aggregation: token-mean,
    kl_beta: 0`. Dr. GRPO: GRPO with `aggregation: constant`.
    The sequence ratio hardly moves (it is a geometric mean over tokens), hence its tiny clip range; with the large
    learning rates of tiny models and several mini-batches a wider one, such as 0.02, keeps most sequences unclipped.
    """

    loss: Literal["clip"] = "clip"
    ratio: Ratio = "sequence"  # sequence: GSPO, arXiv:2507.18071; token: GRPO, arXiv:2402.03300, and DAPO
    clip_low: Fraction = 3e-4  # the ratio is clipped to [1 - clip_low, 1 + clip_high]
    clip_high: NonNegativeFloat = 4e-4
    dual_clip: PositiveFloat | None = None  # c: at A < 0 the objective is at least c·A

    def _check(self) -> None:
        ObjectiveSettings._check(self)
        if self.dual_clip is not None and self.dual_clip <= 1 + self.clip_high:
            raise OptionError(
                "dual_clip",
                f"must be > 1 + clip_high = {1 + self.clip_high}, got {self.dual_clip}; use 3, or null for none",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CispoObjectiveConfig(ObjectiveSettings):
    """CISPO, arXiv:2506.13585: clips the importance weight and keeps the gradient of every token.

    The paper: `aggregation: token-mean, kl_beta: 0`, no lower clip, an upper one that is tuned.
    """

    loss: Literal["cispo"] = "cispo"
    clip_low: Fraction = 1.0  # the weight is clipped to [1 - clip_low, 1 + clip_high]; 1: no lower clip
    clip_high: NonNegativeFloat = 4.0  # weights up to 5, as in arXiv:2510.13786


ObjectiveConfig = Annotated[ClipObjectiveConfig | CispoObjectiveConfig, OneOf("loss", default="clip")]
