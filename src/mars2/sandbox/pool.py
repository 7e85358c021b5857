"""The default sandbox: a pool of jailed workers behind `judge`, with a cache of verdicts."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import OrderedDict
from dataclasses import replace
from typing import Any, Literal

from mars2.core.errors import CheckerError, SandboxUnavailable
from mars2.core.problem import Checker, Comparison, Suite
from mars2.core.protocols import SandboxFacts
from mars2.core.verdict import Verdict
from mars2.sandbox.launchers import Launcher, tier_name
from mars2.sandbox.messages import (
    Judging,
    TestEncoder,
    checker_error,
    options,
    refusal,
    verdict_from,
    verdict_of,
)
from mars2.sandbox.worker.program.checker import WALL_S as CHECKER_WALL_S
from mars2.sandbox.worker_process import WorkerLost, WorkerProcess, WorkerSettings, contained

_log = logging.getLogger(__name__)
_ATTEMPTS = 3  # of one judgement, on different workers, before the sandbox is called broken
_COMPILE_WALL_S = 15.0
_BUSY_FACTOR = 11  # a worker on a busy machine may take this many times the wall limits
_GRACE_S = 60.0

Mode = Literal["batch", "hermetic"]


class ZygoteSandbox:
    """Judges programs in `workers` parallel jails.

    `mode` "batch" lets a program that provably leaves no state run its tests in one process; "hermetic" gives every
    test a fresh one. Workers start at the first judgement. Use one sandbox from one event loop.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        allow_unsafe: bool = False,
        cache_size: int = 4096,
        mode: Mode = "batch",
        settings: WorkerSettings | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be >= 1, got {workers}")
        self.mode: Mode = mode
        self.tier = ""  # of the workers started so far
        self.missing: tuple[str, ...] = ()  # absent isolation layers, each with the reason
        self.num_judged = 0  # judgements that ran, cache hits not counted
        self.num_cache_hits = 0
        self.num_worker_failures = 0  # the judge's own faults: workers that died, hung or failed
        self._allow_unsafe = allow_unsafe
        self._settings = replace(settings or WorkerSettings(), allow_unsafe=allow_unsafe)
        self._launcher = launcher  # None: workers make their own jail
        if launcher is not None:
            self._settings = contained(self._settings, launcher)
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._closed = False
        self._encode = TestEncoder()
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()  # answers, unread: a garbage collector passes them by
        self._cache_size = cache_size

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        """See `mars2.core.protocols.Sandbox`. With no tests, a program that compiles is AC.

        Raises:
            UserError: a test holds more than plain data.
        """
        tests, limits, comparison = suite.tests, suite.limits, suite.comparison
        refused = refusal(program, limits)
        if program is None or refused is not None:
            assert refused is not None
            return verdict_from((refused,) * max(1, len(tests)), len(tests), self.tier, self.mode)
        wanted = options(suite, stop_at_first_failure, self.mode == "hermetic")
        judging = Judging(program, await self._encode(tests), wanted)
        key = judging.key
        if key in self._cache:
            self._cache.move_to_end(key)
            self.num_cache_hits += 1
            return self._verdict(json.loads(self._cache[key]), len(tests))
        wall_s = limits.effective_wall_s + (CHECKER_WALL_S if isinstance(comparison, Checker) else 0.0)
        deadline_s = _GRACE_S + _BUSY_FACTOR * (_COMPILE_WALL_S + wall_s * max(1, len(tests)))
        async with self._slots:
            data, answer = await self._run(judging, deadline_s, comparison)
        if self._cache_size:
            self._cache[key] = data
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return self._verdict(answer, len(tests))

    def facts(self) -> SandboxFacts:
        return SandboxFacts(self.tier, self.num_judged, self.num_worker_failures, self.num_cache_hits)

    def _verdict(self, answer: dict[str, Any], num_tests: int) -> Verdict:
        return verdict_of({**answer, "tier": self._tier_name(answer["tier"])}, num_tests, self.mode)

    async def _run(self, judging: Judging, deadline_s: float, comparison: Comparison) -> tuple[bytes, dict[str, Any]]:
        """A worker's answer that holds outcomes, as it came and as it reads."""
        reason = ""
        for _ in range(_ATTEMPTS):
            if self._closed:
                raise SandboxUnavailable("the sandbox is closed")
            worker = self._idle.pop() if self._idle else await self._start_worker()
            try:
                data = await worker.ask(judging, deadline_s)
            except WorkerLost as error:
                reason = str(error)
                await self._discard(worker)
            except BaseException:  # cancelled: the worker is brought back behind the caller's back
                self._spawn(self._reclaim(worker))
                raise
            else:
                self._idle.append(worker)
                answer: dict[str, Any] = json.loads(data)
                if "checker" in answer:
                    raise checker_error(comparison, str(answer["checker"]))
                if "refused" in answer:
                    raise CheckerError(f"{answer['refused']}; leave the test out, or install what it needs")
                if "error" not in answer:
                    self.num_judged += 1
                    return data, answer
                reason = str(answer["error"])
            self.num_worker_failures += 1
            _log.warning("sandbox worker failed, trying again: %s", reason)
        raise SandboxUnavailable(f"the sandbox failed {_ATTEMPTS} times on one program; last: {reason}")

    async def _start_worker(self) -> WorkerProcess:
        if sys.platform != "linux" and self._launcher is None:
            raise SandboxUnavailable(
                f"the sandbox needs Linux, this is {sys.platform}; set sandbox.backend: docker, "
                "or run mars2 in a Linux container or virtual machine"
            )
        worker = await WorkerProcess.start(self._settings, self._launcher)
        self._all.add(worker)
        is_safe = worker.tier in self._settings.safe_tiers
        worker.tier = self._tier_name(worker.tier)
        if not is_safe and not self._allow_unsafe:
            await self._discard(worker)
            remedy = "set sandbox.backend: docker, or sandbox.allow_unsafe: true if you trust the programs"
            if self._launcher is not None:
                remedy = "let its jail allow seccomp filters"
            raise SandboxUnavailable(
                f"this machine only offers isolation tier {worker.tier} (missing: {', '.join(worker.missing)}); "
                f"see `mars2 doctor`, or {remedy}"
            )
        if worker.tier != self.tier:
            level = logging.INFO if worker.tier == "A" or self._launcher else logging.WARNING
            _log.log(
                level, "sandbox isolation tier %s; missing: %s", worker.tier, ", ".join(worker.missing) or "nothing"
            )
        self.tier, self.missing = worker.tier, worker.missing
        return worker

    def _tier_name(self, tier: str) -> str:
        return tier if self._launcher is None else tier_name(self._launcher, tier)

    async def _reclaim(self, worker: WorkerProcess) -> None:
        try:
            await worker.cancel()
            self._idle.append(worker)
        except WorkerLost:
            await self._discard(worker)

    async def _discard(self, worker: WorkerProcess) -> None:
        self._all.discard(worker)
        await worker.kill()

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """End every worker and all they started. Idempotent."""
        self._closed = True
        await asyncio.gather(*self._background, return_exceptions=True)
        workers, self._all, self._idle = list(self._all), set(), []
        await asyncio.gather(*(worker.close() for worker in workers))

    async def __aenter__(self) -> ZygoteSandbox:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
