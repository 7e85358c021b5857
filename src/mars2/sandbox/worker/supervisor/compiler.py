"""Compiles candidates in a jailed process of its own, warmed up and kept, so that their own processes need not.

It runs no candidate: a source can make it work long, exhaust it or crash it, and then it is replaced. What it sends
back is read as hostile bytes, and the code among them only runs in a candidate's process.
"""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass

from .. import wire
from ..encoding import EncodingError, decode
from .clock import Clock
from .process import Cancelled, ZygoteLost
from .request import Zygote

CPU_S, WALL_S = 6.0, 13.0
_MOST_ANSWER_BYTES = 2**26
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled program."""

    packed: bytes  # its code, marshalled; hostile outside of the jail
    may_share: bool  # whether several of its tests may run in one process


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a program does not compile."""

    error_type: str
    error_message: str
    cpu_s: float = 0.0


def compile_program(source: bytes, scan: bool, zygote: Zygote, trainer: socket.socket) -> Program | Refused:
    """Have a program compiled; with `scan`, also find out whether it leaves nothing behind.

    Raises:
        Cancelled: the trainer no longer wants it.
        ZygoteLost: no compiling process can be had.
    """
    for _ in range(2):  # a crash is believed the second time
        try:
            answer = _ask(source, scan, zygote, trainer)
        except BaseException:
            zygote.discard()
            raise
        if answer is not None:
            break
        zygote.discard()
    else:
        return Refused("CompilationFailed", "the compiler crashed on the program")
    if isinstance(answer, Refused):
        zygote.discard()
        return answer
    try:
        match decode(answer):
            case ("compiled", bytes(packed), bool(may_share), bool(spent)):
                result = Program(packed, may_share)
            case ("refused", str(error_type), str(message), bool(spent)):
                result = Refused(error_type, message)
            case _:
                raise ZygoteLost("the compiler gave no answer")
    except EncodingError as error:
        raise ZygoteLost(f"the compiler's answer: {error}") from None
    if spent:
        zygote.discard()
    return result


def _ask(source: bytes, scan: bool, zygote: Zygote, trainer: socket.socket) -> bytes | Refused | None:
    """The answer; None if the process died; a refusal if it had to be stopped."""
    connection = zygote.connect()
    clock = Clock(zygote.pid, CPU_S, WALL_S)
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(trainer, select.POLLIN)
    connection.settimeout(_PATIENCE_S)
    try:
        connection.sendall(wire.pack((b"s" if scan else b"c") + source))
        while not (ready := {descriptor for descriptor, _ in poll.poll(clock.pause_ms())}):
            if limit := clock.limit():
                message = f"the program did not compile within the limits ({limit} time)"
                return Refused("CompilationFailed", message, clock.used_s())
        if trainer.fileno() in ready:
            raise Cancelled
        return wire.receive(connection, most=_MOST_ANSWER_BYTES)
    except (EOFError, OSError):
        return None
