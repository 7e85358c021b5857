"""The words that a supervisor, a zygote and a jailed process use with each other, so that each is declared once.

A job, requests and reports lie in the process's box, a file in memory; short messages on its control socket say so.
"""

from __future__ import annotations

import marshal
import os
import struct
from typing import Any, NamedTuple

from .encoding import encode

# To the zygote: fork a process with these limits. From it, once that process is dead: how it ended.
FORK = struct.Struct("<QQQ")  # CPU limit in s, memory in bytes over the base, largest file in bytes
EXITED = struct.Struct("=ib3x4qq104x")  # status, 1 if the zygote is spent; user s and µs, system s and µs, peak KiB
SPENT_AT, USAGE_AT, PEAK_AT = 4, 8, 40  # the second is a struct rusage, the last within it
PEAK = struct.Struct("=q")

# A jailed process's descriptors. The last three are the keepers of 0, 1 and 2.
CONTROL, BOX, STDIN, STDOUT, STDERR = 3, 4, 5, 6, 7
NUM_DESCRIPTORS = 8

# From a process, on the control socket.
REPLY = struct.Struct("<BIB")  # kind, bytes in the box, 1 if the process may run another test
HELLO, CALLING, DONE = b"hkd"  # kind of a reply

# To a process, on the control socket: one byte, then the number of bytes in the box (8, little-endian).
RUN_TESTS, RUN_STDIO, RUN_CALL, RUN_ASSERT, RUN_TESTER = b"RSCAT"
CHECK = ord("V")  # by a problem's own checker
COMPILE = ord("P")  # and run nothing: only asked of a remote service
BEGIN, SERVE_CALL, END = b"BKE"  # the steps of a test that runs apart, in a tester's process

# What a process writes of tests that it runs by itself.
RECORD = struct.Struct("<BIIIdd")  # MORE, LAST or VOID; bytes of report, stdout, stderr; CPU s and wall s as it says
MORE, LAST, VOID = 0, 1, 2  # first byte of a record; VOID: run this test again by itself
IN_FILES = 0xFFFFFFFF  # in a record: the output was left where it was printed

PROGRAM_NAME, TEST_NAME = "solution.py", "<test>"  # the names of sources in tracebacks
OUTPUT_TOO_LARGE = "OutputLimitExceeded"
EXIT_0: Any = ("exit", 0)
EXITED_WITH_0 = encode(EXIT_0)

Tests = list[tuple[int, bytes, bytes]]  # kind, body, standard input (of the first it is in its file already)


class Job(NamedTuple):
    """What a process is started with."""

    packed: bytes = b""  # code of the program, as the compiler marshalled it; empty where none is needed
    source: bytes = b""
    may_share: bool = False  # whether the process may run several of its tests
    stops: bool = True  # at the first failure
    cpu_slice_s: float = 0.0  # after which no other test is started without being asked to
    wall_slice_s: float = 0.0
    tests: Tests = []  # noqa: RUF012 (never changed)
    stay: bool = True  # whether to wait for requests after the last of them

    def pack(self, is_heard: bool) -> bytes:
        """The fields in order, then whether the other end of CONTROL is the supervisor's."""
        return marshal.dumps((*self, is_heard))


IDLE = Job()


def write_all(descriptor: int, data: bytes, position: int = 0) -> None:
    """Write at a position, however many calls it takes."""
    written = os.pwrite(descriptor, data, position)
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written : written + 2**20], position + written)
