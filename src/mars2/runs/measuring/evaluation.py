"""The one way to measure: problems × strategies × seeds, grown together, measured at every budget, resumable.

`mars2 evaluate`, the evaluations before and after training, and the validations within it are all an `Evaluation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mars2.config.growing import SelectionConfig
from mars2.core.events import Finished, Opened
from mars2.core.problem import Problem
from mars2.core.protocols import Sandbox
from mars2.core.tree import Tree
from mars2.runs.choose import choose
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.rollout import NextWave, work_in_slots
from mars2.runs.measuring.outcomes import Choose, Outcome, curve_budgets, measure
from mars2.runs.measuring.results import TEAM, Results, Series
from mars2.runs.recorder import Recorder

PHASE = "evaluate"
BUDGET_SPENT = "budget spent"


@dataclass(frozen=True, slots=True)
class ChooseAnswer:
    """`runs.choose.choose` as an evaluation asks for it: the same rule on every prefix of a tree."""

    sandbox: Sandbox
    selection: SelectionConfig
    seed: int
    guide: Guide | None = None

    async def __call__(self, tree: Tree, problem: Problem) -> int | None:
        answer = await choose(tree, problem, self.sandbox, selection=self.selection, seed=self.seed, guide=self.guide)
        return answer.node_id


@dataclass(frozen=True, slots=True)
class Entrant:
    """One strategy with the agents that play it: one tree per problem and seed."""

    strategy: str  # its name in tables, such as treequest:ABMCTSA
    who: str  # TEAM, or the name of the agent that is alone
    grower: TreeGrower
    choose: Choose
    is_reported: bool = True
    gives_first_attempts: bool = False  # Pass@1 of the agents comes from these trees
    ending: str = ""  # tells its trees from those of the same strategy and agents that end otherwise


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
class Memory:
    """What is kept of an evaluation, and what an earlier start of it left: none of that is done again."""

    recorder: Recorder
    measured: Mapping[str, Measured]  # tree id → of an earlier start
    recorded: Callable[[str], Tree | None]  # tree id → what was kept of it


@dataclass(frozen=True, slots=True)
class _Task:
    entrant: Entrant
    problem: Problem
    seed: int
    phase: str

    @property
    def tree_id(self) -> str:
        return f"{self.phase}/{self.seed}/{self.problem.id}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that is measured together."""

    problems: Sequence[Problem]
    entrants: Sequence[Entrant]
    trees_in_flight: int
    lockstep: bool
    seeds: int = 1
    label: str = ""  # tells evaluations of one run apart, such as before and after
    memory: Memory | None = None  # None: trees are counted and forgotten

    @property
    def num_nodes(self) -> int:
        """Generations of the whole evaluation."""
        return sum(entrant.grower.max_nodes for entrant in self.entrants) * len(self.problems) * self.seeds

    @property
    def num_done(self) -> int:
        """Generations that need not be made (again)."""
        return sum(task.entrant.grower.max_nodes for task in self._tasks() if self._earlier(task))

    async def run(self) -> Results:
        """Grow and measure what is missing."""
        found: dict[str, tuple[Outcome, ...]] = {}
        missing: list[_Task] = []
        for task in self._tasks():
            earlier = self._earlier(task)
            outcomes = earlier.at(curve_budgets(task.entrant.grower.max_nodes)) if earlier else None
            if outcomes is None:
                missing.append(task)
            else:
                found[task.tree_id] = outcomes

        async def work(task: _Task, next_wave: NextWave | None) -> None:
            found[task.tree_id] = await self._tree(task, next_wave)

        await work_in_slots(missing, work, num_slots=self.trees_in_flight, lockstep=self.lockstep)
        series = [self._series(entrant, found) for entrant in self.entrants]
        return Results(
            reported=[one for one, entrant in zip(series, self.entrants, strict=True) if entrant.is_reported],
            first_attempts=next(
                one for one, entrant in zip(series, self.entrants, strict=True) if entrant.gives_first_attempts
            ),
        )

    def _tasks(self) -> Iterator[_Task]:
        """Problem by problem, so that all strategies are measured under the same load."""
        for seed in range(self.seeds):
            for problem in self.problems:
                for entrant in self.entrants:
                    yield _Task(entrant, problem, seed, self._phase(entrant))

    def _phase(self, entrant: Entrant) -> str:
        who = TEAM if entrant.who == TEAM else f"alone/{entrant.who}"
        return "/".join(filter(None, (PHASE, self.label, entrant.strategy, who, entrant.ending)))

    def _earlier(self, task: _Task) -> Measured | None:
        """What an earlier start measured of a tree that need not grow on."""
        found = self.memory.measured.get(task.tree_id) if self.memory else None
        return found if found and found.is_enough_for(task.entrant.grower.max_nodes) else None

    async def _tree(self, task: _Task, next_wave: NextWave | None) -> tuple[Outcome, ...]:
        wanted = curve_budgets(task.entrant.grower.max_nodes)
        if self.memory is None:
            tree = Tree(task.tree_id, task.problem.id)
            await task.entrant.grower.grow(tree, task.problem, next_wave=next_wave)
            return tuple(await measure(tree, task.problem, wanted, task.entrant.choose))
        tree, stop_reason, max_nodes = await self._grown(task, next_wave, self.memory)
        budgets = sorted({*wanted, *curve_budgets(max_nodes)})
        measured = Measured(
            stop_reason, max_nodes, tuple(await measure(tree, task.problem, budgets, task.entrant.choose))
        )
        self.memory.recorder.note(
            "measured",
            tree_id=task.tree_id,
            stop_reason=stop_reason,
            max_nodes=max_nodes,
            num_nodes=len(tree),
            outcomes=[outcome.payload() for outcome in measured.outcomes],
        )
        outcomes = measured.at(wanted)
        assert outcomes is not None
        return outcomes

    async def _grown(self, task: _Task, next_wave: NextWave | None, memory: Memory) -> tuple[Tree, str, int]:
        """A tree grown to its budget or beyond, why it stopped, and the budget it was grown to."""
        grower, recorder = task.entrant.grower, memory.recorder
        tree = memory.recorded(task.tree_id) or Tree(task.tree_id, task.problem.id)
        earlier = self._earlier(task)
        if earlier is not None:  # but not measured at these budgets
            return tree, earlier.stop_reason, earlier.max_nodes
        recorder.hear(Opened(tree, task.phase, task.seed))
        growth = await grower.grow(tree, task.problem, next_wave=next_wave, hear=recorder.hear)
        recorder.hear(Finished(tree, task.phase, task.seed))
        if growth.error is not None:
            recorder.note("alarm", text=f"{task.tree_id}: {growth.stop_reason}: {growth.error}")
        return tree, growth.stop_reason, grower.max_nodes

    def _series(self, entrant: Entrant, found: Mapping[str, tuple[Outcome, ...]]) -> Series:
        phase = self._phase(entrant)
        outcomes = {
            problem.id: {seed: found[_Task(entrant, problem, seed, phase).tree_id] for seed in range(self.seeds)}
            for problem in self.problems
        }
        return Series(entrant.strategy, entrant.who, outcomes)
