"""An agent at work: a policy's backend, a role and sampling settings under one name."""

from __future__ import annotations

from dataclasses import dataclass

from mars2.config.policies import PriceConfig
from mars2.core.completion import SamplingOptions
from mars2.core.protocols import Backend


@dataclass(frozen=True, slots=True)
class Agent:
    """One member of the team. Agents on the same policy share its backend."""

    name: str
    policy: str
    backend: Backend
    role: str
    sampling: SamplingOptions
    price: PriceConfig | None = None  # None: unknown, or free
