"""Policies and agents: which weights answer, where they run, how they are sampled.

A kind of policy is one class here, which says what it can do; whoever needs to know asks it. On the command line a
policy is written

FOLDER or ORG/MODEL          weights run by transformers
vllm:FOLDER                  weights run by a vLLM engine
vllm-server:MODEL@URL        a model behind an external `vllm serve`
openai:MODEL[@URL]           a model behind any OpenAI-compatible endpoint
scripted:FILE                answers read from a file
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from mars2.config.values import (
    EnvironmentName,
    HttpUrl,
    NonNegativeFloat,
    NonNegativeInt,
    OneOf,
    PositiveFloat,
    PositiveFraction,
    PositiveInt,
    Section,
    kinds_of,
    resumable,
)
from mars2.core.completion import SamplingOptions
from mars2.core.errors import ConfigError, OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraConfig(Section):
    """Low-rank adapters (arXiv:2106.09685) are trained instead of all weights. Without dropout: log π must not vary."""

    rank: PositiveInt = 16
    alpha: PositiveFloat = 32.0  # the adapter's output is scaled by alpha / rank
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"  # every linear layer but the head, or names


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceConfig(Section):
    """What tokens cost, per million, in any one currency."""

    input_per_million: NonNegativeFloat
    output_per_million: NonNegativeFloat

    def cost(self, num_prompt: int, num_output: int) -> float:
        """Of so many tokens."""
        return (num_prompt * self.input_per_million + num_output * self.output_per_million) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings(Section):
    """What every kind of policy has, and what a kind says about itself."""

    has_weights: ClassVar[bool] = False  # a run loads the weights that `model` names: a folder, a Hub id or lab:NAME
    trainable: ClassVar[bool] = False  # its backend is a `TrainableBackend`: it takes new weights
    in_process: ClassVar[bool] = False  # computes in this process, with torch
    packages: ClassVar[
        tuple[tuple[str, str], ...]
    ] = ()  # beyond the light core: what is imported, extra that brings it
    only_temperature: ClassVar[float | None] = None  # at which alone it gives log-probabilities; None: at any

    # requests under way at once; None: as many as trees ask for
    concurrency: PositiveInt | None = resumable("train", default=None)
    price: PriceConfig | None = None

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The policy that `PREFIX:text` stands for on the command line.

        Raises:
            OptionError: something is missing; names the field.
        """
        raise NotImplementedError

    @property
    def named_after(self) -> str:
        """What gives an agent on this policy its name: a path or a model's name."""
        raise NotImplementedError

    @property
    def adapters(self) -> LoraConfig | None:
        """What training changes; None: all weights."""
        return None

    @property
    def needs_rounds(self) -> bool:
        """It cannot generate while it learns."""
        return False

    @property
    def learner_device(self) -> str:
        """Where it learns; where an engine runs is the engine's own affair."""
        return "auto"

    def learner_model(self, model: str) -> str:
        """The weights that learning starts from. `model`: where the run found this policy's weights, "" if nowhere."""
        return model


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsPolicy(PolicySettings):
    """Weights that a run loads itself."""

    has_weights: ClassVar[bool] = True
    trainable: ClassVar[bool] = True

    model: str  # a folder, a Hugging Face id, or lab:NAME
    lora: LoraConfig | None = None  # None: training changes all weights

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(model=text)

    @property
    def named_after(self) -> str:
        return self.model

    @property
    def adapters(self) -> LoraConfig | None:
        return self.lora


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersPolicyConfig(WeightsPolicy):
    """Weights run in this process by `transformers`, on the CPU or one GPU."""

    in_process: ClassVar[bool] = True
    packages: ClassVar[tuple[tuple[str, str], ...]] = (("torch", "train"), ("transformers", "train"))

    backend: Literal["transformers"] = "transformers"
    device: str = "auto"  # auto: the first GPU if there is one, else the CPU
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on a GPU, else the model's own
    max_batch: PositiveInt = resumable("train", default=64)  # sequences generated together

    @property
    def learner_device(self) -> str:
        return self.device


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedPolicyConfig(PolicySettings):
    """Answers read from a YAML or JSON file (pattern → answers); for tests and documentation."""

    backend: Literal["scripted"] = "scripted"
    script: Path

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(script=Path(text))

    @property
    def named_after(self) -> str:
        return str(self.script)


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmPolicyConfig(WeightsPolicy):
    """Weights run by a vLLM engine that this run starts (extra `vllm`)."""

    packages: ClassVar[tuple[tuple[str, str], ...]] = (("vllm", "vllm"),)

    backend: Literal["vllm"] = "vllm"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: PositiveInt | None = None  # prompt + output tokens; None: what the model allows
    max_num_seqs: PositiveInt = resumable("train", default=64)  # sequences generated together
    tensor_parallel_size: PositiveInt = 1
    gpu_memory_utilization: PositiveFraction = resumable("train", default=0.9)
    sleeps: bool = False  # gives its memory back while its policy learns: for one GPU that does both in turn
    engine: dict[str, Any] = field(default_factory=dict[str, Any])  # further arguments of vllm.AsyncEngineArgs

    @property
    def needs_rounds(self) -> bool:
        return self.sleeps


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(PolicySettings):
    """What models behind an HTTP endpoint have in common."""

    model: str  # the name it is served under
    base_url: HttpUrl | None
    api_key_env: EnvironmentName  # may be unset for a server that wants none
    # of one request, from its start to the end of its answer
    timeout_s: PositiveFloat = resumable("train", default=600.0)
    # of one request, on connection errors, time-outs, 408, 409, 429 and 5xx
    max_retries: NonNegativeInt = resumable("train", default=5)

    @property
    def named_after(self) -> str:
        return self.model

    @property
    def refused_fields(self) -> frozenset[str]:
        """Fields of a request that the model does not take."""
        return frozenset()

    @property
    def further_fields(self) -> Mapping[str, Any]:
        """Fields that every request has besides."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmServerPolicyConfig(HttpSettings):
    """A model behind an external `vllm serve`."""

    trainable: ClassVar[bool] = True
    only_temperature: ClassVar[float | None] = 1.0

    backend: Literal["vllm-server"] = "vllm-server"
    base_url: HttpUrl
    folder: str | None = None  # the model's folder, for training; None: `model` is that folder
    lora: LoraConfig | None = None  # None: training changes all weights
    api_key_env: EnvironmentName = "VLLM_API_KEY"
    concurrency: PositiveInt | None = resumable("train", default=64)  # requests under way at once

    @classmethod
    def from_text(cls, text: str) -> Self:
        model, url = _model_and_url(text)
        if url is None:
            raise OptionError("base_url", "has no address; write vllm-server:MODEL@http://HOST:PORT/v1")
        return cls(model=model, base_url=url)

    @property
    def adapters(self) -> LoraConfig | None:
        return self.lora

    def learner_model(self, model: str) -> str:
        return self.folder or self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIPolicyConfig(HttpSettings):
    """A model behind any OpenAI-compatible endpoint; the key comes from the environment only."""

    backend: Literal["openai"] = "openai"
    base_url: HttpUrl | None = None  # such as http://127.0.0.1:8000/v1; None: OpenAI's own
    api_key_env: EnvironmentName = "OPENAI_API_KEY"
    concurrency: PositiveInt | None = resumable("train", default=16)  # requests under way at once
    omit: tuple[Literal["temperature", "top_p", "seed"], ...] = ()  # fields that this model refuses
    extra_body: dict[str, Any] = field(default_factory=dict[str, Any])  # further fields of every request

    @classmethod
    def from_text(cls, text: str) -> Self:
        model, url = _model_and_url(text)
        return cls(model=model, base_url=url)

    @property
    def refused_fields(self) -> frozenset[str]:
        return frozenset(self.omit)

    @property
    def further_fields(self) -> Mapping[str, Any]:
        return self.extra_body


PolicyConfig = Annotated[
    TransformersPolicyConfig | ScriptedPolicyConfig | VllmPolicyConfig | VllmServerPolicyConfig | OpenAIPolicyConfig,
    OneOf("backend"),
]
POLICY_KINDS: dict[str, type[PolicySettings]] = kinds_of(PolicyConfig, "backend")
"""Every kind of policy under its name, which is its prefix on the command line too."""


def trainable_kinds() -> str:
    """For messages: the kinds of policies that can be trained."""
    *names, last = [name for name, kind in POLICY_KINDS.items() if kind.trainable]
    return f"{', '.join(names)} or {last}"


def parse_model(text: str) -> PolicySettings:
    """The policy that `text` stands for on the command line; without a prefix, weights run by transformers.

    Raises:
        ConfigError: a server without an address, or an address without a model.
    """
    backend, colon, rest = text.partition(":")
    if not colon or backend not in POLICY_KINDS:
        backend, rest = "transformers", text
    if not rest or rest.startswith("@"):
        raise ConfigError(f"--agents: {text!r} names no model; write {backend}:MODEL{rest}")
    try:
        return POLICY_KINDS[backend].from_text(rest)
    except OptionError as error:
        raise ConfigError(f"--agents: {text!r}: {error}") from None


def _model_and_url(text: str) -> tuple[str, str | None]:
    """``MODEL[@URL]`` in its parts."""
    model, at, url = text.rpartition("@")
    return (model, url) if at and "://" in url else (text, None)


def model_name(policy: PolicySettings) -> str:
    """A short name for an agent on this policy: the last part of its model's path."""
    path = policy.named_after.rstrip("/")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.rsplit("/", 1)[-1]).strip("-") or "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig(Section):
    """One member of the team: a policy, a role prompt, sampling settings."""

    policy: str
    role: str = ""  # the name of a shipped role or a path to a text file; in the lab: solver or checker
    sampling: SamplingOptions | None = None  # None: the run's `sampling`
