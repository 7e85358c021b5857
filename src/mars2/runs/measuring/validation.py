"""The short evaluation within training: Pass@1 on problems held out of the training split, to keep the best weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mars2.runs.measuring.evaluation import Evaluation
from mars2.runs.measuring.figures import figures_of

METRIC = "validation_pass_at_1"


@dataclass(frozen=True, slots=True)
class Validation:
    """First attempts of every agent, with the same seeds every time. The trees are counted but not kept."""

    evaluation: Evaluation
    agents: Sequence[str]

    async def __call__(self) -> dict[str, dict[str, float]]:
        """Scope → `METRIC` → share of right first attempts: one scope per agent, and ``run`` for their mean.

        An agent that made no attempt (its backend failed) has none.
        """
        figures = figures_of("validation", await self.evaluation.run(), self.agents)
        found = {agent: scores.mean("pass_at_1") for agent, scores in figures.agents.items()}
        known = {agent: value for agent, value in found.items() if value is not None}
        mean = sum(known.values()) / len(known) if known else 0.0
        return {**{f"agent/{agent}": {METRIC: value} for agent, value in known.items()}, "run": {METRIC: mean}}
