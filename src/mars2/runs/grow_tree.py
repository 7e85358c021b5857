"""Grows one tree: choose, prompt, generate, parse, judge, add. Training and test time share this loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mars2.core.completion import Completion, Prompt
from mars2.core.errors import BackendError
from mars2.core.problem import Problem
from mars2.core.protocols import Prompter, Sandbox, Search, Stop
from mars2.core.seeds import derive_seed, stream
from mars2.core.tree import Expansion, Node, Tree
from mars2.core.verdict import Verdict
from mars2.credit.rewards import overlong_penalty, raw_reward, search_score
from mars2.runs.team import Agent
from mars2.search.strategy import rebuild

MAX_CANCELLED_IN_A_ROW = 3
"""Expansions of one tree that may fail one after another before its search ends with an error."""

OnNode = Callable[[Tree, Node], None]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How verdicts become a score (search) and a reward (training)."""

    reward: Literal["binary", "fraction"] = "binary"
    overlong_buffer: int = 0  # tokens
    overlong_factor: float = 1.0
    judge_hidden: bool = True  # False at solve time: hidden tests must not steer anything


@dataclass(frozen=True, slots=True)
class Growth:
    """How a tree's search ended."""

    tree: Tree
    stop_reason: str
    num_failed_calls: int
    error: str | None  # the last backend error, if the search ended with one


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one expansion brought; `completion` is None where the backend failed."""

    expansion: Expansion
    prompt: Prompt
    completion: Completion | None
    program: str | None
    public: Verdict | None
    hidden: Verdict | None
    num_failed_calls: int
    error: str | None


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
    expansions_in_flight: int = 1
    max_retries: int = 2
    stop_when_solved: bool = False

    async def grow(
        self,
        tree: Tree,
        problem: Problem,
        *,
        next_wave: Callable[[], Awaitable[None]] | None = None,
        on_node: OnNode | None = None,
    ) -> Growth:
        """Grow `tree` to `max_nodes` nodes, or go on with a partly grown one.

        Args:
            next_wave: awaited before each wave (lockstep); all expansions of a wave then finish before the next is
                chosen, and are told in order. None: each expansion is told and replaced as soon as it finishes.
            on_node: called after each node is added.
        """
        search = self.new_search()
        rebuild(search, tree)
        running: set[asyncio.Task[_Attempt]] = set()
        num_failed_calls = cancelled_in_a_row = 0
        error: str | None = None
        try:
            while True:
                if next_wave is not None:
                    await next_wave()
                stop_reason = self._fill(tree, problem, search, running)
                if not running:
                    return Growth(tree, stop_reason, num_failed_calls, error)
                done, running = await asyncio.wait(
                    running, return_when=asyncio.ALL_COMPLETED if next_wave else asyncio.FIRST_COMPLETED
                )
                for attempt in sorted((t.result() for t in done), key=lambda a: a.expansion.id):
                    num_failed_calls += attempt.num_failed_calls
                    node = self._add(tree, problem, attempt)
                    if node is not None:
                        cancelled_in_a_row = 0
                        search.tell(tree, node)
                        if on_node is not None:
                            on_node(tree, node)
                        continue
                    tree.cancel(attempt.expansion)
                    cancelled_in_a_row += 1
                    if cancelled_in_a_row >= MAX_CANCELLED_IN_A_ROW:
                        return Growth(tree, "the model keeps failing", num_failed_calls, attempt.error)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for expansion in list(tree.pending.values()):
                tree.cancel(expansion)

    def _fill(self, tree: Tree, problem: Problem, search: Search, running: set[asyncio.Task[_Attempt]]) -> str:
        """Start expansions up to the limits; returns why no more were started."""
        while len(running) < self.expansions_in_flight:
            if len(tree) + len(tree.pending) >= self.max_nodes:
                return "budget spent"
            if self.stop_when_solved and any(n.public_verdict.accepted and n.public_verdict.tests for n in tree):
                return "solved"
            # A stream of its own for every choice: a resumed tree draws what an uninterrupted one would have drawn.
            choice = search.choose(tree, stream(self.seed, "search", tree.tree_id, tree.next_expansion_id))
            if isinstance(choice, Stop):
                return choice.reason
            expansion = tree.expand(choice.parent_id, choice.agent)
            running.add(asyncio.create_task(self._attempt(tree, problem, expansion)))
        return "busy"

    async def _attempt(self, tree: Tree, problem: Problem, expansion: Expansion) -> _Attempt:
        agent = self.agents[expansion.agent]
        if expansion.parent_id is None:
            prompt = self.prompter.first_attempt(problem, agent.role)
        else:
            prompt = self.prompter.refinement(problem, agent.role, tree.nodes[expansion.parent_id])
        error: str | None = None
        for attempt in range(self.max_retries + 1):
            seed = derive_seed(self.seed, "generate", tree.tree_id, expansion.id, attempt)
            try:
                completion = await agent.backend.generate(prompt, replace(agent.sampling, seed=seed))
            except BackendError as failure:
                error = str(failure)
                continue
            program = self.prompter.parse(completion.text, problem)
            public, hidden = await self._judge(problem, program)
            return _Attempt(expansion, prompt, completion, program, public, hidden, attempt, error)
        return _Attempt(expansion, prompt, None, None, None, None, self.max_retries + 1, error)

    async def _judge(self, problem: Problem, program: str | None) -> tuple[Verdict, Verdict | None]:
        """All public tests are run, for score and feedback; hidden ones only where they can change the reward."""
        public = await self.sandbox.judge(
            program,
            problem.public_tests,
            problem.limits,
            comparison=problem.comparison,
            stop_at_first_failure=False,
        )
        is_wanted = public.accepted or self.scoring.reward == "fraction"
        if not (self.scoring.judge_hidden and problem.hidden_tests and is_wanted):
            return public, None
        hidden = await self.sandbox.judge(
            program,
            problem.hidden_tests,
            problem.limits,
            comparison=problem.comparison,
            stop_at_first_failure=self.scoring.reward == "binary",
        )
        return public, hidden

    def _add(self, tree: Tree, problem: Problem, attempt: _Attempt) -> Node | None:
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
        return tree.add(
            attempt.expansion,
            prompt=attempt.prompt,
            completion=attempt.completion,
            program=attempt.program,
            public_verdict=attempt.public,
            hidden_verdict=attempt.hidden,
            score=search_score(attempt.public),
            reward=reward,
        )
