"""Runs whole judgements in the zygote, with programs of our own, before the jail closes.

Whatever is looked up, specialized and cached here need not be done in each child. A child copies every page that it
changes, and that is most of its cost.
"""

from __future__ import annotations

import fcntl
import gc
import marshal
import os
import socket
import sys

from ..jail import libc
from ..program.candidate import Candidate
from ..protocol import BOX, CONTROL, NUM_DESCRIPTORS, PROGRAM_NAME, RUN_CALL, RUN_STDIO, STDERR, STDIN, STDOUT, Job
from .child import serve

_SMALLEST, _LARGEST, _POOL_BYTES = 16, 512, 1 << 14  # of the interpreter's allocator
_FILLERS: list[object] = []
TIMES = 20  # the interpreter specializes code after eight
_PROGRAMS = (
    "import sys\ndef main():\n    for line in sys.stdin:\n        print(sum(map(int, line.split())))\nmain()\n",
    "n, m = map(int, input().split())\nvalues = [int(text) for text in input().split()]\nprint(n + m, *values)\n",
    "from collections import deque\nclass Solution:\n    def __init__(self): self.seen = deque()\n"
    "    def f(self, a): return [x for x in a if x > 0]\n",
)
_NO_SLICE_S = 1e9  # of CPU and of wall time
_INPUT = b"1 2\n3 4\n"
_CALL = marshal.dumps(("f", ([1, -1],)))


def rehearse() -> Candidate:
    """What each child starts from. Afterwards its descriptors are free."""
    ours = _make_descriptors()
    gc.collect()
    gc.freeze()  # each test ends with a collection, which then need not look at all of the library
    for job in _jobs() * TIMES:
        os.ftruncate(BOX, 0)
        os.pwrite(BOX, job.pack(is_heard=True), 0)
        started = _started(_INPUT)
        started.leave = _stay
        serve(started)
        os.read(ours, 64)  # its greeting
    ready = _started(b"")
    os.close(ours)
    os.closerange(0, NUM_DESCRIPTORS)
    del sys.modules["solution"]
    return ready


def _stay(_status: int) -> None:
    """Replaces the child's exit: this process has more to do."""


def _started(stdin: bytes) -> Candidate:
    """A candidate with files as a new process has them."""
    for standard, keeper in enumerate((STDIN, STDOUT, STDERR)):
        os.ftruncate(keeper, 0)
        os.lseek(keeper, 0, os.SEEK_SET)
        os.dup2(keeper, standard)
    os.pwrite(STDIN, stdin, 0)
    started = Candidate()
    started.settle()
    return started


def _make_descriptors() -> int:
    """The descriptors of a candidate; returns the other end of its control socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.shutdown(socket.SHUT_WR)  # a read for another request then sees the end of the stream
    descriptor = libc.out_of_the_way(ours.detach())
    with theirs:
        os.dup2(theirs.fileno(), CONTROL)
    for place in (BOX, STDIN, STDOUT, STDERR):
        file = libc.out_of_the_way(os.memfd_create("rehearsal"))
        if place in (STDOUT, STDERR):
            fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
        os.dup2(file, place)
        os.close(file)
    return descriptor


def _jobs() -> list[Job]:
    """One test in a process, and several."""
    jobs: list[Job] = []
    for source in _PROGRAMS:
        packed = marshal.dumps(compile(source, PROGRAM_NAME, "exec", dont_inherit=True))
        test = (RUN_CALL, _CALL, b"") if "Solution" in source else (RUN_STDIO, b"", _INPUT)
        jobs.append(Job(packed, source.encode(), tests=[test], stay=False))
        slices = (_NO_SLICE_S, _NO_SLICE_S)
        jobs.append(Job(packed, source.encode(), True, True, *slices, [test] * 3, stay=False))
    return jobs


def fill_pools() -> None:
    """Fill the allocator's half-used pools, so that new objects of a child lie together, in pages of their own.

    A pool of the interpreter's small objects has 16 KiB. A new object in a half-used pool changes two of its pages, the
    first one and that of the object, and both have to be copied.
    """
    for size in range(_SMALLEST, _LARGEST + 1, _SMALLEST):
        for _ in range(_POOL_BYTES // size + 1):
            filler = object() if size == 16 else 0.5 + len(_FILLERS) if size == 32 else bytes(size - sys.getsizeof(b""))
            if id(filler) % _POOL_BYTES < _SMALLEST * 4:  # the first of a new pool, which is free again without it
                break
            _FILLERS.append(filler)
