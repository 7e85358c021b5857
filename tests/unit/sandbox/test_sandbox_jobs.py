"""Tests that a process runs by itself: records from hostile hands, limits of each test, the compiler."""

from __future__ import annotations

import math
import random
import struct
import sys
from collections.abc import AsyncIterator

import pytest

from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox
from mars2.sandbox.worker import wire
from mars2.sandbox.worker.protocol import IN_FILES, LAST, MORE, RECORD, VOID
from mars2.sandbox.worker.records import read_records

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
LIMITS = Limits(cpu_s=0.4, wall_s=3.0, memory_mib=128)


@pytest.fixture
async def sandbox() -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        yield sandbox


def test_records_are_read_until_the_last() -> None:
    more = RECORD.pack(MORE, 1, 2, 1, 0.5, math.nan) + b"roue"
    last = RECORD.pack(LAST, 1, IN_FILES, IN_FILES, -1.0, math.inf) + b"s"
    records, ended = read_records(more + last, 5)
    assert ended
    assert [(r.report, r.stdout, r.stderr) for r in records] == [(b"r", b"ou", b"e"), (b"s", None, None)]
    assert [(r.cpu_s, r.wall_s) for r in records] == [(0.5, 0.0), (0.0, 1e9)]
    assert read_records(more, 5) == (records[:1], False)
    assert read_records(more + last[:-1], 5) == (records[:1], False)
    assert read_records(more + RECORD.pack(VOID, 0, 0, 0, 0.0, 0.0), 5) == (records[:1], True)
    assert len(read_records(more * 9, 3)[0]) == 3


def test_records_of_random_bytes_do_no_harm() -> None:
    rng = random.Random(0)
    for _ in range(500):
        read_records(rng.randbytes(rng.randrange(200)), 4)
        sizes = [rng.choice([0, 3, 2**31, IN_FILES]) for _ in range(3)]
        read_records(struct.pack("<BIIIdd", rng.randrange(4), *sizes, 0.0, 0.0) + rng.randbytes(20), 4)


async def test_each_test_has_the_whole_limit(sandbox: ZygoteSandbox) -> None:
    """Five tests of half the CPU limit each, in one process: all are in time, and each is told its own time."""
    spend = "import time\nstart = time.process_time()\nwhile time.process_time() < start + 0.2: pass\n"
    program = spend + "n = int(input())\nprint(n)\n"
    verdict = await sandbox.judge(program, Suite(tuple(StdioTest(f"{n}\n", f"{n}\n") for n in range(5)), LIMITS))
    assert verdict.accepted, verdict
    assert all(0.15 < test.cpu_s < 0.35 for test in verdict.tests)


async def test_the_slow_test_is_the_one_that_is_late(sandbox: ZygoteSandbox) -> None:
    program = "n = int(input())\nwhile n == 7: pass\nprint(n)\n"
    tests = tuple(StdioTest(f"{n}\n", f"{n}\n") for n in range(10))
    verdict = await sandbox.judge(program, Suite(tests, LIMITS))
    assert [t.status for t in verdict.tests] == [Status.AC] * 7 + [Status.TLE] + [Status.SKIPPED] * 2
    verdict = await sandbox.judge(program, Suite(tests, LIMITS), stop_at_first_failure=False)
    assert [t.status for t in verdict.tests] == [Status.AC] * 7 + [Status.TLE] + [Status.AC] * 2


async def test_failures_in_the_middle(sandbox: ZygoteSandbox) -> None:
    program = "n = int(input())\nif n == 2: print(9)\nelif n == 4: raise KeyError(n)\nelse: print(n)\n"
    tests = tuple(StdioTest(f"{n}\n", f"{n}\n") for n in range(6))
    verdict = await sandbox.judge(program, Suite(tests, LIMITS), stop_at_first_failure=False)
    assert [str(t.status) for t in verdict.tests] == ["AC", "AC", "WA", "AC", "RE", "AC"]
    assert verdict.tests[4].error_type == "KeyError"
    assert verdict.tests[4].traceback.startswith("line 3, in <module>: elif n == 4")
    verdict = await sandbox.judge(program, Suite(tests, LIMITS))
    assert [str(t.status) for t in verdict.tests] == ["AC", "AC", "WA", "SKIPPED", "SKIPPED", "SKIPPED"]


async def test_output_and_values_of_every_size_in_one_program(sandbox: ZygoteSandbox) -> None:
    sizes = (0, 10, 20_000, 5, 600_000, 1)
    tests = tuple(StdioTest(f"{n}\n", "x" * n) for n in sizes)
    assert (await sandbox.judge("import sys\nsys.stdout.write('x' * int(input()))", Suite(tests, LIMITS))).accepted
    calls = tuple(CallTest("f", (n,), "x" * n) for n in sizes)
    assert (await sandbox.judge("def f(n): return 'x' * n", Suite(calls, LIMITS))).accepted


async def test_tests_of_every_kind_in_one_problem(sandbox: ZygoteSandbox) -> None:
    program = "def f(n): return n + 1\nif __name__ == '__main__': print(f(int(input())))\n"
    tests = (StdioTest("1", "2"), AssertTest("assert f(2) == 3"), CallTest("f", (3,), 4), StdioTest("4", "5"))
    assert (await sandbox.judge(program, Suite(tests, LIMITS))).accepted


async def test_a_source_that_breaks_the_compiler_harms_no_other(sandbox: ZygoteSandbox) -> None:
    good = (StdioTest("", "3\n"),)
    for source in ("-" * 120_000 + "1", "(" * 90_000, "x = [" + "[" * 60_000 + "]" * 60_000 + "]"):
        assert (await sandbox.judge(source, Suite(good, LIMITS))).status is Status.CE
        assert (await sandbox.judge("print(3)  # after " + source[:9], Suite(good, LIMITS))).accepted
    assert sandbox.num_worker_failures == 0


def test_a_frame_may_not_be_longer_than_asked_for() -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(wire.pack(b"x" * 100))
        with pytest.raises(OSError, match="100 bytes"):
            wire.receive(ours, most=99)
