"""The zygote: a small process that has preloaded the standard library and forks one child per request.

It never sees a program, an input or an output, so a child inherits nothing of earlier judgements.
It is the first process of its own process namespace, if there is one, so processes that a child leaves die with it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import random
import re
import signal
import socket
import sys
from array import array
from collections.abc import Callable
from functools import partial
from resource import (
    RLIMIT_AS,
    RLIMIT_CORE,
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_NOFILE,
    RLIMIT_NPROC,
    setrlimit,
)
from typing import NamedTuple

from ..jail import libc, namespaces
from ..jail.isolation import READY, ChildLock, Isolation, Layers, address_space_bytes, start_with_connection
from ..program.candidate import Candidate, install_exit_builtins, install_stack_size
from ..protocol import EXITED, FORK, NUM_DESCRIPTORS, PEAK, PEAK_AT, PROGRAM_NAME, SPENT_AT, USAGE_AT
from . import private_memory
from .child import serve
from .rehearsal import TIMES, fill_pools, rehearse

_PRELOADED = """
__future__ abc array bisect cmath collections copy decimal enum fractions functools heapq io itertools json math numbers
operator random re string struct threading time types typing
"""
LARGER = "ast dataclasses datetime hashlib inspect statistics textwrap traceback"  # not for every child to copy
_OPEN_FILES = 256
_DESCRIPTORS = array("i", range(NUM_DESCRIPTORS)).tobytes()
_THREADS = 512  # of a candidate
_MOST_KINDS = 64  # of limits to keep a child's first steps ready for
_COUNTS_PER_NAMESPACE = (5, 14)  # the kernel since which a user namespace has a count of threads to itself

Step = Callable[[], object]  # returns -1 or raises OSError if it fails


class _Prepared(NamedTuple):
    """What a zygote has before its jail closes."""

    base_bytes: int  # its own size
    candidate: Candidate  # what each child starts from


def _serve(connection: socket.socket, isolation: Isolation, lock: ChildLock, prepared: _Prepared) -> None:
    """Fork on request until the supervisor is gone. Runs as the jail's first process."""
    setrlimit(RLIMIT_CORE, (0, 0))
    setrlimit(RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if isolation.namespaces and _kernel() >= _COUNTS_PER_NAMESPACE:
        setrlimit(RLIMIT_NPROC, (_THREADS, _THREADS))
    os.closerange(0, libc.FIRST_OUT_OF_THE_WAY)  # so that what is received has the numbers of a candidate's descriptors
    steps_for: dict[bytes, tuple[Step, ...]] = {}
    aim = lock.filter.aim if lock.filter is not None and lock.filter.needs_aim else None
    ready = prepared.candidate
    # The calls of each round are made ready: what changes in this process while it shares its memory is copied.
    descriptors, report, blank = _DESCRIPTORS, bytearray(EXITED.size), bytes(EXITED.size)
    receive = partial(connection.recvmsg, FORK.size, socket.CMSG_SPACE(len(descriptors)))
    fork = libc.prepared("fork")  # without Python's at-fork handlers, which touch some 180 pages; there is one thread
    drop_descriptors = partial(os.closerange, 0, NUM_DESCRIPTORS)
    wait = libc.prepared("wait4", -1, libc.address_in(report), 0, libc.address_in(report, USAGE_AT))
    kill_all = libc.prepared("kill", -1, signal.SIGKILL)
    scratch = namespaces.ScratchWatch() if isolation.namespaces else None
    send_report = partial(connection.send, report)
    random.seed(0)  # programs that draw without a seed draw the same: verdicts repeat (here: a fork draws a seed)
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random").seed(0)
    for _ in range(TIMES):
        if aim is not None:
            aim(os.getpid())
        partial(os.stat, "/")()
    gc.collect()
    fill_pools()
    gc.freeze()
    connection.send(READY)
    while True:
        message, ancillary, _, _ = receive()
        if not message:
            os._exit(0)
        if not ancillary or ancillary[0][2] != descriptors:
            raise OSError("a request without its descriptors")
        steps = steps_for.get(message)
        if steps is None:
            if len(steps_for) >= _MOST_KINDS:
                steps_for.clear()
            steps = steps_for[message] = _first_steps(lock, prepared.base_bytes, *FORK.unpack(message))
        pid = fork()
        if pid == 0:
            try:
                if aim is not None:
                    aim(os.getpid())
                for step in steps:
                    if step() == -1:
                        raise OSError("a child cannot enter its jail")
                serve(ready)
                os._exit(0)
            finally:
                os._exit(70)
        if pid == -1:
            raise OSError("cannot fork")
        drop_descriptors()
        while (ended := wait()) != pid:  # another is an orphan that the child left
            if ended == -1:
                raise OSError("no child to wait for")
        if scratch is None:
            _end_everything(isolation)
        else:
            if kill_all() == 0:  # some process was left
                _end_everything(isolation)
            if scratch.forget_times() == -1 or scratch.look() == -1:
                raise OSError("no scratch folder")
            if scratch.now != scratch.empty:
                PEAK.pack_into(report, PEAK_AT, PEAK.unpack_from(report, PEAK_AT)[0] + scratch.used_kib())
                _in_another_process(namespaces.clean_scratch)
                scratch.forget_times()
                scratch.look()
                report[SPENT_AT] = scratch.now != scratch.empty
        send_report()
        report[:] = blank  # the next child must not read it


def _first_steps(lock: ChildLock, base_bytes: int, cpu_s: int, memory_bytes: int, file_bytes: int) -> tuple[Step, ...]:
    """What a child does before it runs a candidate, made ready by the zygote: its domain, group, limits, filter."""
    steps = [libc.prepared("setpgid", 0, 0), partial(os.closerange, NUM_DESCRIPTORS, _OPEN_FILES)]
    for limit, most in (
        (RLIMIT_CPU, cpu_s),
        (RLIMIT_AS, base_bytes + memory_bytes),
        (RLIMIT_FSIZE, file_bytes),
    ):
        steps.append(libc.prepared("setrlimit", limit, (ctypes.c_ulong * 2)(most, most)))
    if lock.domain is not None:
        steps.insert(0, lock.domain.restrict)
    if lock.filter is not None:
        steps.append(lock.filter.load)
    return tuple(steps)


def _in_another_process(step: Step) -> None:
    """Do something that may fail, and of which this process is to remember nothing."""
    pid = os.fork()
    if pid == 0:
        try:
            step()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _kernel() -> tuple[int, ...]:
    """The kernel's version, as far as it is numbers."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", os.uname().release)[:2])


def _end_everything(isolation: Isolation) -> None:
    """Kill and reap whatever the child left running."""
    while True:
        if isolation.namespaces:
            libc.kill_all()
        else:
            for orphan in isolation.children():  # a descendant whose parent died is ours: we are its subreaper
                os.kill(orphan, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def start(layers: Layers, modules: str = "", folder: str = "") -> tuple[socket.socket, Isolation]:
    """Start a zygote from the nursery; returns the connection to it and the isolation it has.

    `modules` is what to preload besides the usual; some of it is installed in `folder`.

    Raises:
        OSError: it cannot be started.
    """
    return start_with_connection(layers, socket.SOCK_SEQPACKET, lambda: _preload(modules, folder), _serve)


def _preload(modules: str = "", folder: str = "") -> _Prepared:
    """Import what programs use, before the jail closes so that what must stay readable is known."""
    for name in _PRELOADED.split():
        importlib.import_module(name)
    install_exit_builtins()
    install_stack_size()
    private_memory.install()
    ready = rehearse()
    sys.argv = [PROGRAM_NAME]
    sys.orig_argv = ["python3", PROGRAM_NAME]
    sys.path[:] = [path for path in sys.path if path]
    if folder:
        sys.path.append(folder)
    for name in modules.split():
        importlib.import_module(name)
    return _Prepared(address_space_bytes(), ready)
