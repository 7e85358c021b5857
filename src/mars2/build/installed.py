"""Which packages beyond the light core a configuration needs; a missing one is refused before anything is made."""

from __future__ import annotations

from mars2.config.run import RunConfig
from mars2.core.optional import need


def check_installed(config: RunConfig) -> None:
    """Look for what `config` needs, without importing it.

    Raises:
        MissingPackage: one line naming the key, the package and the extra that brings it.
    """
    for name, policy in config.policies.items():
        for package, extra in policy.packages:
            need(package, extra, f"policies.{name}.backend {policy.backend}")
        if policy.adapters is not None:
            need("peft", "peft", f"policies.{name}.lora")
    if config.guidance is not None:
        need_torch("guidance.reward_model")
    if config.training is not None:
        need_torch("training")
        need("tensorboard", "train", "training")
        for tracker in config.tracking:
            need(tracker, tracker, "tracking")


def need_torch(what: str) -> None:
    """What runs or trains a model in this process."""
    need("torch", "train", what)
    need("transformers", "train", what)
