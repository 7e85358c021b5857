"""The zygote: a small process that has preloaded the standard library and forks one child per request.

It never sees a program, an input or an output: a child finds nothing of earlier judgements in the memory it inherits.
It is the first process of its own process namespace where there is one: whatever a child leaves running dies with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import re
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

from . import candidate, libc, sentinels
from .isolation import READY, ChildLock, Isolation, Layers, address_space_bytes, start_with_connection

_PRELOADED = """
__future__ abc array ast bisect cmath collections copy dataclasses datetime decimal enum fractions functools hashlib
heapq io itertools json math numbers operator random re statistics string struct textwrap threading time traceback types
typing
"""
FORK = struct.Struct("<QQQ")  # CPU limit in s, memory in bytes over the base, largest file in bytes
EXITED = struct.Struct("<iddQB")  # wait status, user s, system s, peak KiB, 1 if the zygote must be replaced
_OPEN_FILES = 256
_THREADS = 512  # of a candidate
_COUNTS_PER_NAMESPACE = (5, 14)  # the kernel since which a user namespace has a count of threads to itself


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a zygote has before its jail closes."""

    base_bytes: int  # its own size
    candidate: candidate.Candidate  # what each child starts from


def _serve(connection: socket.socket, isolation: Isolation, lock: ChildLock, prepared: _Prepared) -> None:
    """Fork on request until the supervisor is gone. Runs as the jail's first process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    gc.collect()
    gc.freeze()
    limits_threads = isolation.namespaces and _kernel() >= _COUNTS_PER_NAMESPACE
    connection.send(READY)
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, 64, 8)
        if not message:
            os._exit(0)
        cpu_s, memory_bytes, file_bytes = FORK.unpack(message)
        pid = libc.fork()
        if pid == 0:
            try:
                lock.enter_domain()
                if limits_threads:
                    resource.setrlimit(resource.RLIMIT_NPROC, (_THREADS, _THREADS))
                _become_child(descriptors, cpu_s, prepared.base_bytes + memory_bytes, file_bytes)
                lock.shut()
                candidate.serve(prepared.candidate)
            finally:
                os._exit(70)
        for descriptor in descriptors:
            os.close(descriptor)
        _, status, usage = os.wait4(pid, 0)
        _end_everything(isolation)
        clean = isolation.scratch_is_clean()
        connection.send(EXITED.pack(status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss, not clean))


def _kernel() -> tuple[int, ...]:
    """The kernel's version, as far as it is numbers."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", os.uname().release)[:2])


def _become_child(descriptors: list[int], cpu_s: int, memory_bytes: int, file_bytes: int) -> None:
    """Session, descriptors and limits of the process that will run a candidate."""
    os.setsid()
    first = candidate.CONTROL
    for offset, descriptor in enumerate(descriptors):  # received in ascending order, each at or above its place
        if descriptor != first + offset:
            os.dup2(descriptor, first + offset)
    for standard, keeper in enumerate((candidate.STDIN, candidate.STDOUT, candidate.STDERR)):
        os.dup2(keeper, standard)
    os.closerange(first + len(descriptors), _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def _end_everything(isolation: Isolation) -> None:
    """Kill and reap whatever the child left running."""
    while True:
        if isolation.namespaces:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            for orphan in isolation.children():  # a descendant whose parent died is ours: we are its subreaper
                os.kill(orphan, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def start(layers: Layers, library: tuple[str, str] | None = None) -> tuple[socket.socket, Isolation]:
    """Start a zygote from the supervisor; returns the connection to it and the isolation it has.

    `library` is a package to preload and the folder it is installed in.

    Raises:
        OSError: it cannot be started.
    """
    return start_with_connection(layers, socket.SOCK_SEQPACKET, lambda: _preload(library), _serve)


def _preload(library: tuple[str, str] | None) -> _Prepared:
    """Import what programs use, before the jail closes so that what must stay readable is known."""
    for name in _PRELOADED.split():
        importlib.import_module(name)
    candidate.install_exit_builtins()
    candidate.install_stack_size()
    sentinels.remember_all()
    ready = candidate.prepared()
    random.seed(0)  # programs that draw without a seed draw the same every time: verdicts repeat
    sys.argv = [candidate.PROGRAM_NAME]
    sys.orig_argv = ["python3", candidate.PROGRAM_NAME]
    sys.path[:] = [path for path in sys.path if path]
    if library is not None:
        name, folder = library
        sys.path.append(folder)
        importlib.import_module(name)
    return _Prepared(address_space_bytes(), ready)
