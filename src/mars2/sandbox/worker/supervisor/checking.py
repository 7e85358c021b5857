"""Asks a problem's own checker about an answer, in a fresh process, the candidate's being dead."""

from __future__ import annotations

import socket

from ..encoding import EncodingError, encode
from ..program import checker
from ..protocol import CHECK, DONE
from .candidates import MIN_FILE_BYTES
from .process import Process
from .request import Zygote
from .verdicts import Test


def ask_checker(source: str, test: Test, answer: object, number: int, zygote: Zygote, trainer: socket.socket) -> str:
    """The status of the answer to a test: AC or WA.

    Raises:
        CheckerFailed: the checker does not say.
    """
    try:
        actual = encode(answer)
    except EncodingError:  # too large to be sent on
        return "WA"
    try:
        body = checker.message(source, test[1] if test[0] == "stdio" else test[2], test[-1], actual)
        return "AC" if checker.verdict(_report(body, zygote, trainer)) else "WA"
    except checker.CheckerFailed as failure:
        raise checker.CheckerFailed(f"test {number}: {failure}") from None


def _report(body: bytes, zygote: Zygote, trainer: socket.socket) -> bytes:
    process = Process(
        zygote.connect(),
        zygote.pid,
        trainer,
        cpu_s=checker.CPU_S,
        memory_mib=checker.MEMORY_MIB,
        file_bytes=MIN_FILE_BYTES,
    )
    try:
        reply = process.step(
            CHECK,
            body,
            stdin=b"",
            cpu_limit_s=checker.CPU_S,
            wall_limit_s=checker.WALL_S,
            stdout_bytes=MIN_FILE_BYTES,
        )
        if reply.limit:
            raise checker.CheckerFailed(f"did not end within its {reply.limit} limit")
        if reply.kind != DONE:
            raise checker.CheckerFailed("ended without an answer")
        return reply.report
    finally:
        try:
            process.finish()
            if process.zygote_is_spent:
                zygote.discard()
        finally:
            process.close()
