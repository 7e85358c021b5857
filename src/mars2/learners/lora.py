"""Low-rank adapters (LoRA, arXiv:2106.09685) through peft (an extra): few trained weights, one model in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mars2.config.policies import LoraConfig
from mars2.core.optional import need


def add_adapters(lm: Any, options: LoraConfig, seed: int) -> None:
    """Put adapters into `lm`, in place, and freeze everything else. They start as the identity, drawn from `seed`.

    Raises:
        MissingPackage: peft is not installed.
    """
    need("peft", "peft", "lora")
    from peft import LoraConfig as Adapters  # pyright: ignore[reportMissingImports]
    from peft import inject_adapter_in_model  # pyright: ignore[reportMissingImports]

    targets = options.target_modules if isinstance(options.target_modules, str) else list(options.target_modules)
    config = Adapters(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]  # peft says int, and divides it
        lora_dropout=0.0,  # log π_θ must be the same at every evaluation
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, lm)


@contextmanager
def without_adapters(lm: Any) -> Iterator[None]:
    """The frozen model that the adapters were added to: the reference policy, at no extra memory."""
    layers = list(_adapted_layers(lm).values())
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def adapter_state(lm: Any) -> dict[str, Tensor]:
    """The adapters' own weights."""
    return {name: tensor for name, tensor in lm.state_dict().items() if ".lora_" in name}


def load_adapter_state(lm: Any, state: Mapping[str, Tensor]) -> None:
    """Overwrite the adapters' weights; `state` must be from the same model and options."""
    if state.keys() != adapter_state(lm).keys():
        raise ValueError("the saved adapters are of other layers; resume with the same lora options")
    lm.load_state_dict(state, strict=False)


@torch.no_grad()
def merged_state(lm: Any) -> dict[str, Tensor]:
    """Weights of the model with its adapters added in, under the names of the model without adapters."""
    layers = _adapted_layers(lm)
    state: dict[str, Tensor] = {}
    for name, tensor in lm.state_dict().items():
        if ".lora_" in name:
            continue
        layer, is_base, parameter = name.rpartition(".base_layer.")
        if not is_base:
            state[name] = tensor
        elif parameter == "weight":
            state[f"{layer}.{parameter}"] = tensor + layers[layer].get_delta_weight("default")
        else:
            state[f"{layer}.{parameter}"] = tensor
    return state


def _adapted_layers(lm: Any) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer  # pyright: ignore[reportMissingImports]

    return {name: module for name, module in lm.named_modules() if isinstance(module, LoraLayer)}
