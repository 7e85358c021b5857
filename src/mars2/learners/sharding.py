"""FSDP2: one policy's weights spread over the processes of `torchrun`; the forward pass and the loss stay the same.

Every process must take part in every forward pass, backward pass and gathering, in the same order: they are collective.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers.modeling_layers import GradientCheckpointingLayer

from mars2.learners.batching import ModelInputs
from mars2.learners.causal_lm import token_logprobs


class TokenLogprobs(nn.Module):
    """`token_logprobs` as a module: the one root under which embedding and output head (often tied) are gathered."""

    def __init__(self, lm: Any) -> None:
        super().__init__()
        self.lm = lm

    def forward(self, batch: ModelInputs, **options: Any) -> tuple[Tensor, Tensor]:
        return token_logprobs(self.lm, batch, **options)


def shard(root: TokenLogprobs) -> None:
    """Spread the weights over all processes, in place. Each decoder layer is gathered only while it is needed.

    The gradients are then means over processes. torch.distributed must be initialised.
    """
    for layer in root.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            fully_shard(layer)
    fully_shard(root)


def whole(weight: Tensor) -> Tensor:
    """The whole of a weight on every process; collective where it is spread."""
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def storage_key(name: str, weight: Tensor) -> tuple[str, int]:
    """Equal for two names of one (tied) weight."""
    local = weight.to_local() if isinstance(weight, DTensor) else weight
    return ("", local.data_ptr()) if local.numel() else (name, 0)
