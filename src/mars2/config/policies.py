"""Policies and agents: which weights answer, where they run, how they are sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mars2.config.values import (
    EnvironmentName,
    HttpUrl,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
)


class LoraConfig(Section):
    """Low-rank adapters (arXiv:2106.09685) are trained instead of all weights. Without dropout: log π must not vary."""

    rank: PositiveInt = 16
    alpha: PositiveFloat = 32.0  # the adapter's output is scaled by alpha / rank
    target_modules: Literal["all-linear"] | list[str] = "all-linear"  # every linear layer but the head, or names


class PriceConfig(Section):
    """What tokens cost, per million, in any one currency."""

    input_per_million: NonNegativeFloat
    output_per_million: NonNegativeFloat


class PolicySettings(Section):
    """What every kind of policy has."""

    concurrency: PositiveInt | None = None  # requests under way at once; None: as many as trees ask for
    price: PriceConfig | None = None


class TransformersPolicyConfig(PolicySettings):
    """Weights run in this process by `transformers`, on the CPU or one GPU."""

    backend: Literal["transformers"]
    model: str  # a folder, a Hugging Face id, or lab:NAME
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of generation
    max_batch: PositiveInt = 64
    lora: LoraConfig | None = None  # None: training changes all weights


class ScriptedPolicyConfig(PolicySettings):
    """Answers read from a YAML or JSON file (pattern → answers); for tests and documentation."""

    backend: Literal["scripted"]
    script: Path


class VllmPolicyConfig(PolicySettings):
    """Weights run by a vLLM engine that this run starts (extra `vllm`)."""

    backend: Literal["vllm"]
    model: str  # a folder, a Hugging Face id, or lab:NAME
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: PositiveInt | None = None  # prompt + output tokens; None: what the model allows
    max_num_seqs: PositiveInt = 64
    tensor_parallel_size: PositiveInt = 1
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    sleeps: bool = False  # gives its memory back while its policy learns: for one GPU that does both in turn
    engine: dict[str, Any] = {}  # further arguments of vllm.AsyncEngineArgs
    lora: LoraConfig | None = None  # None: training changes all weights


class VllmServerPolicyConfig(PolicySettings):
    """A model behind an external `vllm serve`."""

    backend: Literal["vllm-server"]
    model: str  # the name it is served under
    base_url: HttpUrl
    folder: str | None = None  # the model's folder, for training; None: `model` is that folder
    lora: LoraConfig | None = None  # None: training changes all weights
    api_key_env: EnvironmentName = "VLLM_API_KEY"
    concurrency: PositiveInt | None = 64  # requests under way at once
    timeout_s: PositiveFloat = 600.0
    max_retries: NonNegativeInt = 5


class OpenAIPolicyConfig(PolicySettings):
    """A model behind any OpenAI-compatible endpoint; the key comes from the environment only."""

    backend: Literal["openai"]
    model: str
    base_url: HttpUrl | None = None  # such as http://127.0.0.1:8000/v1; None: OpenAI's own
    api_key_env: EnvironmentName = "OPENAI_API_KEY"
    concurrency: PositiveInt | None = 16  # requests under way at once
    timeout_s: PositiveFloat = 600.0
    max_retries: NonNegativeInt = 5
    omit: list[Literal["temperature", "top_p", "seed"]] = []  # fields that this model refuses
    extra_body: dict[str, Any] = {}  # further fields of every request


PolicyConfig = Annotated[
    TransformersPolicyConfig | ScriptedPolicyConfig | VllmPolicyConfig | VllmServerPolicyConfig | OpenAIPolicyConfig,
    Field(discriminator="backend"),
]


class SamplingConfig(Section):
    """How completions are drawn."""

    temperature: NonNegativeFloat = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: NonNegativeInt = 0
    max_tokens: PositiveInt = 1024


class AgentConfig(Section):
    """One member of the team: a policy, a role prompt, sampling settings."""

    policy: str
    role: str = ""  # the name of a shipped role or a path to a text file; in the lab: solver or checker
    sampling: SamplingConfig | None = None  # None: the run's `sampling`
