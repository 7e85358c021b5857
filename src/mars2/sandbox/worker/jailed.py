"""One jailed process as the supervisor holds it: its files, its clock, its end."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass

from . import candidate, forkserver

_MIB = 2**20
_POLL_S = 0.1  # how often the size of the output is looked at while a program runs
_MOST_WALL = 4  # times the wall limit, however busy the machine
_CREDENTIALS = struct.Struct("=iII")  # struct ucred


class ZygoteLost(Exception):
    """The zygote is gone or does not answer: the judge's own fault."""


class Cancelled(Exception):
    """The trainer no longer wants this judgement."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended. `reply` is None if the process died or was killed."""

    reply: bytes | None  # first byte of the message
    report: bytes  # what the process wrote about it
    reusable: bool
    cpu_s: float
    wall_s: float
    limit: str  # "cpu", "wall", "output" if that limit ended it, else ""


@dataclass(frozen=True, slots=True)
class Exit:
    """What the zygote said of a dead child."""

    status: int  # as from wait()
    cpu_s: float  # whole life
    peak_mib: float

    @property
    def signal(self) -> int | None:
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else None

    @property
    def code(self) -> int | None:
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else None


class Jailed:
    """A forked child, from its start to its reaping."""

    def __init__(
        self,
        zygote: socket.socket,
        trainer: socket.socket,
        *,
        cpu_s: float,
        memory_mib: int,
        file_bytes: int,
    ) -> None:
        self._zygote, self._trainer = zygote, trainer
        self._file_bytes = file_bytes
        self.exit: Exit | None = None
        self.zygote_is_spent = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        names = ("box", "stdin", "stdout", "stderr")
        self._box, self._stdin, self._stdout, self._stderr = files = [os.memfd_create(name) for name in names]
        for descriptor in (self._stdout, self._stderr):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
        self._pidfd = -1
        self._poll = select.poll()
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(trainer, select.POLLIN)
        request = forkserver.FORK.pack(int(cpu_s) + 2, memory_mib * _MIB, file_bytes)
        try:
            socket.send_fds(zygote, [request], [theirs.fileno(), *files])
        except OSError as error:
            raise ZygoteLost(f"cannot reach the zygote: {error}") from error
        finally:
            theirs.close()
        self._greet()

    def _greet(self) -> None:
        """Learn the child's process id, as seen from here, from the kernel."""
        self._control.settimeout(20.0)
        try:
            message, ancillary, _, _ = self._control.recvmsg(64, 128)
        except OSError as error:
            raise ZygoteLost(f"the child did not start: {error}") from error
        if message[:1] != candidate.HELLO:
            raise ZygoteLost("the child died before it started")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                self._pid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
        self._pidfd = os.pidfd_open(self._pid)
        self._clock = (~self._pid << 3) | 2  # CPU clock of a process; see clock_getcpuclockid(3)

    def _cpu_s(self) -> float | None:
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return None

    def _run_delay_s(self) -> float:
        """How long the process has been ready to run but was given no processor; 0 where the kernel does not say."""
        try:
            with open(f"/proc/{self._pid}/schedstat") as schedstat:
                return int(schedstat.read().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def step(
        self,
        request: bytes,
        body: bytes,
        *,
        stdin: bytes | None,
        cpu_limit_s: float,
        wall_limit_s: float,
        stdout_bytes: int,
    ) -> Ended:
        """Send one request and wait for its answer, a limit, or the process's death."""
        os.ftruncate(self._box, 0)
        _write_all(self._box, body)
        if stdin is not None:
            for descriptor in (self._stdin, self._stdout, self._stderr):
                os.ftruncate(descriptor, 0)
            _write_all(self._stdin, stdin)
        start_cpu, start = self._cpu_s() or 0.0, time.monotonic()
        try:
            self._control.send(request + len(body).to_bytes(8, "little"))
        except OSError:
            return self._died(start, start_cpu, "")
        limit = self._wait(start, start_cpu, cpu_limit_s, wall_limit_s, stdout_bytes)
        wall_s = time.monotonic() - start
        if limit:
            self.kill()
            return self._died(start, start_cpu, limit)
        try:
            message = self._control.recv(64)
        except OSError:
            message = b""
        cpu = self._cpu_s()
        if len(message) != candidate.REPLY.size or cpu is None:
            self.kill()
            return self._died(start, start_cpu, "")
        reply, length, reusable = candidate.REPLY.unpack(message)
        report = os.pread(self._box, min(length, self._file_bytes), 0)
        used_s = cpu - start_cpu
        return Ended(reply, report, bool(reusable), used_s, wall_s, "cpu" if used_s > cpu_limit_s else "")

    def _wait(self, start: float, start_cpu: float, cpu_limit_s: float, wall_limit_s: float, stdout_bytes: int) -> str:
        """Until the child speaks or dies ("") or a limit is reached (its name)."""
        cpu_left, allowed_s = cpu_limit_s, wall_limit_s
        start_delay: float | None = None  # read at the first pause: most programs are done before
        while True:
            elapsed = time.monotonic() - start
            if elapsed >= allowed_s:  # the limit is on sleeping and computing, not on waiting for a busy machine
                waited_s = self._run_delay_s() - (start_delay or 0.0)
                allowed_s = min(wall_limit_s + waited_s, _MOST_WALL * wall_limit_s)
            wall_left = allowed_s - elapsed
            if wall_left <= 0:
                return "wall"
            events = self._poll.poll(1000 * min(max(cpu_left, 0.001), wall_left, _POLL_S) + 1)
            ready = {descriptor for descriptor, _ in events}
            if self._trainer.fileno() in ready:
                raise Cancelled
            if ready:
                return ""
            if start_delay is None:
                start_delay = self._run_delay_s()
            if os.fstat(self._stdout).st_size > stdout_bytes:
                return "output"
            cpu = self._cpu_s()
            if cpu is None:
                return ""
            cpu_left = cpu_limit_s - (cpu - start_cpu)
            if cpu_left <= 0:
                return "cpu"

    def _died(self, start: float, start_cpu: float, limit: str) -> Ended:
        wall_s = time.monotonic() - start
        exited = self.finish()
        return Ended(None, b"", False, max(0.0, exited.cpu_s - start_cpu), wall_s, limit)

    def stdout(self) -> tuple[bytes, int]:
        """What was printed (up to the largest file) and how much."""
        size = os.fstat(self._stdout).st_size
        return _read(self._stdout, min(size, self._file_bytes), 0), size

    def stderr(self, keep: int) -> bytes:
        """Head and tail of what was printed on stderr, at most `keep` bytes."""
        size = os.fstat(self._stderr).st_size
        if size <= keep:
            return _read(self._stderr, size, 0)
        half = keep // 2
        return _read(self._stderr, half, 0) + "\n…\n".encode() + _read(self._stderr, half, size - half)

    def kill(self) -> None:
        """Send SIGKILL. Idempotent."""
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def finish(self) -> Exit:
        """Kill, wait until the zygote has reaped everything, and say how it ended. Idempotent."""
        if self.exit is None:
            self.kill()
            self._zygote.settimeout(20.0)
            try:
                message = self._zygote.recv(64)
            except OSError as error:
                raise ZygoteLost(f"the zygote did not report: {error}") from error
            if len(message) != forkserver.EXITED.size:
                raise ZygoteLost("the zygote died")
            status, user_s, system_s, peak_kib, spent = forkserver.EXITED.unpack(message)
            self.zygote_is_spent = bool(spent)
            self.exit = Exit(status, user_s + system_s, peak_kib / 1024)
        return self.exit

    def close(self) -> None:
        """Let go of every descriptor."""
        self._control.close()
        for descriptor in (self._box, self._stdin, self._stdout, self._stderr, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self._box = self._stdin = self._stdout = self._stderr = self._pidfd = -1


def _write_all(descriptor: int, data: bytes) -> None:
    view, offset = memoryview(data), 0
    while offset < len(view):
        offset += os.pwrite(descriptor, view[offset:], offset)


def _read(descriptor: int, count: int, offset: int) -> bytes:
    pieces: list[bytes] = []
    while count > 0:
        piece = os.pread(descriptor, count, offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        count -= len(piece)
    return b"".join(pieces)
