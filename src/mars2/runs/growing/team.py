"""The agents at work, and what they share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mars2.config.policies import PriceConfig
from mars2.core.completion import SamplingOptions
from mars2.core.protocols import Backend, Prompter, Sandbox
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.slots import Slots


@dataclass(frozen=True, slots=True)
class Agent:
    """One member of the team. Agents on the same policy share its backend."""

    name: str
    policy: str
    backend: Backend
    role: str
    sampling: SamplingOptions
    price: PriceConfig | None = None  # None: unknown, or free


@dataclass(slots=True)
class Team:
    """The agents at work and what they share. Close it when done."""

    agents: dict[str, Agent]
    backends: dict[str, Backend]
    prompter: Prompter
    sandbox: Sandbox
    slots: Slots  # of all backends, shared by whatever the team grows
    guide: Guide | None = None  # the reward model

    def sandbox_facts(self) -> dict[str, Any]:
        """What a run's log says of its judge: the isolation it gave, and how often it failed itself."""
        return asdict(self.sandbox.facts())

    async def close(self) -> None:
        for backend in self.backends.values():
            await backend.close()
        await self.sandbox.close()
