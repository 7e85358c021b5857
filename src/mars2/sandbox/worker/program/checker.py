"""Runs a problem's own checker, in a jailed process that has never run a candidate's code.

The checker is the problem author's, but what it looks at is the candidate's: values go in as data, a bool comes out.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any

from ..encoding import EncodingError, decode, encode

CPU_S, WALL_S, MEMORY_MIB = 6.0, 13.0, 1024  # of one call of a checker
CHECKER_NAME = "<checker>"
_MAX_MESSAGE = 300


class CheckerFailed(Exception):
    """The checker raised, hung or gave no bool: the judge's own fault."""


def message(source: str, given: object, expected: object, actual: bytes) -> bytes:
    """What `run` reads. Each value is written by itself, as `actual` is already, so that none is nested deeper.

    Raises:
        CheckerFailed: the test's own values cannot be carried.
    """
    try:
        return encode((source, encode(given), encode(expected), actual))
    except EncodingError as error:
        raise CheckerFailed(f"cannot be given the test's values: {error}") from None


def run(body: bytes) -> Any:
    """Inside the jail: call the checker. The report is ("checked", bool) or ("failed", why)."""
    try:
        source, *values = decode(body)
        namespace: dict[str, Any] = {"__name__": "checker", "__builtins__": builtins}
        exec(compile(source, CHECKER_NAME, "exec", dont_inherit=True), namespace)
        answer = namespace["check"](*map(decode, values))
        if type(answer) is bool:
            return ("checked", answer)
        return ("failed", f"returned {type(answer).__name__}, not a bool")
    except BaseException as error:
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 5_000))  # room to tell of an exhausted recursion
        return ("failed", _describe(error))


def verdict(report: bytes) -> bool:
    """Outside the jail: what the checker said.

    Raises:
        CheckerFailed: it did not say.
    """
    match decode(report):
        case ("checked", bool(answer)):
            return answer
        case ("failed", str(why)):
            raise CheckerFailed(why)
        case _:
            raise CheckerFailed("gave no answer")


def _describe(error: BaseException) -> str:
    """Type, message and line of an error, in one printable line."""
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == CHECKER_NAME:
            line = step.tb_lineno
        step = step.tb_next
    try:
        text = " ".join(str(error)[:_MAX_MESSAGE].split())
    except BaseException:
        text = ""
    text = "".join(c if c.isprintable() else "?" for c in text)
    where = f" (line {line})" if line else ""
    return f"raised {type(error).__name__}{': ' + text if text else ''}{where}"
