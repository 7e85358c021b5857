"""The short evaluation within training: Pass@1 on problems held out of the training split, to keep the best weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.rollout import Job, grow_trees

METRIC = "validation_pass_at_1"


@dataclass(frozen=True, slots=True)
class Validation:
    """Independent first attempts of every agent. Its trees are counted and forgotten; the same seeds every time."""

    problems: Sequence[Problem]
    first_attempts: Mapping[str, TreeGrower]  # agent → best-of-n with that agent only
    trees_in_flight: int
    lockstep: bool

    async def __call__(self) -> dict[str, dict[str, float]]:
        """Scope → `METRIC` → share of right first attempts: one scope per agent, and ``run`` for their mean."""
        jobs = {
            (agent, problem.id): Job(Tree(f"validate/{agent}/{problem.id}", problem.id), problem, grower)
            for problem in self.problems
            for agent, grower in self.first_attempts.items()
        }
        await grow_trees(list(jobs.values()), trees_in_flight=self.trees_in_flight, lockstep=self.lockstep)
        found = {
            agent: float(np.mean([_share_right(jobs[agent, problem.id].tree) for problem in self.problems]))
            for agent in self.first_attempts
        }
        return {
            **{f"agent/{agent}": {METRIC: value} for agent, value in found.items()},
            "run": {METRIC: float(np.mean(list(found.values())))},
        }


def _share_right(tree: Tree) -> float:
    return sum(node.is_correct for node in tree) / len(tree) if len(tree) else 0.0
