"""`mars2 evaluate`: problems × strategies × seeds, grown in one go, measured at every budget, resumable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mars2.core.problem import Problem
from mars2.core.protocols import Sandbox
from mars2.core.tree import Tree
from mars2.runs.choose import Selection, choose
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.lockstep import Lockstep
from mars2.runs.measuring.outcomes import Choose, Outcome, curve_budgets, measure
from mars2.runs.measuring.results import TEAM, Series
from mars2.runs.recorder import Recorder

PHASE = "evaluate"
BUDGET_SPENT = "budget spent"


@dataclass(frozen=True, slots=True)
class ChooseAnswer:
    """`runs.choose.choose` as an evaluation asks for it: the same rule on every prefix of a tree."""

    sandbox: Sandbox
    selection: Selection
    guide: Guide | None = None

    async def __call__(self, tree: Tree, problem: Problem) -> int | None:
        answer = await choose(tree, problem, self.sandbox, selection=self.selection, guide=self.guide)
        return answer.node_id


@dataclass(frozen=True, slots=True)
class Entrant:
    """One strategy with the agents that play it: one tree per problem and seed."""

    strategy: str  # its name in tables, such as treequest:ABMCTSA
    who: str  # TEAM, or the name of the agent that is alone
    grower: TreeGrower
    choose: Choose
    is_reported: bool = True  # False: grown only for its first attempts

    @property
    def phase(self) -> str:
        return f"{PHASE}/{self.strategy}/{TEAM if self.who == TEAM else f'alone/{self.who}'}"


@dataclass(frozen=True, slots=True)
class Measured:
    """A finished tree, as the event log keeps it."""

    stop_reason: str
    max_nodes: int  # what it was grown to
    outcomes: tuple[Outcome, ...]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Measured:
        outcomes = tuple(Outcome.from_payload(o) for o in payload["outcomes"])
        return cls(payload["stop_reason"], payload["max_nodes"], outcomes)

    def at(self, budgets: Sequence[int]) -> tuple[Outcome, ...] | None:
        """The outcomes at `budgets`; None if some are not there."""
        found = {outcome.budget: outcome for outcome in self.outcomes}
        return tuple(found[b] for b in budgets) if all(b in found for b in budgets) else None

    def is_enough_for(self, max_nodes: int) -> bool:
        """A search that stopped for another reason than its budget would not go on with a larger one."""
        return self.max_nodes >= max_nodes or self.stop_reason != BUDGET_SPENT


@dataclass(frozen=True, slots=True)
class _Task:
    entrant: Entrant
    problem: Problem
    seed: int

    @property
    def tree_id(self) -> str:
        return f"{self.entrant.phase}/{self.seed}/{self.problem.id}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything an evaluation compares. What the store holds of it already is not done again."""

    problems: Sequence[Problem]
    entrants: Sequence[Entrant]
    seeds: int
    trees_in_flight: int
    lockstep: bool
    recorder: Recorder
    measured: Mapping[str, Measured]  # tree id → of an earlier start
    recorded: Callable[[str], tuple[Tree, bool] | None]  # tree id → what was kept of it, and whether it is finished
    reopen: Callable[[str], None]  # let a finished tree grow on

    @property
    def num_nodes(self) -> int:
        """Generations of the whole comparison."""
        return sum(entrant.grower.max_nodes for entrant in self.entrants) * len(self.problems) * self.seeds

    @property
    def num_done(self) -> int:
        """Generations that need not be made (again)."""
        return sum(
            task.entrant.grower.max_nodes
            for task in self._tasks()
            if task.tree_id in self.measured
            and self.measured[task.tree_id].is_enough_for(task.entrant.grower.max_nodes)
        )

    async def run(self) -> list[Series]:
        """Grow and measure what is missing; the series of all entrants, in their order."""
        found: dict[str, tuple[Outcome, ...]] = {}
        missing: list[_Task] = []
        for task in self._tasks():
            earlier = self.measured.get(task.tree_id)
            if earlier is not None and earlier.is_enough_for(task.entrant.grower.max_nodes):
                outcomes = earlier.at(curve_budgets(task.entrant.grower.max_nodes))
                if outcomes is not None:
                    found[task.tree_id] = outcomes
                    continue
            missing.append(task)
        num_slots = min(self.trees_in_flight, len(missing))
        gate = Lockstep(num_slots) if self.lockstep else None
        shared = iter(missing)

        async def work(slot: int, own: Iterator[_Task]) -> None:
            next_wave = partial(gate.arrive, slot) if gate else None
            for task in own:
                found[task.tree_id] = await self._tree(task, next_wave)
            if gate:
                gate.leave()

        async with asyncio.TaskGroup() as group:
            for slot in range(num_slots):
                group.create_task(work(slot, iter(missing[slot::num_slots]) if gate else shared))
        return [self._series(entrant, found) for entrant in self.entrants]

    def _tasks(self) -> Iterator[_Task]:
        """Problem by problem, so that all strategies are measured under the same load."""
        for seed in range(self.seeds):
            for problem in self.problems:
                for entrant in self.entrants:
                    yield _Task(entrant, problem, seed)

    async def _tree(self, task: _Task, next_wave: Any) -> tuple[Outcome, ...]:
        grower = task.entrant.grower
        earlier = self.measured.get(task.tree_id)
        tree, is_finished = self.recorded(task.tree_id) or (Tree(task.tree_id, task.problem.id), False)
        if earlier is not None and earlier.is_enough_for(grower.max_nodes):  # grown, but not measured at these budgets
            stop_reason, max_nodes = earlier.stop_reason, earlier.max_nodes
        else:
            if is_finished:
                self.reopen(task.tree_id)
            for node in tree:  # of an earlier start: for the progress bar
                for listener in self.recorder.listeners:
                    listener.node(tree, node)
            self.recorder.open_tree(tree, phase=task.entrant.phase, step=task.seed)
            growth = await grower.grow(tree, task.problem, next_wave=next_wave, log=self.recorder)
            self.recorder.tree(tree, phase=task.entrant.phase, step=task.seed)
            stop_reason, max_nodes = growth.stop_reason, grower.max_nodes
            if growth.error is not None:
                self.recorder.event("alarm", text=f"{task.tree_id}: {stop_reason}: {growth.error}")
        budgets = sorted({*curve_budgets(grower.max_nodes), *curve_budgets(max_nodes)})
        outcomes = await measure(tree, task.problem, budgets, task.entrant.choose)
        measured = Measured(stop_reason, max_nodes, tuple(outcomes))
        self.recorder.event(
            "measured",
            tree_id=task.tree_id,
            stop_reason=stop_reason,
            max_nodes=max_nodes,
            num_nodes=len(tree),
            outcomes=[outcome.payload() for outcome in outcomes],
        )
        wanted = measured.at(curve_budgets(grower.max_nodes))
        assert wanted is not None
        return wanted

    def _series(self, entrant: Entrant, found: Mapping[str, tuple[Outcome, ...]]) -> Series:
        outcomes = {
            problem.id: {seed: found[_Task(entrant, problem, seed).tree_id] for seed in range(self.seeds)}
            for problem in self.problems
        }
        return Series(entrant.strategy, entrant.who, outcomes)
