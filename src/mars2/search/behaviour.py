"""What a program did on inputs without a known right output, in a form that is equal for equal behaviour."""

# Values are whatever tests hold.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from mars2.core.errors import SandboxUnavailable
from mars2.core.problem import NamedComparison, StdioTest, Test
from mars2.core.verdict import Status, TestResult, Verdict

Behaviour = tuple[str | None, ...]
"""One output for each input; None where the program failed (error, limit, a value that is not plain)."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_DIGITS = 6  # significant digits of a fraction, if the problem compares with a tolerance
_TOLERANT = ("tolerant", "livecodebench", "apps", "apps_wrapped", "codecontests")


def behaviour_of(verdict: Verdict, inputs: Sequence[Test], comparison: NamedComparison) -> Behaviour:
    """Outputs of a program that was judged on `inputs` (`stop_at_first_failure=False`).

    The judge shows about 2,000 characters of an output. Longer outputs count as equal if head, tail and length are
    equal. Under rules with a tolerance, fractions are rounded to six digits, so two near numbers that are rounded to
    different sides count as different.

    Raises:
        SandboxUnavailable: a result is the judge's own fault (IE).
    """
    results = verdict.tests if len(verdict.tests) == len(inputs) else [TestResult(verdict.status)] * len(inputs)
    return tuple(_output(result, test, comparison) for result, test in zip(results, inputs, strict=True))


def informative(behaviours: Mapping[int, Behaviour]) -> dict[int, Behaviour]:
    """The same without the inputs on which every program failed, because the problem probably does not allow them."""
    kept = [i for i, column in enumerate(zip(*behaviours.values(), strict=True)) if any(o is not None for o in column)]
    return {name: tuple(behaviour[i] for i in kept) for name, behaviour in behaviours.items()}


def _output(result: TestResult, test: Test, comparison: NamedComparison) -> str | None:
    if result.status is Status.IE:
        raise SandboxUnavailable("a verdict of IE is the judge's fault and says nothing of a program; judge it again")
    if result.status not in (Status.AC, Status.WA) or result.error_type:
        return None
    return _printed(result.actual, comparison) if isinstance(test, StdioTest) else _returned(result.actual, comparison)


def _printed(text: str, comparison: NamedComparison) -> str:
    if comparison == "codecontests":
        text = text.lower()
    lines = [[_token(token, comparison) for token in line.split()] for line in text.strip().split("\n")]
    match comparison:
        case "apps" | "apps_wrapped":
            return "\n".join(" ".join(line) for line in lines if line)
        case "tokens" | "codecontests":
            return " ".join(token for line in lines for token in line)
        case "unordered":
            return "\n".join(sorted(" ".join(line) for line in lines))
        case _:
            return "\n".join(" ".join(line) for line in lines)


def _token(token: str, comparison: NamedComparison) -> str:
    if comparison == "unordered" or _NUMBER.fullmatch(token) is None:
        return token
    try:
        return f"{_rounded(Decimal(token), comparison).normalize():f}"[:200]
    except (InvalidOperation, MemoryError):
        return token


def _rounded(number: Decimal, comparison: NamedComparison) -> Decimal:
    """A fraction as far as it counts; a whole number as it is."""
    if comparison not in _TOLERANT or number == number.to_integral_value():
        return number
    return Decimal(f"{number:.{_DIGITS}g}")


def _returned(text: str, comparison: NamedComparison) -> str:
    """A value's `repr`. Values that the judge calls equal get equal text (1, 1.0 and True; (1,) and [1])."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return text  # shortened, or no literal (inf, an object)
    if isinstance(value, tuple):
        value = [*value]
    if comparison == "unordered" and isinstance(value, list):
        return repr(sorted(_plain(item, comparison) for item in value))
    return _plain(value, comparison)


def _plain(value: Any, comparison: NamedComparison) -> str:
    match value:
        case bool() | int():
            return str(int(value))
        case float():
            value = float(_rounded(Decimal(value), comparison))
            return str(int(value)) if value.is_integer() else repr(value)
        case list():
            return f"[{', '.join(_plain(item, comparison) for item in value)}]"
        case tuple() if comparison in ("apps", "apps_wrapped"):
            return _plain([*value], comparison)
        case tuple():
            return f"({', '.join(_plain(item, comparison) for item in value)})"
        case set():
            return f"{{{', '.join(sorted(_plain(item, comparison) for item in value))}}}"
        case dict():
            items = sorted(f"{_plain(k, comparison)}: {_plain(v, comparison)}" for k, v in value.items())
            return f"dict({', '.join(items)})"
        case _:
            return repr(value)
