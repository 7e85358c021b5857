"""Correct programs, whatever their style of input and output, are accepted in both modes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parent))
from fidelity import CALL, CALL_CASES, CASES, STDIO

from mars2.core.problem import CallTest, Limits, StdioTest
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(params=["batch", "hermetic"], scope="module", loop_scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(2, mode=request.param, allow_unsafe=True) as sandbox:
        yield sandbox


async def test_there_are_enough_programs() -> None:
    assert len(STDIO) + len(CALL) >= 60


async def test_every_style_is_accepted(sandbox: ZygoteSandbox) -> None:
    stdio = tuple(StdioTest(*case) for case in CASES)
    call = tuple(CallTest("solve", *case) for case in CALL_CASES)
    programs = [(name, source, stdio) for name, source in STDIO.items()]
    programs += [(name, source, call) for name, source in CALL.items()]
    verdicts = await asyncio.gather(*(sandbox.judge(source, tests, Limits()) for _, source, tests in programs))
    assert {name: v for (name, _, _), v in zip(programs, verdicts, strict=True) if not v.accepted} == {}


async def test_wrong_programs_of_the_same_styles_are_not(sandbox: ZygoteSandbox) -> None:
    """The same programs against another answer: a comparison that never fails would be noticed here."""
    tests = (StdioTest(CASES[0][0], "6\n4\n"),)
    verdicts = await asyncio.gather(*(sandbox.judge(source, tests, Limits()) for source in STDIO.values()))
    assert {name: v for name, v in zip(STDIO, verdicts, strict=True) if v.status is not Status.WA} == {}
