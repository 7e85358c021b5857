"""Where zygotes come from: a process that was forked off before the first test came, and never sees one.

A zygote is a fork, and its children are forks of it: they find in their memory all that was in their maker's. The
supervisor holds expected outputs from its first judgement on, so it must not be that maker.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..jail import libc
from ..jail.isolation import ChildLock, Isolation, Layers, start_with_connection
from ..zygote import zygote

_MOST_BYTES = 1 << 16  # of a message
_TESTER = f"{__name__.split('.supervisor.')[0]}.tester.tester"

Start = Callable[[str], tuple[socket.socket, Isolation]]  # makes a zygote of a kind; raises OSError


def start_zygote(settings: dict[str, Any], kind: str) -> tuple[socket.socket, Isolation]:
    """Make a zygote of this kind: "plain", "larger", "numpy", "tester", "tester numpy" or "compiler".

    What only one kind needs is imported by that: the others are forks of this process too. Raises OSError.
    """
    layers = Layers(bool(settings["namespaces"]), bool(settings["landlock"]), bool(settings["seccomp"]))
    if kind == "compiler":
        return start_with_connection(layers, socket.SOCK_STREAM, _rehearse_compiler, _serve_compiler)
    match kind:
        case "larger":
            return zygote.start(layers, zygote.LARGER)
        case "tester":
            return zygote.start(layers, _TESTER)
        case "numpy" | "tester numpy":
            folder = settings["numpy_folder"]
            layers = layers._replace(library_folders=(f"{folder}/numpy", f"{folder}/numpy.libs"))
            return zygote.start(layers, f"{zygote.LARGER if kind == 'numpy' else _TESTER} numpy", folder)
        case _:
            return zygote.start(layers)


def _rehearse_compiler() -> int:
    from ..program import compiling

    return compiling.rehearse()


def _serve_compiler(connection: socket.socket, held: Isolation, lock: ChildLock, base_bytes: int) -> None:
    from ..program import compiling

    compiling.serve(connection, lock, base_bytes)


class Nursery:
    """The supervisor's end. `start` is run in the nursery, which keeps none of `others` open.

    Raises EOFError once the nursery is gone: nothing can be judged without it.
    """

    def __init__(self, start: Start, *others: socket.socket) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        supervisor = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                for connection in (self._connection, *others):
                    connection.close()
                libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == supervisor:
                    _serve(theirs, start)
            finally:
                os._exit(0)
        theirs.close()

    def start(self, kind: str) -> tuple[socket.socket, Isolation]:
        """A new zygote. Raises OSError."""
        answer, descriptors = self._ask("start", kind)
        if "error" in answer:
            raise OSError(answer["error"])
        isolation = Isolation(**{**answer, "missing": tuple(answer["missing"])})
        return socket.socket(fileno=descriptors[0]), isolation

    def end(self, pid: int) -> None:
        """End a zygote and everything in its jail; returns when it is dead."""
        self._ask("end", pid)

    def close(self) -> None:
        """End the nursery, and with it all that it started."""
        self._connection.close()
        os.waitpid(self._pid, 0)

    def _ask(self, verb: str, subject: str | int) -> tuple[dict[str, Any], list[int]]:
        try:
            self._connection.send(json.dumps([verb, subject]).encode())
            message, descriptors, _, _ = socket.recv_fds(self._connection, _MOST_BYTES, 1)
        except OSError as error:
            raise EOFError(f"the nursery is gone: {error}") from error
        if not message:
            raise EOFError("the nursery is gone")
        return json.loads(message), descriptors


def _serve(supervisor: socket.socket, start: Start) -> None:
    """The nursery: makes and ends zygotes until the supervisor is gone."""
    live: set[int] = set()
    while message := supervisor.recv(_MOST_BYTES):
        verb, subject = json.loads(message)
        if verb == "end":
            if subject in live:  # else its number may be another process's by now
                live.remove(subject)
                _end(subject)
            supervisor.send(b"{}")
            continue
        try:
            connection, isolation = start(subject)
        except OSError as error:
            supervisor.send(json.dumps({"error": str(error)}).encode())
            continue
        live.add(isolation.pid)
        with connection:
            socket.send_fds(supervisor, [json.dumps(isolation._asdict()).encode()], [connection.fileno()])
    for pid in live:
        _end(pid)


def _end(pid: int) -> None:
    with suppress(ChildProcessError, ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
