"""How a supervisor shares a process among tests: how many it gives at once, and who of them used what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..protocol import Tests
from ..records import NO_RECORD, Record, Share

_MOST_BYTES = 1 << 18  # inputs of tests that a process runs by itself, the first not counted
_CPU_SLICE_S, _WALL_SLICE_S = 0.01, 0.05  # after which a process starts no further test by itself …
_SLICE = 0.02  # … or this share of the limit, if that is less


class Slices(NamedTuple):
    """How long a process runs tests without being asked to go on. Its limits are that much longer."""

    cpu_s: float
    wall_s: float


def slices(cpu_limit_s: float, wall_limit_s: float) -> Slices:
    """Those for tests with these limits."""
    return Slices(min(_CPU_SLICE_S, _SLICE * cpu_limit_s), min(_WALL_SLICE_S, _SLICE * wall_limit_s))


def at_once(first: tuple[int, bytes, bytes], others: Iterable[tuple[int, bytes, bytes]]) -> Tests:
    """Those of these tests that a process is given at once: the first, and of the others as many as are not long."""
    tests = [first]
    size = 0
    for test in others:
        size += len(test[1]) + len(test[2])
        if size > _MOST_BYTES:
            break
        tests.append(test)
    return tests


def shares(
    records: list[Record],
    ended: bool,
    num_tests: int,
    cpu_s: float,
    wall_s: float,
    limit: str,
    over: tuple[float, float],
) -> list[Share]:
    """Divide among tests what a process used for all of them; what it says of itself only serves to share.

    `ended` says that the last record is that of the last test run; else another test was under way. `over` are the
    CPU limit of one test, and that with a slice added. None are returned for tests that are to be run again.
    """
    records = records if ended else records[: num_tests - 1]
    said_s = sum(record.cpu_s for record in records)
    scale = min(1.0, cpu_s / said_s) if said_s else 1.0
    rest_s = max(0.0, cpu_s - said_s)
    found: list[Share] = []
    for index, record in enumerate(records):
        its_limit = ""
        if ended and index + 1 == len(records):
            its_limit = limit or ("cpu" if cpu_s > over[0] else "")
            if index and its_limit == "cpu" and cpu_s <= over[1]:
                return found  # too close to tell from those before it
        used_s = record.cpu_s * scale + (rest_s if ended and index == 0 else 0.0)
        found.append(Share(record, used_s, min(record.wall_s, wall_s), its_limit))
    if not ended:
        found.append(Share(None, rest_s, max(0.0, wall_s - sum(record.wall_s for record in records)), limit))
    elif not records:
        found.append(Share(NO_RECORD, rest_s, wall_s, ""))
    return found
