"""What goes to a backend and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from mars2.core.bounds import check_bounds

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; the backend applies the model's own chat template."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How completions are drawn."""

    temperature: Annotated[float, Ge(0)] = 1.0  # 0: always the likeliest token
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    top_k: Annotated[int, Ge(0)] = 0  # 0: off
    max_tokens: Annotated[int, Ge(1)] = 1024

    def __post_init__(self) -> None:
        check_bounds(self)

    def seeded(self, seed: int | None) -> Sampling:
        """For one completion."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_tokens, seed)


@dataclass(frozen=True, slots=True)
class Sampling(SamplingOptions):
    """How one completion is drawn. `seed` makes it reproducible whatever else is in the same batch."""

    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One model output, with the exact ids and log-probabilities of its sampling (never re-encoded from text)."""

    text: str
    finish_reason: FinishReason
    policy: str
    policy_version: int
    prompt_ids: tuple[int, ...] = ()  # [P]
    output_ids: tuple[int, ...] = ()  # [L]
    logprobs: tuple[float, ...] = ()  # [L] natural log, under the distribution sampled from; () if the backend has none
    prompt_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0  # in the currency of the price table; 0 where no price is known


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompter read in an answer."""

    program: str | None  # None: there is none
    reason: str  # which part of the answer was taken, and why
