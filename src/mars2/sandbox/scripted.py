"""A sandbox that runs nothing: verdicts come from a table or a function. For tests and documentation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from mars2.core.problem import Suite
from mars2.core.protocols import SandboxFacts
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.sandbox.messages import refusal, verdict_from

Script = Callable[[str, Suite], Verdict | Status]


class ScriptedSandbox:
    """Answers with the verdict that `script` holds for a program's exact text, or computes from it.

    A `Status` stands for a verdict whose first test has that status; programs a table does not hold are WA. A verdict
    that goes on after its first failure is cut there where `judge` is told to stop.

    Attributes:
        asked: every question so far: the program, its suite, and whether to stop at the first failure.
        num_failures: what `facts` says of failures of the judge itself; a script may count some.
    """

    mode = "scripted"
    tier = "scripted"

    def __init__(
        self, script: Mapping[str, Verdict | Status] | Script | None = None, *, latency_s: float = 0.0
    ) -> None:
        """`latency_s` is waited before each answer."""
        self._script: Mapping[str, Verdict | Status] | Script = {} if script is None else script
        self._latency_s = latency_s
        self.asked: list[tuple[str | None, Suite, bool]] = []
        self.num_failures = 0

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        """See `mars2.core.protocols.Sandbox`."""
        self.asked.append((program, suite, stop_at_first_failure))
        num_tests = len(suite.tests)
        await asyncio.sleep(self._latency_s)
        refused = refusal(program, suite.limits)
        if program is None or refused is not None:
            assert refused is not None
            return verdict_from((refused,) * max(1, num_tests), num_tests, self.tier, self.mode)
        if isinstance(self._script, Mapping):
            answer = self._script.get(program, Status.WA)
        else:
            answer = self._script(program, suite)
        if isinstance(answer, Status):
            answer = Verdict(answer, (TestResult(answer),) * num_tests, self.tier, self.mode)
        return _cut(answer) if stop_at_first_failure else answer

    def facts(self) -> SandboxFacts:
        return SandboxFacts(self.tier, len(self.asked), self.num_failures)

    async def close(self) -> None:
        """Nothing to end."""


def _cut(verdict: Verdict) -> Verdict:
    """A verdict whose tests after the first failure were not run; a program that does not compile fails all of them."""
    first = next((i for i, test in enumerate(verdict.tests) if test.status is not Status.AC), len(verdict.tests))
    if verdict.status is Status.CE or first >= len(verdict.tests) - 1:
        return verdict
    rest = (TestResult(Status.SKIPPED),) * (len(verdict.tests) - first - 1)
    return replace(verdict, tests=(*verdict.tests[: first + 1], *rest))
