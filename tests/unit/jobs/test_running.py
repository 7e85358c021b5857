"""Synchronous forms of jobs work in a plain script and inside a running event loop; Ctrl-C lets both clean up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from mars2.core.errors import ConfigError
from mars2.core.events import Event, Listener, Note
from mars2.jobs.running import blocking, job, off_the_loop, run_to_end


def in_a_script(call: Callable[[], object]) -> object:
    return call()


def in_a_running_loop(call: Callable[[], object]) -> object:
    async def main() -> object:
        return call()

    return asyncio.run(main())


anywhere = pytest.mark.parametrize("place", [in_a_script, in_a_running_loop])


@anywhere
def test_the_result_comes_back(place: Callable[[Callable[[], object]], object]) -> None:
    async def add(a: int, *, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    assert place(lambda: run_to_end(add(1, b=2))) == 3


@anywhere
def test_an_error_comes_back_as_it_is(place: Callable[[Callable[[], object]], object]) -> None:
    async def refuse() -> None:
        raise ConfigError("x: wrong")

    with pytest.raises(ConfigError, match="x: wrong"):
        place(lambda: run_to_end(refuse()))


def test_no_thread_is_left_over() -> None:
    async def nothing() -> None:
        pass

    before = threading.active_count()
    in_a_running_loop(lambda: run_to_end(nothing()))
    assert threading.active_count() == before


def test_the_synchronous_form_has_the_name_and_the_documentation_of_the_job() -> None:
    async def count_async(n: int) -> int:
        """Count."""
        return n

    count = blocking(count_async)
    assert (count(n=4), count.__name__, count.__doc__) == (4, "count", "Count.")


async def test_the_projects_own_error_is_not_hidden_in_an_exception_group() -> None:
    @job
    async def work() -> None:
        async def fail() -> None:
            raise ConfigError("x: wrong")

        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    with pytest.raises(ConfigError, match="x: wrong"):
        await work()


async def test_an_unknown_error_stays_in_its_group() -> None:
    @job
    async def work() -> None:
        raise ExceptionGroup("two", [ValueError("a"), ValueError("b")])

    with pytest.raises(ExceptionGroup):
        await work()


INTERRUPTED = """
import asyncio, sys
from mars2.jobs.running import run_to_end

async def work():
    print("started", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        print("cleaned up", flush=True)

async def main():
    run_to_end(work())

try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("call", ["run_to_end(work())", "asyncio.run(main())"], ids=["script", "running loop"])
def test_ctrl_c_cancels_the_job_and_waits_for_it(call: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(call=call)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert rest.split("\n")[:2] == ["cleaned up", "interrupted"]


async def test_blocking_work_leaves_the_loop_free_and_is_heard_on_it() -> None:
    heard: list[tuple[Event, bool]] = []
    loop_is_free = threading.Event()

    def work(tell: Listener) -> bool:
        tell(Note("begun", {}))
        return loop_is_free.wait(10)

    asyncio.get_running_loop().call_later(0.01, loop_is_free.set)
    here = threading.current_thread()
    assert await off_the_loop(work, lambda event: heard.append((event, threading.current_thread() is here)))
    assert heard == [(Note("begun", {}), True)]


async def test_cancelled_work_ends_at_its_next_word_and_its_end_is_awaited() -> None:
    begun, ended = asyncio.Event(), threading.Event()
    cancelled = threading.Event()

    def work(tell: Listener) -> None:
        tell(Note("begun", {}))
        cancelled.wait(10)
        try:
            tell(Note("further", {}))
        finally:
            ended.set()

    task = asyncio.create_task(off_the_loop(work, lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, cancelled.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_an_error_of_cancelled_work_is_not_lost() -> None:
    begun, cancelled = asyncio.Event(), threading.Event()

    def work(tell: Listener) -> None:
        tell(Note("begun", {}))
        cancelled.wait(10)
        raise ConfigError("x: wrong")

    task = asyncio.create_task(off_the_loop(work, lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, cancelled.set)
    with pytest.raises(ConfigError, match="x: wrong"):
        await task
