"""Grows one tree: choose, prompt, generate, parse, judge, tell. Training and test time share this loop.

The life of an expansion (`State`, in `_Growing.lives`); it leaves with its last step:

    CHOSEN ─→ RUNNING ─→ HELD ────→ told to the search: a node
                    └──→ GIVEN_UP ─→ cancelled: every call failed

From CHOSEN until it leaves, it stands in `tree.pending`, where the search sees it; what it brought is in `tree.held`.
Whose turn it is to leave:

- lockstep: `expansions_in_flight` are chosen together, all of them finish, and they are told in order of choice;
- order "expansion": told in order of choice; expansion i is chosen as soon as exactly the results up to
  i − expansions_in_flight are told. The tree is then a function of the answers: no timing can change it;
- order "arrival": told as they come, so that a slow generation holds up nothing; timing decides the tree.

Each step is told to the listener as it happens; `grow` goes on with a tree that an interrupted run left behind.

Example, order "expansion" with two in flight: expansions 0 and 1 run. 1 is finished first: HELD, for 0 has not left.
0 is finished: told as node 0, and expansion 2 is chosen, which has seen node 0 and not 1. Then 1 is told as node 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Literal

from mars2.config.growing import BudgetConfig, StoppingConfig
from mars2.core.completion import Prompt
from mars2.core.errors import ConfigError
from mars2.core.events import Cancelled, Chosen, Held, Listener, Told, nobody
from mars2.core.problem import Problem
from mars2.core.protocols import Search, Stop
from mars2.core.seeds import stream
from mars2.core.tree import Expansion, Failure, Tree
from mars2.runs.growing.attempt import Attempt, Attempter
from mars2.runs.growing.budget import Ledger
from mars2.runs.growing.stopping import Stopping
from mars2.search.strategy import Strategy, rebuild

MAX_CANCELLED_IN_A_ROW = 3
"""Expansions of one agent in one tree that may be cancelled one after another before it is given up there."""

Order = Literal["expansion", "arrival"]


class State(Enum):
    """Where an expansion that is still pending stands; drawn above."""

    CHOSEN = auto()  # by the search
    RUNNING = auto()  # its calls and judgements are under way
    HELD = auto()  # it brought a result, which waits for its turn
    GIVEN_UP = auto()  # every call failed; that waits for its turn too


@dataclass(slots=True)
class _Life:
    """A pending expansion."""

    state: State = State.CHOSEN
    task: asyncio.Task[Attempt] | None = None
    failure: Failure | None = None  # its failed calls, as long as no event has told of them


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
        hear: Listener = nobody,
    ) -> Growth:
        """Grow `tree` to `max_nodes` nodes, or go on with a partly grown one.

        Args:
            next_wave: awaited before each wave (lockstep). None: no waves; `order` says when results are told.
        """
        growing = _Growing(self, tree, problem, hear)
        return await growing.run(next_wave)


class _Growing:
    """One tree while it grows."""

    def __init__(self, grower: TreeGrower, tree: Tree, problem: Problem, hear: Listener) -> None:
        self.grower = grower
        self.tree = tree
        self.problem = problem
        self.hear = hear
        self.search = grower.new_search()
        self.stopping = Stopping(grower.stop_rules)
        self.ledger = Ledger(grower.budget, grower.agents)
        self.lives: dict[int, _Life] = {}  # of the expansions in `tree.pending`, in order of choice
        self.in_waves = False
        self.is_over = False
        self.reason = ""
        self.error: str | None = None

    async def run(self, next_wave: Callable[[], Awaitable[None]] | None) -> Growth:
        self._load()
        try:
            await (self._run_free() if next_wave is None else self._run_lockstep(next_wave))
        finally:
            running = self.running
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
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
            if expansion.id in tree.held:
                self.lives[expansion.id] = _Life(State.HELD)
            else:
                self.lives[expansion.id] = _Life()
                self._start(expansion, prompt)

    @property
    def running(self) -> list[asyncio.Task[Attempt]]:
        return [life.task for life in self.lives.values() if life.state is State.RUNNING and life.task is not None]

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
            self.hear(Chosen(self.tree, [expansion for expansion, _ in chosen]))  # a wave at once, or not at all
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
        self.lives[expansion.id] = _Life()
        self.ledger.reserve(expansion.id, choice.agent, prompt)
        return expansion, prompt

    def _start(self, expansion: Expansion, prompt: Prompt) -> None:
        life = self.lives[expansion.id]
        life.task = asyncio.create_task(self.grower.attempt(self.tree, self.problem, expansion, prompt))
        life.state = State.RUNNING

    # ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _collect(self) -> None:
        """Wait for results, or for the end of the time budget, and keep them until their turn."""
        timeout = None if self.left_s is None else max(self.left_s, 0.0)
        done, _ = await asyncio.wait(self.running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        errors = [error for task in done if (error := task.exception()) is not None]  # each is looked at, one raised
        if errors:
            raise errors[0]
        finished = sorted((task.result() for task in done), key=lambda attempt: attempt.expansion.id)
        for attempt in finished:
            self._keep(attempt)
        if not done and self._stop():
            for expansion in list(self.tree.pending.values()):  # what came in time counts
                if self.lives[expansion.id].state is State.HELD:
                    self._settle(expansion)
            return
        for attempt in finished:
            if attempt.result is not None and not self._is_next(attempt.expansion.id):
                life, expansion = self.lives[attempt.expansion.id], attempt.expansion
                self.hear(Held(self.tree, expansion, self.tree.held[expansion.id], life.failure))
                life.failure = None

    def _keep(self, attempt: Attempt) -> None:
        """An expansion is no longer running."""
        life = self.lives[attempt.expansion.id]
        life.failure = attempt.failure
        if attempt.result is None:
            life.state = State.GIVEN_UP
            return
        life.state = State.HELD
        self.tree.hold(attempt.expansion, replace(attempt.result, elapsed_s=self.elapsed_s))
        if attempt.failure is not None:
            self.tree.failures.append(attempt.failure)

    def _is_next(self, expansion_id: int) -> bool:
        """Whether a finished expansion is told before anything else is awaited, hence recorded as a node at once."""
        if self.in_waves:
            return not self.running
        return self.grower.order == "arrival" or expansion_id == next(iter(self.tree.pending))

    def _due(self) -> Expansion | None:
        """The expansion to leave next, if it is finished."""
        waiting = (i for i, life in self.lives.items() if life.state in (State.HELD, State.GIVEN_UP))
        first = next(waiting, None)
        if first is None or (self.grower.order == "expansion" and first != next(iter(self.lives))):
            return None
        return self.tree.pending[first]

    def _settle(self, expansion: Expansion) -> None:
        """An expansion leaves: the search is told what it brought, or it is cancelled. One still running stays."""
        life = self.lives[expansion.id]
        if life.state is State.GIVEN_UP:
            assert life.failure is not None
            del self.lives[expansion.id]
            self._cancel(expansion, life.failure)
            return
        node = self.tree.admit(expansion)
        if node is None:
            return
        del self.lives[expansion.id]
        self.ledger.settle(expansion.id, node.completion)
        self.search.tell(self.tree, node)
        self.stopping.tell(node)
        self.hear(Told(self.tree, node, life.failure))

    def _cancel(self, expansion: Expansion, failure: Failure) -> None:
        tree = self.tree
        tree.cancel(expansion)
        self.ledger.settle(expansion.id, None)
        is_there = not any(f.is_last for f in tree.failures if f.agent == failure.agent)
        if is_there and 1 + self._cancelled_in_a_row(failure.agent) >= MAX_CANCELLED_IN_A_ROW:
            failure = replace(failure, is_last=True)
            self._remove(failure)
        tree.failures.append(failure)
        self.hear(Cancelled(tree, failure))

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
