"""One judge for all tests of problems: starting one takes half a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from mars2.core.problem import Problem, Test
from mars2.core.verdict import Verdict
from mars2.sandbox import ZygoteSandbox

Judge = Callable[[Problem, tuple[Test, ...], str], Verdict]


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """Judges a program by some tests of a problem."""
    with asyncio.Runner() as runner:
        sandbox = ZygoteSandbox(1, allow_unsafe=True)

        def judged(problem: Problem, tests: tuple[Test, ...], program: str) -> Verdict:
            return runner.run(sandbox.judge(program, problem.suite(tests)))

        yield judged
        runner.run(sandbox.close())
