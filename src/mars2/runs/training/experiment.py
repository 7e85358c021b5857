"""The main job: evaluate, train, evaluate again, and sum up. Resumable at every point."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mars2.core.problem import Problem
from mars2.core.statistics import paired_gain_ci
from mars2.core.tree import Tree
from mars2.runs.measuring.evaluate import PHASE, Evaluation, Evaluator
from mars2.runs.recorder import Recorder
from mars2.runs.training.train import Trainer


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything a run does, in order; what the store already holds is not done again."""

    evaluator: Evaluator
    trainer: Trainer | None
    recorder: Recorder
    evaluate_before: bool
    evaluate_after: bool
    recorded_evaluations: Mapping[str, Mapping[str, Any]]  # label → payload, from an earlier start of this run
    recorded_trees: Callable[[str], Iterable[Tree]]  # phase prefix → finished trees of an earlier start

    async def run(self) -> dict[str, Evaluation]:
        """Label (``before``, ``after``) → evaluation."""
        for problem in self._problems():
            self.recorder.store.save_problem(problem)
        found: dict[str, Evaluation] = {}
        try:
            if self.evaluate_before:
                found["before"] = await self._evaluate("before")
            if self.trainer is not None:
                self.recorder.event("training_started", steps=self.trainer.training.steps)
                await self.trainer.run()
            if self.evaluate_after:
                found["after"] = await self._evaluate("after")
        except asyncio.CancelledError:
            self.recorder.event("interrupted")
            raise
        return found

    def _problems(self) -> list[Problem]:
        return [*self.evaluator.problems, *(self.trainer.problems if self.trainer else ())]

    async def _evaluate(self, label: str) -> Evaluation:
        if label in self.recorded_evaluations:
            return Evaluation.from_payload(self.recorded_evaluations[label])
        self.recorder.event("evaluation_started", label=label, num_nodes=self.evaluator.num_nodes)
        return await self.evaluator.run(label, done=self.recorded_trees(f"{PHASE}/{label}/"))


def summarise(evaluations: Mapping[str, Evaluation], **facts: Any) -> dict[str, Any]:
    """The run in machine-readable form (``summary.json``): per agent and team, before and after, gains, and `facts`."""
    first = next(iter(evaluations.values()), None)
    if first is None:
        return dict(facts)
    summary: dict[str, Any] = {"agents": {}, "team": {}}
    for label, evaluation in evaluations.items():
        for name, scores in evaluation.agents.items():
            summary["agents"].setdefault(name, {})[label] = scores.summary()
        summary["team"][label] = evaluation.team.summary()
    if {"before", "after"} <= evaluations.keys():
        before, after = evaluations["before"], evaluations["after"]
        for name, entry in summary["agents"].items():
            gain = paired_gain_ci(before.agents[name].pass_at_1, after.agents[name].pass_at_1)
            entry["gain"], entry["gain_ci95"] = gain.mean, [gain.lo, gain.hi]
        gain = paired_gain_ci(before.team.pass_at_1_mcts, after.team.pass_at_1_mcts)
        summary["team"]["gain"], summary["team"]["gain_ci95"] = gain.mean, [gain.lo, gain.hi]
    return summary | {"n_problems": first.num_problems, "budget": first.budget} | facts


def peak_memory_mib() -> float:
    """Largest resident memory so far of this process plus that of its largest child, in MiB."""
    per_mib = 1024 if sys.platform != "darwin" else 1024 * 1024
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + children) / per_mib
