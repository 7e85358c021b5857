"""The trainer's end of one worker process: start it, ask it, end it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mars2.core.errors import SandboxUnavailable
from mars2.sandbox.launchers import (
    CONTAINED_TIERS,
    ENVIRONMENT,
    PYTHON_OPTIONS,
    WORKER_FOLDER,
    LaunchedProcess,
    Launcher,
)
from mars2.sandbox.messages import Judging
from mars2.sandbox.worker import wire

_START_S = 60.0
SAFE_TIERS = ("A", "B")
_SENT_AT_ONCE = 1 << 18  # bytes
_CANCEL = wire.pack(b"")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Which isolation layers a worker asks for (all, but for tests of the ladder), and whether few will do."""

    namespaces: bool = True
    landlock: bool = True
    seccomp: bool = True
    allow_unsafe: bool = False
    safe_tiers: tuple[str, ...] = SAFE_TIERS
    contained: bool = False  # the whole worker is in another jail: its supervisor must be out of programs' reach
    numpy: bool = True

    def to_json(self) -> bytes:
        numpy = importlib.util.find_spec("numpy")
        path = str(Path(numpy.origin).parent.parent) if self.numpy and numpy and numpy.origin else None
        settings = {**asdict(self), "numpy_folder": path}
        return json.dumps(settings).encode()


def contained(settings: WorkerSettings, launcher: Launcher) -> WorkerSettings:
    """What a worker asks for in an outer jail: no namespaces of its own."""
    return replace(
        settings,
        namespaces=False,
        safe_tiers=CONTAINED_TIERS,
        contained=True,
        numpy=settings.numpy and launcher.has_numpy,
    )


class WorkerLost(Exception):
    """The worker died, hung or failed; a new one may do better."""


class WorkerProcess:
    """One running worker. One judgement at a time."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._held = wire.HeldTests()
        self._is_sending = False
        self.tier = ""
        self.missing: tuple[str, ...] = ()

    @classmethod
    async def start(cls, settings: WorkerSettings, launcher: Launcher | None = None) -> WorkerProcess:
        """A worker that is ready to judge; in an outer jail with `launcher`.

        Raises:
            SandboxUnavailable: it does not start.
        """
        ours, theirs = socket.socketpair()

        def spawn() -> subprocess.Popen[bytes]:
            with theirs:  # here, not outside: a cancelled caller would close it under the thread that passes it on
                return launcher.spawn(theirs) if launcher else _spawn(theirs)

        try:
            process = await asyncio.to_thread(spawn)
        except BaseException:
            ours.close()  # a worker that starts all the same ends at the end of its connection
            raise
        reader, writer = await asyncio.open_connection(sock=ours, limit=2**20)
        worker = cls(process, reader, writer)
        try:
            writer.write(wire.pack(settings.to_json()))
            async with asyncio.timeout(_START_S):  # wait_for may swallow a cancellation (Python 3.11), and makes a task
                hello: dict[str, Any] = json.loads(await worker._receive())
        except (WorkerLost, TimeoutError) as error:
            await worker.kill()
            words = process.last_words() if isinstance(process, LaunchedProcess) else ""
            raise SandboxUnavailable(f"the sandbox worker does not start: {words or error or 'no answer'}") from error
        except BaseException:
            await worker.kill()
            raise
        if "error" in hello:
            await worker.kill()
            raise SandboxUnavailable(f"the sandbox worker does not start: {hello['error']}")
        missing = [layer for layer in hello["missing"] if launcher is None or not layer.startswith("namespaces")]
        worker.tier, worker.missing = hello["tier"], tuple(missing)
        return worker

    async def ask(self, judging: Judging, deadline_s: float) -> bytes:
        """The worker's answer to a judgement, a JSON object.

        Raises:
            WorkerLost: it gave none in time.
        """
        try:
            known = judging.tests.key in self._held
            if not known:
                self._held.add(judging.tests.key, judging.tests.size)
            self._writer.write(wire.pack(judging.payload(with_tests=not known)))
            if not known:
                await self._send_tests(judging.tests.pieces)
            async with asyncio.timeout(deadline_s):
                return await self._receive()
        except TimeoutError:
            raise WorkerLost(f"no answer within {deadline_s:.0f} s") from None
        except OSError as error:
            raise WorkerLost(str(error)) from error

    async def _send_tests(self, pieces: Sequence[bytes]) -> None:
        """Large tests go a little at a time: the event loop has other things to do."""
        self._is_sending = True
        for piece in pieces:
            if len(piece) <= _SENT_AT_ONCE:
                self._writer.write(wire.pack(piece))
            else:
                self._writer.write(wire.pack_length(len(piece)))
                for start in range(0, len(piece), _SENT_AT_ONCE):
                    self._writer.write(memoryview(piece)[start : start + _SENT_AT_ONCE])
                    await self._writer.drain()
            await self._writer.drain()
        self._is_sending = False

    async def cancel(self) -> None:
        """Give up the judgement under way; returns when the worker is free again."""
        if self._is_sending:
            raise WorkerLost("cancelled in the middle of a message")
        try:
            self._writer.write(_CANCEL)
            async with asyncio.timeout(10.0):
                await self._receive()
        except (TimeoutError, OSError):
            raise WorkerLost("did not let go of a cancelled judgement") from None

    async def _receive(self) -> bytes:
        try:
            header = await self._reader.readexactly(wire.HEADER_BYTES)
            return await self._reader.readexactly(wire.unpack_length(header))
        except (asyncio.IncompleteReadError, OSError):
            raise WorkerLost("the worker died") from None

    async def close(self) -> None:
        """Ask the worker to end, and end it if it does not; everything it started ends with it."""
        self._writer.close()
        try:
            await asyncio.to_thread(self._process.wait, 5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def kill(self) -> None:
        """End the worker at once; its zygotes die with it."""
        self._process.kill()
        self._writer.close()
        await asyncio.to_thread(self._process.wait)


def _spawn(connection: socket.socket) -> subprocess.Popen[bytes]:
    """A bare interpreter: no site packages, no environment but a fixed hash seed so that verdicts repeat."""
    command = [sys.executable, *PYTHON_OPTIONS, str(WORKER_FOLDER), str(connection.fileno())]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[connection.fileno()],
        env=ENVIRONMENT,
        start_new_session=True,
    )
