"""Frames between the trainer and a worker, both trusted; and which tests the worker still has from earlier frames."""

from __future__ import annotations

import marshal
import socket
import struct
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Any

_LENGTH = struct.Struct("<Q")
HEADER_BYTES = _LENGTH.size


def pack(payload: bytes) -> bytes:
    """A frame: 8 bytes little-endian length, then the payload."""
    return pack_length(len(payload)) + payload


def pack_length(length: int) -> bytes:
    return _LENGTH.pack(length)


def unpack_length(header: bytes) -> int:
    return _LENGTH.unpack(header)[0]


def receive(connection: socket.socket, most: int = 1 << 62) -> bytes:
    """The next payload. Raises EOFError when the other side is gone, OSError if there is more than `most` bytes."""
    length = unpack_length(_receive_exactly(connection, HEADER_BYTES))
    if length > most:
        raise OSError(f"a frame of {length} bytes")
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, count: int) -> bytes:
    buffer = bytearray(count)
    view = memoryview(buffer)
    received = 0
    while received < count:
        got = connection.recv_into(view[received:])
        if got == 0:
            raise EOFError("the other side closed the connection")
        received += got
    return bytes(buffer)


IN_PARTS = "parts"  # first item of what announces the parts of a long test's texts


def join(pieces: Iterable[bytes]) -> list[tuple[Any, ...]]:
    """The tests in `pieces`, all written by the trainer."""
    values = map(marshal.loads, pieces)
    tests: list[tuple[Any, ...]] = []
    for value in values:
        if value[0] == IN_PARTS:
            value = ("stdio", *("".join(islice(values, count)) for count in value[1:]))
        tests.append(value)
    return tests


class HeldTests:
    """Which tests a worker holds. Both sides keep this book alike, so that tests need not be sent again."""

    def __init__(self, most_bytes: int = 64 * 2**20) -> None:
        self._most_bytes = most_bytes
        self._sizes: OrderedDict[bytes, int] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        return key in self._sizes

    def add(self, key: bytes, size: int) -> list[bytes]:
        """Note new tests; returns the keys of those to forget, oldest first (never the new one)."""
        self._sizes[key] = size
        forgotten: list[bytes] = []
        while sum(self._sizes.values()) > self._most_bytes and len(self._sizes) > 1:
            forgotten.append(self._sizes.popitem(last=False)[0])
        return forgotten
