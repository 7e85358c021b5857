"""Runs several tests in one process, one after another, inside the jail."""

from __future__ import annotations

import os
from time import monotonic, process_time
from typing import Any, Protocol

from ..encoding import encode
from ..protocol import EXIT_0, EXITED_WITH_0, MORE, RECORD, VOID, Tests, write_all
from ..records import write_last

_MOST_INLINE = 1 << 14  # bytes printed by a test that are moved to its record
_MOST_RECORDED = 1 << 18  # bytes of records


class Candidate(Protocol):
    """What runs the tests."""

    keepers: tuple[int, int, int]
    box: int

    def run(self, kind: int, body: bytes) -> Any: ...

    def reset(self) -> bool: ...


def run_tests(
    candidate: Candidate, tests: Tests, stay: bool, stops: bool, cpu_slice_s: float, wall_slice_s: float
) -> bool:
    """Run tests of a `Job`, a record of each put into the box; returns whether this process may run more.

    It stops early when the time for tests that nobody watches is used up, or when there is much output.
    """
    box, keepers = candidate.box, candidate.keepers
    os.ftruncate(box, 0)
    end, left = 0, len(tests)
    first_cpu, first_wall = cpu, wall = process_time(), monotonic()
    for kind, body, stdin in tests:
        left -= 1
        if end:  # not the first
            os.ftruncate(keepers[0], 0)
            write_all(keepers[0], stdin)
        report = candidate.run(kind, body)
        data = EXITED_WITH_0 if report == EXIT_0 else encode(report)
        start_cpu, start_wall, cpu, wall = cpu, wall, process_time(), monotonic()
        if end and len(data) > _MOST_INLINE:
            write_all(box, RECORD.pack(VOID, 0, 0, 0, 0.0, 0.0), end)
            return False
        wanted = left and (data is EXITED_WITH_0 or not stops or report[0] not in ("exit", "error"))
        clean = bool(wanted or stay) and candidate.reset()
        in_time = cpu - first_cpu < cpu_slice_s and wall - first_wall < wall_slice_s
        printed = _printed(keepers) if wanted and clean and in_time and end < _MOST_RECORDED else None
        cpu_s, wall_s = cpu - start_cpu, wall - start_wall
        if printed is None:
            return write_last(box, data, end, cpu_s, wall_s) and clean
        record = RECORD.pack(MORE, len(data), *map(len, printed), cpu_s, wall_s) + data + printed[0] + printed[1]
        write_all(box, record, end)
        end += len(record)
    return True


def _printed(keepers: tuple[int, int, int]) -> tuple[bytes, bytes] | None:
    """What is in the files of stdout and stderr, which are then empty; None, and nothing done, if it is much."""
    _, stdout, stderr = keepers
    sizes = os.lseek(stdout, 0, os.SEEK_END), os.lseek(stderr, 0, os.SEEK_END)
    if max(sizes) > _MOST_INLINE:
        return None
    printed = os.pread(stdout, sizes[0], 0), os.pread(stderr, sizes[1], 0) if sizes[1] else b""
    os.ftruncate(stdout, 0)
    if sizes[1]:
        os.ftruncate(stderr, 0)
    return printed
