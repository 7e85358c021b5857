"""A sandbox that runs nothing: verdicts come from a table or a function. For tests and documentation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mars2.core.problem import Suite, Test
from mars2.core.protocols import SandboxFacts
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.sandbox.messages import refusal, verdict_from

Script = Callable[[str, Sequence[Test]], Verdict | Status]


class ScriptedSandbox:
    """Answers with the verdict that `script` holds for a program's exact text, or computes from it.

    A `Status` stands for a verdict whose first test has that status; programs a table does not hold are WA.
    `calls` counts judgements; `latency_s` is waited before each answer.
    """

    mode = "scripted"
    tier = "scripted"

    def __init__(
        self, script: Mapping[str, Verdict | Status] | Script | None = None, *, latency_s: float = 0.0
    ) -> None:
        self._script: Mapping[str, Verdict | Status] | Script = {} if script is None else script
        self._latency_s = latency_s
        self.calls = 0

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        """See `mars2.core.protocols.Sandbox`."""
        self.calls += 1
        tests = suite.tests
        await asyncio.sleep(self._latency_s)
        refused = refusal(program, suite.limits)
        if program is None or refused is not None:
            assert refused is not None
            return verdict_from((refused,) * max(1, len(tests)), len(tests), self.tier, self.mode)
        if isinstance(self._script, Mapping):
            answer = self._script.get(program, Status.WA)
        else:
            answer = self._script(program, tests)
        return answer if isinstance(answer, Verdict) else self._uniform(answer, len(tests), stop_at_first_failure)

    def _uniform(self, status: Status, num_tests: int, stop_at_first_failure: bool) -> Verdict:
        passed_over = status not in (Status.AC, Status.CE) and stop_at_first_failure
        rest = Status.SKIPPED if passed_over else status
        results = tuple(TestResult(status if index == 0 else rest) for index in range(num_tests))
        return Verdict(status, results, self.tier, self.mode)

    def facts(self) -> SandboxFacts:
        return SandboxFacts(self.tier, self.calls, 0)

    async def close(self) -> None:
        """Nothing to end."""
