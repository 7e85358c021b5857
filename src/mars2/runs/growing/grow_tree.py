"""Grows one tree: choose, prompt, generate, parse, judge, tell. Training and test time share this loop.

An expansion is chosen, brings its result whenever that comes, and is told to the search when its turn has come:

- lockstep: `expansions_in_flight` are chosen together, all of them finish, and they are told in order of choice;
- order "expansion": told in order of choice; expansion i is chosen as soon as exactly the results up to
  i − expansions_in_flight are told. The tree is then a function of the answers: no timing can change it;
- order "arrival": told as they come, so that a slow generation holds up nothing; timing decides the tree.

Chosen, finished and told are recorded as they happen; `grow` goes on with a tree that an interrupted run left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from mars2.config.growing import BudgetConfig, StoppingConfig
from mars2.core.completion import Prompt
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem
from mars2.core.protocols import Search, Stop
from mars2.core.seeds import stream
from mars2.core.tree import Expansion, Failure, Node, Tree
from mars2.runs.growing.attempt import Attempt, Attempter
from mars2.runs.growing.budget import Ledger
from mars2.runs.growing.stopping import Stopping
from mars2.search.strategy import Strategy, rebuild

MAX_CANCELLED_IN_A_ROW = 3
"""Expansions of one agent in one tree that may be cancelled one after another before it is given up there."""

Order = Literal["expansion", "arrival"]


class GrowthLog(Protocol):
    """Hears what happens to a tree, the moment it happens; `runs.recorder.Recorder` writes it down."""

    def expansions(self, tree: Tree, chosen: Sequence[Expansion]) -> None: ...

    def held(self, tree: Tree, expansion: Expansion, failure: Failure | None) -> None: ...

    def node(self, tree: Tree, node: Node, failure: Failure | None = None) -> None: ...

    def cancelled(self, tree: Tree, failure: Failure) -> None: ...


class NoLog:
    """Hears nothing."""

    def expansions(self, tree: Tree, chosen: Sequence[Expansion]) -> None:
        pass

    def held(self, tree: Tree, expansion: Expansion, failure: Failure | None) -> None:
        pass

    def node(self, tree: Tree, node: Node, failure: Failure | None = None) -> None:
        pass

    def cancelled(self, tree: Tree, failure: Failure) -> None:
        pass


NO_LOG: GrowthLog = NoLog()


@dataclass(frozen=True, slots=True)
class Growth:
    """How a tree's search ended."""

    tree: Tree
    stop_reason: str
    error: str | None = None  # the last backend error, if the search ended with one

    @property
    def num_failed_calls(self) -> int:
        return sum(failure.num_calls for failure in self.tree.failures)

    @property
    def lost_agents(self) -> dict[str, str]:
        """Agents that kept failing and were given up → their last error."""
        return {failure.agent: failure.error for failure in self.tree.failures if failure.is_last}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeGrower(Attempter):
    """Everything that growing a tree needs but the problem."""

    new_search: Callable[[], Search]
    max_nodes: int
    expansions_in_flight: int = 1  # chosen and not yet told
    order: Order = "expansion"  # without lockstep
    budget: BudgetConfig = BudgetConfig()
    stop_rules: StoppingConfig = StoppingConfig()

    async def grow(
        self,
        tree: Tree,
        problem: Problem,
        *,
        next_wave: Callable[[], Awaitable[None]] | None = None,
        log: GrowthLog = NO_LOG,
    ) -> Growth:
        """Grow `tree` to `max_nodes` nodes, or go on with a partly grown one.

        Args:
            next_wave: awaited before each wave (lockstep). None: no waves; `order` says when results are told.
        """
        growing = _Growing(self, tree, problem, log)
        return await growing.run(next_wave)


class _Growing:
    """One tree while it grows."""

    def __init__(self, grower: TreeGrower, tree: Tree, problem: Problem, log: GrowthLog) -> None:
        self.grower = grower
        self.tree = tree
        self.problem = problem
        self.log = log
        self.search = grower.new_search()
        self.stopping = Stopping(grower.stop_rules)
        self.ledger = Ledger(grower.budget, grower.agents)
        self.running: set[asyncio.Task[Attempt]] = set()
        self.given_up: dict[int, Failure] = {}  # expansion id → its failure, waiting for its turn
        self.unlogged: dict[int, Failure | None] = {}  # expansion id of a held node → its failed calls
        self.in_waves = False
        self.is_over = False
        self.reason = ""
        self.error: str | None = None

    async def run(self, next_wave: Callable[[], Awaitable[None]] | None) -> Growth:
        self._load()
        try:
            await (self._run_free() if next_wave is None else self._run_lockstep(next_wave))
        finally:
            for task in self.running:
                task.cancel()
            await asyncio.gather(*self.running, return_exceptions=True)
            for expansion in list(self.tree.pending.values()):
                self.tree.cancel(expansion)
        return Growth(self.tree, self.reason, self.error)

    async def _run_lockstep(self, next_wave: Callable[[], Awaitable[None]]) -> None:
        self.in_waves = True
        while True:
            await next_wave()
            if not self.tree.pending:  # else a wave was interrupted: it comes to its end first
                self._fill()
            if self.is_over or not self.tree.pending:
                return
            while self.running and not self.is_over:
                await self._collect()
            for expansion in list(self.tree.pending.values()):
                self._settle(expansion)

    async def _run_free(self) -> None:
        while True:
            self._fill()
            if self.is_over or not self.tree.pending:
                return
            while (expansion := self._due()) is None and not self.is_over:
                await self._collect()
            if expansion is not None:
                self._settle(expansion)

    def _load(self) -> None:
        """Bring search, rules and ledger to where an interrupted run left the tree, and start what was under way."""
        tree = self.tree
        rebuild(self.search, tree)
        self.ledger.load(tree)
        for node in tree:
            self.stopping.tell(node)
        for failure in tree.failures:
            if failure.is_last:
                self._remove(failure)
        clock = asyncio.get_running_loop().time
        so_far_s = max((n.elapsed_s for n in (*tree, *tree.held.values())), default=0.0)
        self.started_s = clock() - so_far_s
        if self.is_over or self._stop():
            return
        for expansion in tree.pending.values():
            prompt = self.grower.prompt(tree, self.problem, expansion.parent_id, expansion.agent)
            self.ledger.reserve(expansion.id, expansion.agent, prompt)
            if expansion.id not in tree.held:
                self._start(expansion, prompt)

    @property
    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self.started_s

    @property
    def left_s(self) -> float | None:
        seconds = self.grower.budget.seconds
        return None if seconds is None else seconds - self.elapsed_s

    def _stop(self) -> bool:
        """Apply the rules that end a search at once."""
        reason = self.stopping.reason
        if reason is None and self.left_s is not None and self.left_s <= 0:
            reason = "time budget spent"
        if reason is not None:
            self.is_over, self.reason = True, reason
        return self.is_over

    # ── choosing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _fill(self) -> None:
        """Choose expansions up to the limits; `reason` says what kept it from choosing more."""
        if self.is_over or self._stop():
            return
        chosen: list[tuple[Expansion, Prompt]] = []
        while len(self.tree.pending) < self.grower.expansions_in_flight:
            started = self._choose()
            if started is None:
                break
            chosen.append(started)
        if chosen:
            self.log.expansions(self.tree, [expansion for expansion, _ in chosen])  # a wave at once, or not at all
        for expansion, prompt in chosen:
            self._start(expansion, prompt)

    def _choose(self) -> tuple[Expansion, Prompt] | None:
        """Choose one expansion and reserve what it can cost."""
        tree, grower = self.tree, self.grower
        if len(tree) + len(tree.pending) >= grower.max_nodes:
            self.reason = "budget spent"
            return None
        # A stream of its own for every choice: a resumed tree draws what an uninterrupted one would have drawn.
        choice = self.search.choose(tree, stream(grower.seed, "search", tree.tree_id, tree.next_expansion_id))
        if isinstance(choice, Stop):
            self.reason = choice.reason
            return None
        prompt = grower.prompt(tree, self.problem, choice.parent_id, choice.agent)
        refusal = self.ledger.refusal(choice.agent, prompt) if self.ledger.is_limited else None
        if refusal is not None:  # what is under way may cost less than was reserved
            self.reason = refusal
            return None
        expansion = tree.expand(choice.parent_id, choice.agent)
        self.ledger.reserve(expansion.id, choice.agent, prompt)
        return expansion, prompt

    def _start(self, expansion: Expansion, prompt: Prompt) -> None:
        attempt = self.grower.attempt(self.tree, self.problem, expansion, prompt)
        self.running.add(asyncio.create_task(attempt))

    # ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _collect(self) -> None:
        """Wait for results, or for the end of the time budget, and keep them until their turn."""
        timeout = None if self.left_s is None else max(self.left_s, 0.0)
        done, self.running = await asyncio.wait(self.running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        errors = [error for task in done if (error := task.exception()) is not None]  # each is looked at, one raised
        if errors:
            raise errors[0]
        for attempt in sorted((task.result() for task in done), key=lambda a: a.expansion.id):
            expansion, failure = attempt.expansion, attempt.failure
            if attempt.result is None:
                assert failure is not None
                self.given_up[expansion.id] = failure
                continue
            self.tree.hold(expansion, replace(attempt.result, elapsed_s=self.elapsed_s))
            if failure is not None:
                self.tree.failures.append(failure)
            self.unlogged[expansion.id] = failure
        if not done and self._stop():
            for expansion in list(self.tree.pending.values()):  # what came in time counts
                if expansion.id in self.tree.held:
                    self._settle(expansion)
            return
        for expansion_id in [i for i in self.unlogged if not self._is_next(i)]:
            expansion = self.tree.pending[expansion_id]
            self.log.held(self.tree, expansion, self.unlogged.pop(expansion_id))

    def _is_next(self, expansion_id: int) -> bool:
        """Whether a finished expansion is told before anything else is awaited, hence recorded as a node at once."""
        if self.in_waves:
            return not self.running
        return self.grower.order == "arrival" or expansion_id == next(iter(self.tree.pending))

    def _due(self) -> Expansion | None:
        """The expansion to be told next, if its result is there."""
        pending = self.tree.pending
        if self.grower.order == "arrival":
            finished = min((*self.tree.held, *self.given_up), default=None)
            return None if finished is None else pending[finished]
        head = next(iter(pending), None)  # pending is in order of choice
        return pending[head] if head in self.tree.held or head in self.given_up else None

    def _settle(self, expansion: Expansion) -> None:
        """Tell the search what an expansion brought."""
        if expansion.id in self.given_up:
            self._cancel(expansion, self.given_up.pop(expansion.id))
            return
        node = self.tree.admit(expansion)
        if node is None:
            return
        self.ledger.settle(expansion.id, node.completion)
        self.search.tell(self.tree, node)
        self.stopping.tell(node)
        self.log.node(self.tree, node, self.unlogged.pop(expansion.id, None))

    def _cancel(self, expansion: Expansion, failure: Failure) -> None:
        tree = self.tree
        tree.cancel(expansion)
        self.ledger.settle(expansion.id, None)
        is_there = not any(f.is_last for f in tree.failures if f.agent == failure.agent)
        if is_there and 1 + self._cancelled_in_a_row(failure.agent) >= MAX_CANCELLED_IN_A_ROW:
            failure = replace(failure, is_last=True)
            self._remove(failure)
        tree.failures.append(failure)
        self.log.cancelled(tree, failure)

    def _cancelled_in_a_row(self, agent: str) -> int:
        """Cancelled expansions of an agent since its last node."""
        last = max((node.expansion_id for node in self.tree if node.agent == agent), default=-1)
        return sum(f.is_cancelled and f.agent == agent and f.expansion_id > last for f in self.tree.failures)

    def _remove(self, failure: Failure) -> None:
        """Go on without an agent that keeps failing, where there is another and the strategy lets it go."""
        if isinstance(self.search, Strategy) and len(self.search.agents) > 1:
            try:
                self.search.remove_agent(failure.agent)
            except ConfigError:  # a strategy of fixed agents
                pass
            else:
                return
        self.is_over, self.reason, self.error = True, "the model keeps failing", failure.error
