"""An agent at work: a policy's backend, a role and sampling settings under one name."""

from __future__ import annotations

from dataclasses import dataclass

from mars2.core.completion import Sampling
from mars2.core.protocols import Backend


@dataclass(frozen=True, slots=True)
class Price:
    """What a policy's tokens cost, per million, in any one currency."""

    input_per_million: float
    output_per_million: float

    def cost(self, num_prompt: int, num_output: int) -> float:
        return (num_prompt * self.input_per_million + num_output * self.output_per_million) / 1e6


@dataclass(frozen=True, slots=True)
class Agent:
    """One member of the team. Agents on the same policy share its backend."""

    name: str
    policy: str
    backend: Backend
    role: str
    sampling: Sampling
    price: Price | None = None  # None: unknown, or free
