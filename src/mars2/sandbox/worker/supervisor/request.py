"""What the trainer asks of a judgement, and what a process is sent of its tests."""

from __future__ import annotations

import marshal
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ..protocol import RUN_ASSERT, RUN_CALL, RUN_STDIO
from .verdicts import Rules, Test


@dataclass(frozen=True, slots=True)
class Request:
    """A program, its tests (see `verdicts.Test`) and how they are judged."""

    program: str
    tests: list[Test]
    cpu_s: float
    wall_s: float
    memory_mib: int
    stdout_bytes: int
    stderr_bytes: int
    comparison: str
    stop_at_first_failure: bool
    hermetic: bool
    checker: str | None = None  # source; replaces `comparison`

    @property
    def rules(self) -> Rules:
        """What each test is held to."""
        comparison = self.comparison if self.checker is None else None
        return Rules(self.cpu_s, self.wall_s, self.stdout_bytes, comparison)


class Zygote(Protocol):
    """Where processes come from."""

    @property
    def pid(self) -> int:
        """Process id of the live one."""
        ...

    def connect(self) -> socket.socket:
        """The connection to a live zygote."""
        ...

    def discard(self) -> None:
        """End the zygote; the next `connect` starts another."""
        ...


def message_of(test: Test, version: int = marshal.version) -> tuple[int, bytes, bytes]:
    """Request kind, body (values in that version of marshal) and stdin of a test: no expected output is among them."""
    match test:
        case ("stdio", text, _):
            return RUN_STDIO, b"", text.encode("utf-8", "surrogatepass")
        case ("call", name, args, _):
            return RUN_CALL, marshal.dumps((name, args), version), b""
        case ("assert", code):
            return RUN_ASSERT, code.encode("utf-8", "surrogatepass"), b""
        case _:
            raise ValueError(f"unknown kind of test: {test[0]!r}")


def messages_until_assertion(tests: Iterable[Test]) -> Iterable[tuple[int, bytes, bytes]]:
    """The messages of tests up to the first that is not run by a process by itself."""
    for test in tests:
        if test[0] == "assert":
            return
        yield message_of(test)
