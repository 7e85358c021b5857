"""Records of tests that a process ran by itself: written inside the jail, read outside as hostile bytes."""

from __future__ import annotations

import os
from typing import NamedTuple

from .encoding import encode
from .protocol import EXITED_WITH_0, IN_FILES, LAST, MORE, OUTPUT_TOO_LARGE, RECORD, VOID, write_all

EXITED_RECORD = RECORD.pack(LAST, len(EXITED_WITH_0), IN_FILES, IN_FILES, 0.0, 0.0) + EXITED_WITH_0
_TOO_LARGE = ("error", OUTPUT_TOO_LARGE, "the returned value is larger than the output limit", "")


class Record(NamedTuple):
    """What a process wrote of one test. `stdout` and `stderr` are None if they are in their files."""

    report: bytes
    stdout: bytes | None
    stderr: bytes | None
    cpu_s: float  # as the process says
    wall_s: float


NO_RECORD = Record(b"", None, None, 0.0, 0.0)  # of a process that says that it ran no test


class Share(NamedTuple):
    """What one test that a process ran by itself used. Without a record it was under way when the process ended."""

    record: Record | None
    cpu_s: float
    wall_s: float
    limit: str  # "cpu", "wall" or "output" if that limit ended it


def write_last(box: int, data: bytes, end: int = 0, cpu_s: float = 0.0, wall_s: float = 0.0) -> bool:
    """Inside: record a test whose output stays in the files; whether there was room."""
    try:
        write_all(box, RECORD.pack(LAST, len(data), IN_FILES, IN_FILES, cpu_s, wall_s) + data, end)
    except OSError:  # larger than the output limit
        data = encode(_TOO_LARGE)
        os.ftruncate(box, 0)
        write_all(box, RECORD.pack(LAST, len(data), IN_FILES, IN_FILES, 0.0, 0.0) + data)
        return False
    return True


def write_report(box: int, data: bytes) -> int:
    """Inside: put a report alone into the box; returns its size."""
    os.ftruncate(box, 0)
    try:
        write_all(box, data)
    except OSError:  # larger than the output limit
        data = encode(_TOO_LARGE)
        os.ftruncate(box, 0)
        write_all(box, data)
    return len(data)


def read_records(data: bytes, most: int) -> tuple[list[Record], bool]:
    """Outside: the whole records at the start of `data`, and whether the last of them says that it is the last."""
    records: list[Record] = []
    position = 0
    while len(records) < most and position + RECORD.size <= len(data):
        kind, *sizes, cpu_s, wall_s = RECORD.unpack_from(data, position)
        if kind == VOID:
            return records, True
        position += RECORD.size
        in_files = kind != MORE
        ends = [position + sizes[0]]
        if not in_files:
            ends += [ends[0] + sizes[1], ends[0] + sizes[1] + sizes[2]]
        if ends[-1] > len(data):
            break
        texts = (None, None) if in_files else (data[ends[0] : ends[1]], data[ends[1] : ends[2]])
        records.append(Record(data[position : ends[0]], *texts, _seconds(cpu_s), _seconds(wall_s)))
        if in_files:
            return records, True
        position = ends[-1]
    return records, False


def _seconds(said: float) -> float:
    """A duration, whatever a hostile process says; NaN is 0."""
    return min(max(said, 0.0), 1e9) if said == said else 0.0
