"""Keeps the interpreter's code in huge pages, so that a forked child can use it without page faults.

A forked child starts without the pages of mapped files, and takes about sixty faults to run a small program. Huge pages
of anonymous memory are inherited: the kernel copies one entry for each 2 MiB.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from ..jail import libc

_HUGE = 2 << 20


def keep_interpreter() -> bool:
    """Move the interpreter, as far as huge pages cover it. False if that is impossible; nothing is changed then."""
    try:
        start, end = _read_only_around(ctypes.cast(ctypes.pythonapi.PyErr_Occurred, ctypes.c_void_p).value or 0)
        start, end = -(-start // _HUGE) * _HUGE, end // _HUGE * _HUGE
        if start >= end:
            return False
        _move(start, end - start)
    except OSError:  # no /proc, an older kernel than 6.1, no huge pages, a policy against executable memory
        return False
    return True


def _read_only_around(address: int) -> tuple[int, int]:
    """Start and end of the mappings without a gap, none of them writable, that hold an address."""
    start = end = 0
    for first, last, permissions in _mappings():
        if permissions in ("r--p", "r-xp"):
            if first != end:
                if start <= address < end:
                    break
                start = first
            end = last
    return (start, end) if start <= address < end else (0, 0)


def _mappings() -> Iterator[tuple[int, int, str]]:
    """Start, end and permissions of each."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            addresses, permissions, _ = line.split(None, 2)
            first, last = addresses.split("-")
            yield int(first, 16), int(last, 16), permissions


def _move(address: int, size: int) -> None:
    """Replace the pages at `address` by huge ones with the same content, all at once."""
    reserved = libc.map_memory(size + _HUGE)
    copy = -(-reserved // _HUGE) * _HUGE
    try:
        ctypes.memmove(copy, address, size)
        libc.advise_memory(copy, size, libc.MADV_COLLAPSE)
        libc.protect_memory(copy, size, libc.PROT_READ | libc.PROT_EXEC)
        libc.move_memory(copy, size, address)
    except OSError:
        libc.unmap_memory(reserved, size + _HUGE)
        raise
    end = reserved + size + _HUGE
    for start, stop in ((reserved, copy), (copy + size, end)):  # the address may be in use for something else by now
        if start < stop:
            libc.unmap_memory(start, stop - start)
