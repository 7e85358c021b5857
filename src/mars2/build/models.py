"""Where the weights of policies are, and on which device and threads they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mars2.build.installed import check_installed
from mars2.build.model_folder import check_folder
from mars2.config.policies import LoraConfig, PolicyConfig
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError

LAB_MODEL = "lab:"
"""Prefix of a model that the lab makes: ``lab:alpha``."""


def resolve_models(
    config: RunConfig,
    *,
    trained: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, str]:
    """Where the weights are of each policy that has some. Lab policies are warm-started if they are not cached yet.

    Args:
        trained: a checkpoint folder whose weights replace the configured ones.
        progress: called with the name of a lab policy and the fraction done.

    Raises:
        ConfigError: a folder that is not there.
        MissingPackage: the configuration needs a package that is not installed.
    """
    check_installed(config)
    wanted = {name: policy.named_after for name, policy in config.policies.items() if policy.has_weights}
    if trained is not None:
        check_not_served(config, trained)
        return {name: str(trained / name / "model") for name in wanted}
    lab = {name: model.removeprefix(LAB_MODEL) for name, model in wanted.items() if model.startswith(LAB_MODEL)}
    for name, model in wanted.items():
        if name not in lab:
            check_model(f"policies.{name}.model", model)
    folders: dict[str, Path] = {}
    if lab:
        from mars2.lab.policies import POLICIES
        from mars2.lab.warm_start import ensure_policies

        for name, model in lab.items():
            if model not in POLICIES:
                raise ConfigError(
                    f"policies.{name}.model: no lab policy named {model!r}; use lab:{' or lab:'.join(POLICIES)}"
                )
        folders = ensure_policies(sorted(set(lab.values())), seed=config.seed, progress=progress)
    return {name: str(folders[lab[name]]) if name in lab else model for name, model in wanted.items()}


def check_not_served(config: RunConfig, trained: Path) -> None:
    """A server's weights are its own: trained ones are served by whoever started it."""
    for name, policy in config.policies.items():
        if policy.trainable and not policy.has_weights:
            raise ConfigError(
                f"policies.{name}: trained weights cannot be put into a server that others may use; run "
                f"`vllm serve {trained / name / 'model'}` and name it with --config, or use backend: vllm"
            )


def check_model(field: str, model: str) -> None:
    """Refuse a folder that is not there or is no whole model, before anything heavy is loaded; see `check_folder`.

    Raises:
        ConfigError: names `field`.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        check_folder(field, folder)
        return
    is_hub_id = model.count("/") == 1 and not model.startswith((".", "~", "/")) and not model.endswith("/")
    if not is_hub_id:
        raise ConfigError(
            f"{field}: no such model folder: {model}; give a folder with config.json and weights, "
            "or a Hugging Face id such as Qwen/Qwen2.5-Coder-0.5B-Instruct"
        )


def prepare_torch(config: RunConfig) -> None:
    """Threads that torch may use within one operation (0 leaves its own choice); no bars for loading weights."""
    if not any(policy.in_process for policy in config.policies.values()):
        return
    quiet_torch(config.threads)


def quiet_torch(threads: int) -> None:
    """See `prepare_torch`."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)


def learner_place(policy: PolicyConfig, model: str) -> tuple[str, str, LoraConfig | None]:
    """Device, starting weights and adapters of a policy's learner. `model`: where the run found the weights."""
    return policy.learner_device, policy.learner_model(model), policy.adapters


def torch_device(device: str) -> str:
    """`auto` is the first GPU if there is one, else the CPU."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
