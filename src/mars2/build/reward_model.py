"""The reward model that `mars2 train-reward` trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mars2.build.installed import need_torch
from mars2.build.models import LAB_MODEL, check_model, quiet_torch, torch_device
from mars2.config.reward_model import RewardModelConfig

if TYPE_CHECKING:
    from mars2.reward_model.model import TransformersRewardModel


def build_reward_model(config: RewardModelConfig) -> TransformersRewardModel:
    """A new head on the configured backbone; a lab policy is warm-started if it is not cached yet.

    Raises:
        ConfigError: there is no such backbone.
        MissingPackage: torch is not installed.
    """
    need_torch("train-reward")
    backbone = config.model
    if backbone.startswith(LAB_MODEL):
        from mars2.lab.warm_start import ensure_policies

        name = backbone.removeprefix(LAB_MODEL)
        backbone = str(ensure_policies([name], seed=0)[name])
    else:
        check_model("model", backbone)

    from mars2.reward_model.model import TransformersRewardModel

    quiet_torch(config.threads)
    return TransformersRewardModel(
        backbone,
        max_tokens=config.max_tokens,
        device=torch_device(config.device),
        seed=config.seed,
        trainable=config.trainable,
    )
