"""The tiny policies: ordinary `transformers` architectures, and what each one's warm-start corpus is like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mars2.lab.ops import Family

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Architecture = Literal["llama", "gpt_neox", "qwen3"]


@dataclass(frozen=True, slots=True)
class LabPolicy:
    """A tiny policy before training. Rates are shares of written programs or steps, in [0, 1]."""

    name: str
    architecture: Architecture
    hidden_size: int
    num_layers: int
    intermediate_size: int
    slip_rates: Mapping[Family, float]  # share of steps written with a slip, by family
    careless_rate: float  # share of programs with a step left out, two swapped, or broken syntax
    num_steps: int  # warm-start updates
    learning_rate: float


POLICIES: dict[str, LabPolicy] = {
    "alpha": LabPolicy(
        name="alpha",
        architecture="llama",
        hidden_size=128,
        num_layers=3,
        intermediate_size=384,
        slip_rates={"lists": 0.15, "strings": 0.35, "arithmetic": 0.15, "flow": 0.35},
        careless_rate=0.15,
        num_steps=500,
        learning_rate=2e-3,
    ),
    "beta": LabPolicy(
        name="beta",
        architecture="gpt_neox",
        hidden_size=128,
        num_layers=3,
        intermediate_size=512,
        slip_rates={"lists": 0.35, "strings": 0.15, "arithmetic": 0.35, "flow": 0.15},
        careless_rate=0.15,
        num_steps=500,
        learning_rate=2e-3,
    ),
    "gamma": LabPolicy(  # the smallest, good at nothing in particular: the third of a team of three
        name="gamma",
        architecture="qwen3",
        hidden_size=96,
        num_layers=4,
        intermediate_size=320,
        slip_rates={"lists": 0.25, "strings": 0.25, "arithmetic": 0.25, "flow": 0.25},
        careless_rate=0.2,
        num_steps=500,
        learning_rate=2e-3,
    ),
}


def build_model(policy: LabPolicy, vocabulary_size: int, eos_token_id: int) -> PreTrainedModel:
    """The policy's network with random weights, drawn from torch's global generator (seed it first)."""
    from transformers import (
        GPTNeoXConfig,
        GPTNeoXForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    shared = {
        "vocab_size": vocabulary_size,
        "hidden_size": policy.hidden_size,
        "num_hidden_layers": policy.num_layers,
        "num_attention_heads": policy.hidden_size // 32,
        "intermediate_size": policy.intermediate_size,
        "max_position_embeddings": 512,
        "bos_token_id": None,
        "initializer_range": 0.05,  # the usual 0.02 is for wide networks; narrow ones learn slower from it
        "eos_token_id": eos_token_id,
        "pad_token_id": eos_token_id,
    }
    match policy.architecture:
        case "llama":
            return LlamaForCausalLM(LlamaConfig(**shared, tie_word_embeddings=True))
        case "gpt_neox":
            rotary = {**shared, "rotary_pct": 1.0}  # every dimension of a head turns with the position
            return GPTNeoXForCausalLM(GPTNeoXConfig(**rotary, tie_word_embeddings=False))
        case "qwen3":
            heads = policy.hidden_size // 32
            return Qwen3ForCausalLM(
                Qwen3Config(**shared, head_dim=32, num_key_value_heads=heads, tie_word_embeddings=True)
            )
