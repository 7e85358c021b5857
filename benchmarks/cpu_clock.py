"""An event loop whose clock does not see the machine's other load: CPU seconds of this process, and sleeps jumped over.

Time is that of a processor with one core and nothing else to do. Work in threads moves the clock by the CPU time it
takes; while nothing works, the clock jumps to the next timer. Processes that work for this one (the judge's) must be
announced with `working`; their CPU time is not counted.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_POLL_S = 0.005  # real seconds between looks at the clock while a thread works


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.jumped_s = 0.0
        self.num_working = 0

    def now(self) -> float:
        return time.process_time() + self.jumped_s

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if timeout is None:  # no timer: only work can wake us
            return super().select(None)
        if not self.num_working:
            self.jumped_s += timeout
            return found
        due = self.now() + timeout
        while not found and self.num_working and self.now() < due:
            found = super().select(_POLL_S)
        return found


class CpuClockLoop(asyncio.SelectorEventLoop):
    """`loop.time()` is the clock described above."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now()

    @contextmanager
    def working(self) -> Iterator[None]:
        """While this is open, something works that will report to the loop: do not jump."""
        self._clock.num_working += 1
        try:
            yield
        finally:
            self._clock.num_working -= 1

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._clock.num_working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, future: asyncio.Future[Any]) -> None:
        self._clock.num_working -= 1
