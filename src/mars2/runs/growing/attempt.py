"""One expansion: ask for a program (again if a call fails), then parse, judge and score it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mars2.config.growing import RetryConfig
from mars2.core.completion import Completion, Prompt
from mars2.core.errors import BackendError
from mars2.core.problem import Problem
from mars2.core.protocols import Prompter, Sandbox
from mars2.core.seeds import derive_seed, stream
from mars2.core.tree import Expansion, Failure, Result, Tree
from mars2.core.verdict import Verdict
from mars2.credit.rewards import require_no_internal_error, search_score
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.slots import Slots
from mars2.runs.growing.team import Agent

MAX_BACKOFF_S = 60.0

Hidden = Literal["never", "if public passed", "always"]
"""Which programs are judged by the hidden tests. never: solving, where they must not steer anything. if public passed:
those that can still be right, up to the first failure. always: every program by every test (a share is wanted)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one expansion ended."""

    expansion: Expansion
    result: Result | None  # None: every call failed
    failure: Failure | None  # the calls that failed; None: none did


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempter:
    """Who writes, who judges, and how: all that one expansion needs but its place in a tree."""

    agents: Mapping[str, Agent]
    prompter: Prompter
    sandbox: Sandbox
    seed: int
    hidden: Hidden = "if public passed"
    retries: RetryConfig = RetryConfig()
    slots: Slots = field(default_factory=lambda: Slots({}))
    guide: Guide | None = None  # a reward model with a part in the score; only at test time
    alpha: float = 0.0  # that part, in [0, 1]

    def prompt(self, tree: Tree, problem: Problem, parent_id: int | None, agent: str) -> Prompt:
        """What `agent` is asked to write a child of `parent_id`."""
        role = self.agents[agent].role
        if parent_id is None:
            return self.prompter.first_attempt(problem, role)
        return self.prompter.refinement(problem, role, tree.nodes[parent_id])

    async def attempt(self, tree: Tree, problem: Problem, expansion: Expansion, prompt: Prompt) -> Attempt:
        """Generate, with retries; then parse, judge and score.

        Raises:
            SandboxUnavailable: the judge itself failed.
        """
        error = ""
        num_failed = 0
        while num_failed <= self.retries.max_retries:
            if num_failed:
                await asyncio.sleep(self._backoff_s(tree, expansion, num_failed - 1))
            try:
                completion = await self._generate(tree, expansion, prompt, num_failed)
            except BackendError as failure:
                error = str(failure)
                num_failed += 1
                continue
            result = await self._judged(problem, prompt, completion)
            return Attempt(expansion, result, _failure(expansion, num_failed, error) if num_failed else None)
        return Attempt(expansion, None, _failure(expansion, num_failed, error, is_cancelled=True))

    async def _generate(self, tree: Tree, expansion: Expansion, prompt: Prompt, number: int) -> Completion:
        """Call number `number` for this expansion. Raises BackendError, whatever went wrong with it."""
        agent = self.agents[expansion.agent]
        sampling = agent.sampling.seeded(derive_seed(self.seed, "generate", tree.tree_id, expansion.id, number))
        try:
            async with self.slots.slot(agent.policy, tree), asyncio.timeout(self.retries.call_timeout_s):
                completion = await agent.backend.generate(prompt, sampling)
        except TimeoutError:
            limit_s = self.retries.call_timeout_s
            raise BackendError(f"policy {agent.policy!r}: no answer in time (limit {limit_s} s)") from None
        except UnicodeError as error:
            raise BackendError(f"policy {agent.policy!r}: the prompt cannot be encoded: {error}") from None
        if completion.cost or agent.price is None:
            return completion
        return replace(completion, cost=agent.price.cost(completion.prompt_tokens, completion.output_tokens))

    async def _judged(self, problem: Problem, prompt: Prompt, completion: Completion) -> Result:
        reading = self.prompter.read(completion.text, problem)
        program = reading.program
        public, hidden = await self._judge(problem, program)
        estimate = None
        if self.guide is not None and program is not None and self.alpha:
            (estimate,) = await self.guide.score(problem, [program])
        return Result(
            prompt=prompt,
            completion=completion,
            program=program,
            program_reason=reading.reason,
            public_verdict=public,
            hidden_verdict=hidden,
            score=search_score(public, estimate=estimate, alpha=self.alpha),
        )

    async def _judge(self, problem: Problem, program: str | None) -> tuple[Verdict, Verdict | None]:
        """All public tests are run, for score and feedback; hidden ones where they are wanted."""
        public = await self.sandbox.judge(program, problem.public, stop_at_first_failure=False)
        require_no_internal_error(public)
        is_wanted = self.hidden == "always" or (self.hidden == "if public passed" and public.accepted)
        if not is_wanted or not problem.hidden_tests:
            return public, None
        hidden = await self.sandbox.judge(program, problem.hidden, stop_at_first_failure=self.hidden != "always")
        require_no_internal_error(hidden)
        return public, hidden

    def _backoff_s(self, tree: Tree, expansion: Expansion, number: int) -> float:
        longest = min(self.retries.retry_backoff_s * 2**number, MAX_BACKOFF_S)
        return longest * (0.5 + 0.5 * stream(self.seed, "backoff", tree.tree_id, expansion.id, number).random())


def _failure(expansion: Expansion, num_calls: int, error: str, *, is_cancelled: bool = False) -> Failure:
    return Failure(expansion.id, expansion.agent, num_calls, is_cancelled, is_last=False, error=error)
