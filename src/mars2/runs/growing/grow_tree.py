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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from mars2.config.growing import BudgetConfig, StoppingConfig
from mars2.core.completion import Completion, Prompt
from mars2.core.errors import BackendError, ConfigError
from mars2.core.problem import Problem
from mars2.core.protocols import Prompter, Sandbox, Search, Stop
from mars2.core.seeds import derive_seed, stream
from mars2.core.tree import Expansion, Failure, Node, Tree
from mars2.core.verdict import Verdict
from mars2.credit.rewards import overlong_penalty, raw_reward, search_score
from mars2.runs.growing.budget import Ledger
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.slots import Slots
from mars2.runs.growing.stopping import Stopping
from mars2.runs.growing.team import Agent
from mars2.search.strategy import Strategy, rebuild

MAX_CANCELLED_IN_A_ROW = 3
"""Expansions of one agent in one tree that may be cancelled one after another before it is given up there."""

MAX_BACKOFF_S = 60.0

Order = Literal["expansion", "arrival"]


class GrowthLog(Protocol):
    """Hears what happens to a tree, the moment it happens; `runs.recorder.Recorder` writes it down."""

    def expansions(self, tree: Tree, chosen: Sequence[Expansion]) -> None: ...

    def held(self, tree: Tree, node: Node, failure: Failure | None) -> None: ...

    def node(self, tree: Tree, node: Node, failure: Failure | None = None) -> None: ...

    def cancelled(self, tree: Tree, failure: Failure) -> None: ...


class NoLog:
    """Hears nothing."""

    def expansions(self, tree: Tree, chosen: Sequence[Expansion]) -> None:
        pass

    def held(self, tree: Tree, node: Node, failure: Failure | None) -> None:
        pass

    def node(self, tree: Tree, node: Node, failure: Failure | None = None) -> None:
        pass

    def cancelled(self, tree: Tree, failure: Failure) -> None:
        pass


NO_LOG: GrowthLog = NoLog()


@dataclass(frozen=True, slots=True)
class Scoring:
    """How verdicts become a score (search) and a reward (training)."""

    reward: Literal["binary", "fraction"] = "binary"
    overlong_buffer: int = 0  # tokens
    overlong_factor: float = 1.0
    judge_hidden: bool = True  # False at solve time: hidden tests must not steer anything
    alpha: float = 0.0  # the reward model's part of the score, where the grower has a guide


@dataclass(frozen=True, slots=True)
class Retries:
    """What is done about calls that fail."""

    max_retries: int = 2  # per expansion, before it is cancelled
    backoff_s: float = 0.0  # before the first retry; doubles with each, half of it at random; at most MAX_BACKOFF_S
    timeout_s: float | None = None  # of one call, waiting for a slot not counted


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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one expansion brought; `completion` is None where the backend failed."""

    expansion: Expansion
    prompt: Prompt
    num_failed_calls: int
    error: str  # of the last failed call; "" if there was none
    completion: Completion | None = None
    program: str | None = None
    public: Verdict | None = None
    hidden: Verdict | None = None
    estimate: float | None = None  # the reward model's


@dataclass(frozen=True, slots=True)
class TreeGrower:
    """Everything that growing a tree needs but the problem."""

    agents: Mapping[str, Agent]
    new_search: Callable[[], Search]
    prompter: Prompter
    sandbox: Sandbox
    seed: int
    max_nodes: int
    scoring: Scoring = Scoring()
    expansions_in_flight: int = 1  # chosen and not yet told
    order: Order = "expansion"  # without lockstep
    retries: Retries = Retries()
    budget: BudgetConfig = BudgetConfig()
    stop_rules: StoppingConfig = StoppingConfig()
    slots: Slots = field(default_factory=lambda: Slots({}))
    guide: Guide | None = None  # a reward model with a part in the score; only at test time

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

    async def attempt(self, tree: Tree, problem: Problem, expansion: Expansion, prompt: Prompt) -> _Attempt:
        """Generate, with retries, then parse and judge."""
        agent = self.agents[expansion.agent]
        error = ""
        for number in range(self.retries.max_retries + 1):
            if number:
                await asyncio.sleep(self._backoff_s(tree, expansion, number - 1))
            seed = derive_seed(self.seed, "generate", tree.tree_id, expansion.id, number)
            try:
                async with self.slots.slot(agent.policy, tree), asyncio.timeout(self.retries.timeout_s):
                    completion = await agent.backend.generate(prompt, agent.sampling.seeded(seed))
            except BackendError as failure:
                error = str(failure)
            except TimeoutError:
                error = f"policy {agent.policy!r}: no answer in time (limit {self.retries.timeout_s} s)"
            except UnicodeError as failure:
                error = f"policy {agent.policy!r}: the prompt cannot be encoded: {failure}"
            else:
                if not completion.cost and agent.price is not None:
                    cost = agent.price.cost(completion.prompt_tokens, completion.output_tokens)
                    completion = replace(completion, cost=cost)
                program = self.prompter.parse(completion.text, problem)
                public, hidden = await self._judge(problem, program)
                estimate = await self._estimate(problem, program)
                return _Attempt(expansion, prompt, number, error, completion, program, public, hidden, estimate)
        return _Attempt(expansion, prompt, self.retries.max_retries + 1, error)

    def prompt(self, tree: Tree, problem: Problem, parent_id: int | None, agent: str) -> Prompt:
        role = self.agents[agent].role
        if parent_id is None:
            return self.prompter.first_attempt(problem, role)
        return self.prompter.refinement(problem, role, tree.nodes[parent_id])

    def hold(self, tree: Tree, attempt: _Attempt, elapsed_s: float) -> Node | None:
        """Score a finished attempt and keep it in the tree until its turn; None if it brought no completion."""
        if attempt.completion is None or attempt.public is None:
            return None
        scoring = self.scoring
        reward: float | None = None
        if scoring.judge_hidden:
            reward = raw_reward(attempt.public, attempt.hidden, scoring.reward)
            if scoring.overlong_buffer:
                reward += overlong_penalty(
                    len(attempt.completion.output_ids),
                    max_length=self.agents[attempt.expansion.agent].sampling.max_tokens,
                    buffer=scoring.overlong_buffer,
                    factor=scoring.overlong_factor,
                )
        return tree.hold(
            attempt.expansion,
            prompt=attempt.prompt,
            completion=attempt.completion,
            program=attempt.program,
            public_verdict=attempt.public,
            hidden_verdict=attempt.hidden,
            score=search_score(attempt.public, estimate=attempt.estimate, alpha=self.scoring.alpha),
            reward=reward,
            elapsed_s=elapsed_s,
        )

    def _backoff_s(self, tree: Tree, expansion: Expansion, number: int) -> float:
        longest = min(self.retries.backoff_s * 2**number, MAX_BACKOFF_S)
        return longest * (0.5 + 0.5 * stream(self.seed, "backoff", tree.tree_id, expansion.id, number).random())

    async def _estimate(self, problem: Problem, program: str | None) -> float | None:
        """How likely the reward model thinks a program right; None where it has no say."""
        if self.guide is None or program is None or not self.scoring.alpha:
            return None
        (estimate,) = await self.guide.score(problem, [program])
        return estimate

    async def _judge(self, problem: Problem, program: str | None) -> tuple[Verdict, Verdict | None]:
        """All public tests are run, for score and feedback; hidden ones only where they can change the reward."""
        public = await self.sandbox.judge(program, problem.public, stop_at_first_failure=False)
        is_wanted = public.accepted or self.scoring.reward == "fraction"
        if not (self.scoring.judge_hidden and problem.hidden_tests and is_wanted):
            return public, None
        hidden = await self.sandbox.judge(
            program, problem.hidden, stop_at_first_failure=self.scoring.reward == "binary"
        )
        return public, hidden


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
        self.running: set[asyncio.Task[_Attempt]] = set()
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
            expansion = attempt.expansion
            node = self.grower.hold(self.tree, attempt, self.elapsed_s)
            failure = None
            if attempt.num_failed_calls:
                failure = Failure(
                    expansion.id, expansion.agent, attempt.num_failed_calls, node is None, False, attempt.error
                )
            if node is None:
                assert failure is not None
                self.given_up[expansion.id] = failure
                continue
            if failure is not None:
                self.tree.failures.append(failure)
            self.unlogged[expansion.id] = failure
        if not done and self._stop():
            for expansion in list(self.tree.pending.values()):  # what came in time counts
                if expansion.id in self.tree.held:
                    self._settle(expansion)
            return
        for expansion_id in [i for i in self.unlogged if not self._is_next(i)]:
            self.log.held(self.tree, self.tree.held[expansion_id], self.unlogged.pop(expansion_id))

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
