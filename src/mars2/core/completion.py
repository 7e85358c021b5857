"""What goes to a backend and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; the backend applies the model's own chat template."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one completion is drawn. `seed` makes it reproducible whatever else is in the same batch."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0: off
    max_tokens: int = 512
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
