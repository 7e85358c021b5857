"""An event loop whose clock jumps to the next timer: hours of simulated latency in no time, and always the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from mars2.backends.scripted import ScriptedBackend
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError
from mars2.core.seeds import stream

T = TypeVar("T")


class _Instant(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing can ever happen again: a deadlock"
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.now


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


class SlowBackend(ScriptedBackend):
    """Answers after a log-normal time, or fails, both a function of the request's seed. Counts what is under way."""

    def __init__(self, policy: str, answers: list[str], *, mean_s: float = 1.0, fail: float = 0.0) -> None:
        from team_of_scripts import scripted

        super().__init__(policy, scripted(policy, ("", answers)).rules)
        self.mean_s, self.fail = mean_s, fail
        self.calls: list[tuple[Prompt, int | None]] = []
        self.num_under_way = self.most_under_way = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        self.calls.append((prompt, sampling.seed))
        rng = stream(sampling.seed or 0, "latency")
        self.num_under_way += 1
        self.most_under_way = max(self.most_under_way, self.num_under_way)
        try:
            await asyncio.sleep(rng.lognormal(-0.5, 1.0) * self.mean_s)
        finally:
            self.num_under_way -= 1
        if rng.random() < self.fail:
            raise BackendError("the script says to fail")
        return await super().generate(prompt, sampling)
