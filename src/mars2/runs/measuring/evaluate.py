"""Evaluation: Pass@1 of each agent, and trees grown by each agent alone and by the team, on the same problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mars2.core.problem import Problem
from mars2.core.statistics import mean_ci
from mars2.core.tree import Tree
from mars2.runs.growing.grow_tree import Growth, TreeGrower
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.recorder import Recorder
from mars2.search.selection import choose_answer

PHASE = "evaluate"


@dataclass(frozen=True, slots=True)
class Scores:
    """Per-problem results, each list in the order of the problems; values in [0, 1]."""

    pass_at_1: list[float] = field(default_factory=list[float])  # share of right first attempts
    pass_at_1_mcts: list[float] = field(default_factory=list[float])  # is the chosen program right?
    pass_at_n: list[float] = field(default_factory=list[float])  # is any program right?

    def summary(self) -> dict[str, Any]:
        """Means with 95% bootstrap intervals over problems; only what was measured."""
        found: dict[str, Any] = {}
        for name in ("pass_at_1", "pass_at_1_mcts", "pass_at_n"):
            values = getattr(self, name)
            if values:
                estimate = mean_ci(values)
                found[name] = estimate.mean
                found["ci95" if name == "pass_at_1" else f"{name}_ci95"] = [estimate.lo, estimate.hi]
        return found


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation measured."""

    label: str
    agents: Mapping[str, Scores]
    team: Scores
    num_problems: int
    budget: int  # nodes per tree
    num_failed_calls: int

    def payload(self) -> dict[str, Any]:
        """As recorded in the run's event log; `from_payload` reads it back."""
        return {
            "label": self.label,
            "agents": {name: scores.summary() for name, scores in self.agents.items()},
            "team": self.team.summary(),
            "n_problems": self.num_problems,
            "budget": self.budget,
            "failed_calls": self.num_failed_calls,
            "per_problem": {"agents": {n: asdict(s) for n, s in self.agents.items()}, "team": asdict(self.team)},
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Evaluation:
        found = payload["per_problem"]
        return cls(
            label=payload["label"],
            agents={name: Scores(**scores) for name, scores in found["agents"].items()},
            team=Scores(**found["team"]),
            num_problems=payload["n_problems"],
            budget=payload["budget"],
            num_failed_calls=payload["failed_calls"],
        )


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Grows every tree of an evaluation in one go, so that batches stay full to the end."""

    problems: Sequence[Problem]
    team: TreeGrower
    alone: Mapping[str, TreeGrower]  # agent → a grower with that agent only; {} to leave those trees out
    first_attempts: Mapping[str, TreeGrower]  # agent → best-of-n with that agent only
    trees_in_flight: int
    lockstep: bool
    recorder: Recorder

    async def run(
        self, label: str, *, done: Iterable[Tree] = (), on_tree: Callable[[Job, Growth], None] | None = None
    ) -> Evaluation:
        """Evaluate and record. `done`: trees of an interrupted evaluation with this label, not grown again."""
        finished = {tree.tree_id: tree for tree in done}
        phases = self._phases()
        groups: dict[str, list[Tree]] = {}
        jobs: list[Job] = []
        for problem in self.problems:  # one problem after another, so that all agents are busy all the time
            for phase, grower in phases.items():
                tree_id = f"{PHASE}/{label}/{phase}/{problem.id}"
                tree = finished.get(tree_id)
                if tree is None:
                    tree = Tree(tree_id, problem.id)
                    jobs.append(Job(tree, problem, grower))
                groups.setdefault(phase, []).append(tree)

        def record(job: Job, growth: Growth) -> None:
            phase = job.tree.tree_id.removesuffix(f"/{job.problem.id}")
            self.recorder.tree(job.tree, phase=phase, step=0)
            if on_tree is not None:
                on_tree(job, growth)

        growths = await grow_trees(
            jobs,
            trees_in_flight=self.trees_in_flight,
            lockstep=self.lockstep,
            log=self.recorder,
            on_tree=record,
        )
        agents = {
            name: Scores(
                [_share_correct(t) for t in groups[f"first/{name}"]],
                *(_tree_scores(groups[f"alone/{name}"]) if name in self.alone else ()),
            )
            for name in self.first_attempts
        }
        evaluation = Evaluation(
            label=label,
            agents=agents,
            team=Scores([], *_tree_scores(groups["team"])),
            num_problems=len(self.problems),
            budget=self.team.max_nodes,
            num_failed_calls=sum(g.num_failed_calls for g in growths),
        )
        self.recorder.event("evaluation", **evaluation.payload())
        return evaluation

    @property
    def num_nodes(self) -> int:
        """Generations that a whole evaluation takes."""
        return sum(grower.max_nodes for grower in self._phases().values()) * len(self.problems)

    def _phases(self) -> dict[str, TreeGrower]:
        return {
            **{f"first/{name}": grower for name, grower in self.first_attempts.items()},
            **{f"alone/{name}": grower for name, grower in self.alone.items()},
            "team": self.team,
        }


def _share_correct(tree: Tree) -> float:
    return sum(node.is_correct for node in tree) / len(tree) if len(tree) else 0.0


def _tree_scores(trees: Sequence[Tree]) -> tuple[list[float], list[float]]:
    """Pass@1(MCTS) and Pass@N of each tree."""
    chosen: list[float] = []
    for tree in trees:
        answer = choose_answer(tree)
        chosen.append(float(answer is not None and tree.nodes[answer].is_correct))
    return chosen, [float(any(node.is_correct for node in tree)) for tree in trees]
