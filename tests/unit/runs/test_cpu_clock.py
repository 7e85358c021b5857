"""The clock of `asynchrony.py --clock cpu`: sleeps cost nothing, work costs its CPU time, whoever does it."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "cpu_clock.py"


@pytest.fixture(scope="module")
def run() -> Any:
    spec = importlib.util.spec_from_file_location("cpu_clock", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=module.CpuClockLoop) as runner:
            return runner.run(work)

    return run


def spin(cpu_s: float) -> None:
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


def test_the_clock_jumps_over_sleeps(run: Any) -> None:
    async def work() -> tuple[float, list[str]]:
        now = asyncio.get_running_loop().time
        order: list[str] = []

        async def sleep(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        started = now()
        await asyncio.gather(sleep(7200, "late"), sleep(3600, "early"))
        return now() - started, order

    started = time.monotonic()
    took, order = run(work())
    assert time.monotonic() - started < 60
    assert took == pytest.approx(7200, abs=5)
    assert order == ["early", "late"]


def test_work_in_a_thread_counts_and_sleeps_go_on_beside_it(run: Any) -> None:
    """0.3 s of CPU in a thread: a sleep of 0.05 s ends before it, one of 1000 s long after."""

    async def work() -> tuple[float, list[str]]:
        now = asyncio.get_running_loop().time
        order: list[str] = []

        async def noted(name: str, thing: Any) -> None:
            await thing
            order.append(name)

        started = now()
        thread = noted("thread", asyncio.to_thread(spin, 0.3))
        await asyncio.gather(noted("long", asyncio.sleep(1000)), thread, noted("short", asyncio.sleep(0.05)))
        return now() - started, order

    took, order = run(work())
    assert order == ["short", "thread", "long"]
    assert took == pytest.approx(1000, abs=5)


def test_what_is_announced_is_waited_for(run: Any) -> None:
    """A process reports while a sleep of an hour is pending: the clock must not have jumped there first."""

    async def work() -> list[str]:
        loop: Any = asyncio.get_running_loop()
        order: list[str] = []

        async def sleep() -> None:
            await asyncio.sleep(3600)
            order.append("hour")

        async def process() -> None:
            with loop.working():
                child = await asyncio.create_subprocess_exec("sleep", "0.1")
                await child.wait()
            order.append("process")

        await asyncio.gather(sleep(), process())
        return order

    assert run(work()) == ["process", "hour"]
