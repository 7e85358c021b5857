"""The trusted half of a worker: takes judgements from the trainer, keeps the zygotes, answers with outcomes.

It stays outside the jail, is never a copy of the trainer, and makes no zygote itself: it holds expected outputs.
"""

from __future__ import annotations

import json
import marshal
import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .. import wire
from ..jail import libc
from ..jail.isolation import Isolation
from ..program.checker import CheckerFailed
from ..zygote import zygote
from .in_steps import TestRefused
from .judgement import Judgement
from .nursery import Nursery
from .process import Cancelled, ZygoteLost, processors
from .request import Request

_RECYCLE_AFTER = 5_000  # judgements per zygote
_STAY_S = 0.05  # on one processor
_NEEDS_NUMPY = re.compile(r"\bnumpy\b")  # there are many ways to import it; a false match does no harm
_NEEDS_LARGER = re.compile(rf"\b(?:{'|'.join(zygote.LARGER.split())})\b")


class _Zygotes:
    """The zygotes of this worker: the plain one, and others once they are needed."""

    def __init__(self, settings: dict[str, Any], nursery: Nursery) -> None:
        self._nursery = nursery
        self._has_numpy = settings["numpy_folder"] is not None
        self.allow_unsafe = bool(settings["allow_unsafe"])
        self.safe_tiers = settings["safe_tiers"]
        self._live: dict[str, tuple[socket.socket, Isolation, int]] = {}
        self._processors = processors()
        self._is_loose, self._kept_since = True, 0.0  # whether it may leave its processor; since when not

    def can_numpy(self) -> bool:
        """Whether there is a zygote with numpy; where it cannot be started, programs find no numpy."""
        if self._has_numpy and "numpy" not in self._live:
            try:
                self.get("numpy")
            except OSError:
                self._has_numpy = False
        return self._has_numpy

    def get(self, kind: str) -> tuple[socket.socket, Isolation]:
        """A live zygote of this kind, started or renewed if need be. Raises OSError."""
        if kind in self._live and self._live[kind][2] >= _RECYCLE_AFTER:
            self.drop(kind)
        connection, isolation, uses = self._live.get(kind) or (*self._nursery.start(kind), 0)
        self._live[kind] = (connection, isolation, uses + 1)
        return connection, isolation

    def gather(self) -> None:
        """Keep this process and its zygotes on one processor, that which the kernel woke it on, until `scatter`.

        They take turns, and a turn is short: to wake another processor, and to fetch there what this one has in its
        caches, costs a fifth of a judgement. A program that runs for long is let go again, see `jailed`.
        """
        processor = libc.current_cpu() if self._is_loose else -1
        if processor in self._processors:
            self._is_loose, self._kept_since = False, time.monotonic()
            with suppress(OSError):
                for pid in (0, *(isolation.pid for _, isolation, _ in self._live.values())):
                    os.sched_setaffinity(pid, {processor})

    def scatter(self) -> None:
        """Now and then, let the kernel choose the processor for what comes next."""
        if not self._is_loose and time.monotonic() - self._kept_since > _STAY_S:
            self._is_loose = True
            with suppress(OSError):
                os.sched_setaffinity(0, self._processors)

    def pid(self, kind: str) -> int:
        """Process id of a live zygote."""
        return self._live[kind][1].pid

    def drop_all(self) -> None:
        for kind in [*self._live]:
            self.drop(kind)

    def drop(self, kind: str) -> None:
        """End a zygote and everything in its jail."""
        live = self._live.pop(kind, None)
        if live is not None:
            connection, isolation, _ = live
            connection.close()
            self._nursery.end(isolation.pid)


class _Tests:
    """The tests of recent judgements, by key."""

    def __init__(self) -> None:
        self.loaded: dict[bytes, list[tuple[Any, ...]]] = {}
        self._held = wire.HeldTests()

    def add(self, key: bytes, pieces: list[bytes]) -> None:
        self.loaded[key] = wire.join(pieces)
        for forgotten in self._held.add(key, sum(map(len, pieces))):
            del self.loaded[forgotten]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The zygotes of one kind, as a judgement sees them."""

    zygotes: _Zygotes
    kind: str
    tiers: set[str]  # of the zygotes used

    def connect(self) -> socket.socket:
        connection, isolation = self.zygotes.get(self.kind)
        is_safe = isolation.tier in self.zygotes.safe_tiers  # it was when the worker started
        if not is_safe and not self.zygotes.allow_unsafe:
            raise ZygoteLost(f"a new zygote only has isolation tier {isolation.tier}")
        self.tiers.add(isolation.tier)
        return connection

    @property
    def pid(self) -> int:
        return self.zygotes.pid(self.kind)

    def discard(self) -> None:
        self.zygotes.drop(self.kind)


def serve(trainer: socket.socket, settings: dict[str, Any], nursery: Nursery) -> None:
    """Serve one trainer until it closes."""
    zygotes = _Zygotes(settings, nursery)
    try:
        _, isolation = zygotes.get("plain")
    except OSError as error:
        _send(trainer, {"error": str(error)})
        return
    tests = _Tests()
    _send(trainer, {"tier": isolation.tier, "missing": isolation.missing})
    try:
        while True:
            payload = wire.receive(trainer)
            if payload:  # an empty one cancels a judgement that is already over
                zygotes.gather()
                answer = _answer(payload, tests, zygotes, trainer)
                zygotes.scatter()
                _send(trainer, answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        nursery.close()


def _answer(payload: bytes, tests: _Tests, zygotes: _Zygotes, trainer: socket.socket) -> dict[str, object]:
    program, key, num_pieces, options = marshal.loads(payload)  # written by the trainer
    if num_pieces is not None:
        tests.add(key, [wire.receive(trainer) for _ in range(num_pieces)])
    request = Request(program, tests.loaded[key], **options)
    kind = "larger" if _NEEDS_LARGER.search(program) else "plain"
    tester = "tester"
    assertions = (test[1] for test in request.tests if test[0] == "assert")
    if any(map(_NEEDS_NUMPY.search, (program, *assertions))) and zygotes.can_numpy():
        kind, tester = "numpy", "tester numpy"
    tiers: set[str] = set()
    try:
        compiling, running, testing = (_Kind(zygotes, name, tiers) for name in ("compiler", kind, tester))
        outcomes = Judgement(request, compiling, running, testing, trainer).run()
    except Cancelled:
        wire.receive(trainer)  # the word that cancelled
        return {"cancelled": True}
    except CheckerFailed as error:
        return {"checker": str(error)}
    except TestRefused as error:
        return {"refused": str(error)}
    except (ZygoteLost, OSError) as error:
        zygotes.drop_all()
        return {"error": f"{type(error).__name__}: {error}"}
    return {"outcomes": outcomes, "tier": max(tiers)}  # the weakest that had a part in it


def _send(trainer: socket.socket, answer: dict[str, object]) -> None:
    trainer.sendall(wire.pack(json.dumps(answer).encode()))
