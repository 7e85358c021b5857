"""The main job: evaluate, train, evaluate again, and sum up. Resumable at every point."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mars2.core.problem import Problem
from mars2.runs.measuring.evaluation import Evaluation
from mars2.runs.measuring.figures import Figures, figures_of
from mars2.runs.recorder import Recorder
from mars2.runs.training.train import Trainer


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything a run does, in order; what the store already holds is not done again."""

    evaluations: Mapping[str, Evaluation]  # label (before, after) → what is measured then
    agents: Sequence[str]
    trainer: Trainer
    recorder: Recorder

    async def run(self) -> dict[str, Figures]:
        """Label (``before``, ``after``) → figures."""
        for problem in self._problems():
            self.recorder.store.save_problem(problem)
        found: dict[str, Figures] = {}
        try:
            await self._measure("before", found)
            self.recorder.note("training_started", steps=self.trainer.training.steps)
            await self.trainer.run()
            await self._measure("after", found)
        except asyncio.CancelledError:
            self.recorder.note("interrupted")
            raise
        return found

    def _problems(self) -> list[Problem]:
        measured = [problem for evaluation in self.evaluations.values() for problem in evaluation.problems]
        return [*measured, *self.trainer.problems]

    async def _measure(self, label: str, found: dict[str, Figures]) -> None:
        evaluation = self.evaluations.get(label)
        if evaluation is None:
            return
        self.recorder.note(
            "evaluation_started", label=label, num_nodes=evaluation.num_nodes, num_done=evaluation.num_done
        )
        found[label] = figures_of(label, await evaluation.run(), self.agents)
        self.recorder.note("evaluation", **found[label].payload())


def peak_memory_mib() -> float:
    """Largest resident memory so far of this process plus that of its largest child, in MiB."""
    per_mib = 1024 if sys.platform != "darwin" else 1024 * 1024
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + children) / per_mib
