"""Length-prefixed frames between the trainer and a worker, both trusted."""

from __future__ import annotations

import socket
import struct

_LENGTH = struct.Struct("<Q")
HEADER_BYTES = _LENGTH.size


def pack(payload: bytes) -> bytes:
    """A frame: 8 bytes little-endian length, then the payload."""
    return _LENGTH.pack(len(payload)) + payload


def unpack_length(header: bytes) -> int:
    return _LENGTH.unpack(header)[0]


def receive(connection: socket.socket) -> bytes:
    """The next payload. Raises EOFError when the other side is gone."""
    return _receive_exactly(connection, unpack_length(_receive_exactly(connection, HEADER_BYTES)))


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
