"""Makes jobs callable from anywhere: from a script, and from a thread whose event loop runs already (a notebook)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from mars2.core.errors import Mars2Error
from mars2.core.events import Event, Listener, nobody

P = ParamSpec("P")
T = TypeVar("T")


def job(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """An async function that raises the project's own errors plainly, also those that came in an exception group."""

    @functools.wraps(work)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await work(*args, **kwargs)
        except BaseExceptionGroup as group:
            if (known := known_error(group)) is None:
                raise
            raise known from group

    return run


def blocking(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The synchronous form of `NAME_async`: `NAME`, with the same arguments, result and errors."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_to_end(work(*args, **kwargs))

    run.__name__ = run.__qualname__ = work.__name__.removesuffix("_async")
    return run


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on an event loop of its own and return its result.

    If an event loop runs in this thread already, the new one is given a thread of its own, and this thread waits.
    Ctrl-C cancels `work`, waits until it has cleaned up, and raises KeyboardInterrupt.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _run_in_thread(work)


def _run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()
    ended: Future[T] = Future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await work

    def run() -> None:
        try:
            ended.set_result(asyncio.run(main()))
        except BaseException as error:
            ended.set_exception(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="mars2", daemon=True)
    try:
        with _interruptible():
            thread.start()
            return ended.result()
    except KeyboardInterrupt:
        if thread.ident is None:  # it came before the thread began
            work.close()
            raise
        loop, task = started.result()
        if not ended.done():
            loop.call_soon_threadsafe(task.cancel)
        ended.exception()  # wait until it has cleaned up
        raise
    finally:
        if ended.done():
            thread.join()  # its last steps


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt in this thread; `asyncio.run` would only tell its event loop, which waits."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def off_the_loop(work: Callable[[Listener], T], hear: Listener = nobody) -> T:
    """Run work that blocks in a thread, so that the event loop goes on.

    `work` is given a listener; what it tells is heard on the event loop. When the waiting task is cancelled, the next
    event that `work` tells raises CancelledError in it, and its end is awaited.
    """
    loop, is_over = asyncio.get_running_loop(), threading.Event()

    def tell(event: Event) -> None:
        if is_over.is_set():
            raise asyncio.CancelledError
        loop.call_soon_threadsafe(hear, event)

    task = asyncio.ensure_future(asyncio.to_thread(work, tell))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        is_over.set()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise


def known_error(error: BaseException) -> Mars2Error | None:
    """The first of the project's own errors in an exception group."""
    return next((leaf for leaf in _leaves(error) if isinstance(leaf, Mars2Error)), None)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for child in error.exceptions:
            yield from _leaves(child)
    else:
        yield error
