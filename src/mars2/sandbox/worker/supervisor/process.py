"""One jailed process as the supervisor holds it: its files, its clock, its end."""

from __future__ import annotations

import _socket
import fcntl
import marshal
import os
import select
import signal
import socket
import struct
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from .. import protocol
from ..jail import libc
from ..protocol import Job
from ..records import Record, read_records
from .clock import Clock, run_delay_s

_MIB = 2**20
_LONG_TURN_MS = 20
_LOOK_AFTER_S = 0.01  # of wall time: it is not worth the look after each call of a test that makes many
_FIRST_PAUSE_MS = 10  # a process that is to end by itself is not looked at before
_PATIENCE_S = 60.0
_CREDENTIALS = struct.Struct("=iII")  # struct ucred
_SO_PASSPIDFD, _SCM_PIDFD = 76, 4


@cache
def processors() -> frozenset[int]:
    """Those that this worker may use; first asked before it keeps to one of them."""
    return frozenset(os.sched_getaffinity(0))


@cache
def _children_are_listed() -> bool:
    """Whether the kernel says which children a process has (CONFIG_PROC_CHILDREN)."""
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def _children(pid: int) -> list[int]:
    """Process ids of a process's children; none if it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as children:
            return [int(child) for child in children.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class ZygoteLost(Exception):
    """The zygote is gone or does not answer: the judge's own fault."""


class Cancelled(Exception):
    """The trainer no longer wants this judgement."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from a step. `kind` is None if the process died or was killed."""

    kind: int | None  # first byte of the message
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


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of tests that a process ran by itself."""

    records: list[Record]
    ended: bool  # whether the process says that there are no more; else a test was under way
    reusable: bool  # it is alive and clean
    cpu_s: float  # of all of them
    wall_s: float
    limit: str  # as in `Reply`


class Process:
    """A forked child, from its start to its reaping.

    It runs the tests of a job by itself (`wait_for_job`, `run_tests`), or a test in steps that the supervisor asks for
    (`begin_test`, `next_step`). The steps of a test are held to its limits together: each gets what those before it
    have left.
    """

    cpu_s = wall_s = 0.0  # spent on the steps of the test so far
    _waited_s = _waited_before_s = 0.0  # for a processor: on this test, and until it began
    _looked_at_s = 0.0  # of the test's wall time, when it was last looked at how long the process waited

    def __init__(
        self,
        zygote: socket.socket,
        zygote_pid: int,
        trainer: socket.socket,
        *,
        cpu_s: float,
        memory_mib: int,
        file_bytes: int,
        job: Job = protocol.IDLE,
        stdin: bytes = b"",
    ) -> None:
        self._zygote, self._zygote_pid, self._trainer = zygote, zygote_pid, trainer
        self._file_bytes = file_bytes
        self.exit: Exit | None = None
        self.zygote_is_spent = False
        self._is_loose = False  # whether it may leave its zygote's processor
        self._has_ended = False  # whether the zygote is known to have reported its end
        self._pid, self._pidfd = 0, -1
        is_alone = len(job.tests) == 1 and not job.stay and _children_are_listed()  # nothing is said, neither way
        self._control = theirs = None
        if not is_alone:  # not by `socket.socketpair`, which asks the kernel what it has made
            self._control, theirs = _socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        names = ("box", "stdin", "stdout", "stderr")
        self._box, self._stdin, self._stdout, self._stderr = files = [os.memfd_create(name) for name in names]
        for descriptor in (self._stdout, self._stderr):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
        protocol.write_all(self._box, job.pack(is_heard=not is_alone))
        if stdin:
            protocol.write_all(self._stdin, stdin)
        request = protocol.FORK.pack(int(cpu_s) + 2, memory_mib * _MIB, file_bytes)
        try:
            standard = (self._stdin, self._stdout, self._stderr)
            control = self._stdin if theirs is None else theirs.fileno()
            descriptors = array("i", (*standard, control, *files))
            zygote.sendmsg((request,), ((socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors),))
        except OSError as error:
            self.close()
            raise ZygoteLost(f"cannot reach the zygote: {error}") from error
        finally:
            if theirs is not None:
                theirs.close()

    def _greet(self) -> None:
        """Learn the child's process id, as seen from here, from the kernel. It stays 0 if the child has ended."""
        if self._pid or self.exit is not None:
            return
        if self._control is None:
            self._find()
            return
        self._control.settimeout(_PATIENCE_S)
        with suppress(OSError):  # Linux 6.5
            self._control.setsockopt(socket.SOL_SOCKET, _SO_PASSPIDFD, 1)
        try:
            message, ancillary, _, _ = self._control.recvmsg(64, 128)
        except OSError as error:
            raise ZygoteLost(f"the child did not start: {error}") from error
        if not message or message[0] != protocol.HELLO:
            raise ZygoteLost("the child died before it started")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                self._pid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
            elif level == socket.SOL_SOCKET and kind == _SCM_PIDFD:
                self._pidfd = int.from_bytes(data[:4], "little", signed=True)

    def _find(self) -> None:
        """The same of a child that does not speak: it is the only one of its zygote."""
        start = time.monotonic()
        while not self._is_dead(1.0):
            if time.monotonic() - start > _PATIENCE_S:
                raise ZygoteLost("the child did not start")
            for pid in _children(self._zygote_pid):
                with suppress(ProcessLookupError):
                    pidfd = os.pidfd_open(pid)
                    if pid in _children(self._zygote_pid):  # so the number has not become another process's
                        self._pid, self._pidfd = pid, pidfd
                        return
                    os.close(pidfd)

    def wait_for_job(self, num_tests: int, cpu_limit_s: float, wall_limit_s: float, stdout_bytes: int) -> Ran:
        """Wait for the end of the tests in the job that the process was started with."""
        clock = Clock(0, cpu_limit_s, wall_limit_s, 0.0)
        poll = self._poll(self._zygote)
        limit = ""
        if not self._ready(poll, _FIRST_PAUSE_MS):
            self._greet()
            self._let_loose()
            clock.begin(self._pid, _FIRST_PAUSE_MS / 1000)
            if self._control is not None:
                poll.register(self._control, select.POLLIN)
            limit = self._wait(poll, clock, stdout_bytes)
        return self._ran(clock, limit, num_tests)

    def run_tests(
        self,
        tests: protocol.Tests,
        stay: bool,
        stdin: bytes,
        cpu_limit_s: float,
        wall_limit_s: float,
        stdout_bytes: int,
    ) -> Ran:
        """Have a process that waits for requests run more tests by itself; see `protocol.Job`."""
        self._greet()
        body = marshal.dumps((tests, stay))
        self._fill(body, stdin)
        clock = Clock(self._pid, cpu_limit_s, wall_limit_s)
        limit = ""
        if self._send(protocol.RUN_TESTS, body):
            limit = self._wait(self._poll(self._control, self._zygote), clock, stdout_bytes)
        return self._ran(clock, limit, len(tests))

    def _ran(self, clock: Clock, limit: str, num_tests: int) -> Ran:
        reply = b"" if limit else self._reply()
        if not reply or reply[0] != protocol.DONE:  # it ended itself, or has to be ended
            exited = self.finish()
            cpu_s = max(0.0, exited.cpu_s - clock.start_cpu_s)
        else:
            cpu_s = clock.used_s()
        wall_s = clock.wall_s()
        size = os.fstat(self._box).st_size
        records, ended = read_records(_read(self._box, min(size, self._file_bytes), 0), num_tests)
        reusable = reply[-1:] == b"\1"
        return Ran(records, ended, reusable, cpu_s, wall_s, limit)

    def _reply(self) -> bytes:
        """The message that waits on the control socket, after a greeting; b"" if there is none."""
        if self._control is None or (not self._pid and self._is_dead()):
            return b""
        try:
            self._greet()
            self._control.settimeout(0.0)
            message = self._control.recv(64)
        except OSError:
            return b""
        return message if len(message) == protocol.REPLY.size else b""

    def begin_test(self) -> None:
        """From here on time counts for another test."""
        self._greet()
        self.cpu_s = self.wall_s = self._waited_s = self._looked_at_s = 0.0
        self._waited_before_s = run_delay_s(self._pid)

    @property
    def counted_wall_s(self) -> float:
        """Of the test so far, without waiting for a processor."""
        return self.wall_s - self._waited_s

    def next_step(
        self,
        request: int,
        body: bytes,
        stdin: bytes | None,
        cpu_limit_s: float,
        wall_limit_s: float,
        stdout_bytes: int,
    ) -> Reply:
        """One request, under what is left of the test's limits; the times of the result are those of the test."""
        reply = self.step(
            request,
            body,
            stdin=stdin,
            cpu_limit_s=max(0.0, cpu_limit_s - self.cpu_s),
            wall_limit_s=max(0.0, wall_limit_s - self.counted_wall_s),
            stdout_bytes=stdout_bytes,
        )
        self.cpu_s += reply.cpu_s
        self.wall_s += reply.wall_s
        if self.exit is None and self.wall_s - self._looked_at_s > _LOOK_AFTER_S:
            self._looked_at_s = self.wall_s
            self._waited_s = max(0.0, run_delay_s(self._pid) - self._waited_before_s)
        limit = reply.limit
        if reply.kind is not None and self.counted_wall_s > wall_limit_s + _LOOK_AFTER_S:
            limit = limit or "wall"
        return Reply(reply.kind, reply.report, reply.reusable, self.cpu_s, self.wall_s, limit)

    def step(
        self,
        request: int,
        body: bytes,
        *,
        stdin: bytes | None,
        cpu_limit_s: float,
        wall_limit_s: float,
        stdout_bytes: int,
    ) -> Reply:
        """Send one request and wait for its answer, a limit, or the process's death."""
        self._greet()
        self._fill(body, stdin)
        clock = Clock(self._pid, cpu_limit_s, wall_limit_s)
        if not self._send(request, body):
            return self._died(clock, "")
        limit = self._wait(self._poll(self._control), clock, stdout_bytes)
        wall_s = clock.wall_s()
        if limit:
            return self._died(clock, limit)
        message = self._reply()
        cpu = clock.cpu_s()
        if not message or cpu is None:
            return self._died(clock, "")
        kind, length, reusable = protocol.REPLY.unpack(message)
        report = os.pread(self._box, min(length, self._file_bytes), 0)
        used_s = cpu - clock.start_cpu_s
        return Reply(kind, report, bool(reusable), used_s, wall_s, "cpu" if used_s > cpu_limit_s else "")

    def _fill(self, body: bytes, stdin: bytes | None) -> None:
        """Put a request into the box and, unless None, a new standard input beside empty outputs."""
        os.ftruncate(self._box, 0)
        protocol.write_all(self._box, body)
        if stdin is not None:
            for descriptor in (self._stdin, self._stdout, self._stderr):
                os.ftruncate(descriptor, 0)
            protocol.write_all(self._stdin, stdin)

    def _send(self, request: int, body: bytes) -> bool:
        """Whether a request could be sent: not to a dead process."""
        assert self._control is not None
        try:
            self._control.send(bytes((request,)) + len(body).to_bytes(8, "little"))
        except OSError:
            return False
        return True

    def _poll(self, *sources: _socket.socket | None) -> select.poll:
        poll = select.poll()
        for source in (*sources, self._trainer):
            if source is not None:
                poll.register(source, select.POLLIN)
        return poll

    def _ready(self, poll: select.poll, timeout_ms: float) -> bool:
        """Whether one of the sources speaks within that time; raises Cancelled if it is the trainer."""
        events = poll.poll(timeout_ms)
        for descriptor, _ in events:
            if descriptor == self._trainer.fileno():
                raise Cancelled
            if descriptor == self._zygote.fileno():
                self._has_ended = True
        return bool(events)

    def _wait(self, poll: select.poll, clock: Clock, stdout_bytes: int) -> str:
        """Until the child speaks or dies ("") or a limit is reached (its name)."""
        while not self._ready(poll, clock.pause_ms()):
            self._let_loose()
            if os.fstat(self._stdout).st_size > stdout_bytes:
                return "output"
            if limit := clock.limit():
                return limit
        return ""

    def _let_loose(self) -> None:
        """A process that is not soon done may run on any processor, and everybody else comes between its turns."""
        if not self._is_loose and self._pid:
            self._is_loose = True
            with suppress(OSError):
                os.sched_setaffinity(self._pid, processors())
                libc.set_turn(self._pid, _LONG_TURN_MS)

    def _died(self, clock: Clock, limit: str) -> Reply:
        wall_s = clock.wall_s()
        exited = self.finish()
        return Reply(None, b"", False, max(0.0, exited.cpu_s - clock.start_cpu_s), wall_s, limit)

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

    def _kill(self) -> None:
        """Send SIGKILL to the child, if it is alive."""
        self._greet()
        with suppress(ProcessLookupError):
            if self._pidfd < 0 and self._pid:
                self._pidfd = os.pidfd_open(self._pid)
            if not self._is_dead():  # so the descriptor is not that of another process with its number
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _is_dead(self, timeout_ms: float = 0.0) -> bool:
        """Whether the zygote has reported the child's end, or does so within that time."""
        if not self._has_ended:
            poll = select.poll()
            poll.register(self._zygote, select.POLLIN)
            self._has_ended = bool(poll.poll(timeout_ms))
        return self._has_ended

    def finish(self) -> Exit:
        """Kill, wait until the zygote has reaped everything, and say how it ended. Idempotent."""
        if self.exit is None:
            if not self._is_dead():
                self._kill()
            if not self._is_dead(1000 * _PATIENCE_S):
                raise ZygoteLost(f"the zygote did not report within {_PATIENCE_S:g} s")
            try:
                message = self._zygote.recv(protocol.EXITED.size + 1, socket.MSG_DONTWAIT)
            except OSError as error:
                raise ZygoteLost(f"the zygote did not report: {error}") from error
            if len(message) != protocol.EXITED.size:
                raise ZygoteLost("the zygote died")
            status, spent, user_s, user_us, system_s, system_us, peak_kib = protocol.EXITED.unpack(message)
            self.zygote_is_spent = bool(spent)
            self.exit = Exit(status, user_s + system_s + (user_us + system_us) / 1e6, peak_kib / 1024)
        return self.exit

    def close(self) -> None:
        """Let go of every descriptor."""
        if self._control is not None:
            self._control.close()
        for descriptor in (self._box, self._stdin, self._stdout, self._stderr, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self._box = self._stdin = self._stdout = self._stderr = self._pidfd = -1


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
