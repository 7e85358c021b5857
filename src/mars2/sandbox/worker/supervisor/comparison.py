"""Decides, outside the jail, whether an output is right. Linear time and no exceptions, whatever the bytes.

`exact` is LiveCodeBench's rule (strip; split into lines; same number of lines; each pair of lines equal after strip,
else their tokens equal as exact decimals). Differs: `1_000` and non-ASCII digits are not numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ..encoding import EncodingError, Opaque, refuse_collisions

TOLERANCE = 1e-6  # absolute or relative, whichever is kinder
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
)


def outputs_equal(actual: str, expected: str, comparison: str) -> bool:
    """Whether what a program printed is what was expected, under the problem's rule."""
    if actual == expected:
        return True
    match comparison:
        case "tokens":
            return _tokens_equal(actual.split(), expected.split())
        case "tolerant":
            return _lines_equal(_lines(actual), _lines(expected), tolerant=True)
        case "unordered":
            return Counter(map(_canonical_line, _lines(actual))) == Counter(map(_canonical_line, _lines(expected)))
        case _:
            return _lines_equal(_lines(actual), _lines(expected), tolerant=False)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _canonical_line(line: str) -> str:
    return " ".join(line.split())


def _lines_equal(actual: Sequence[str], expected: Sequence[str], *, tolerant: bool) -> bool:
    if len(actual) != len(expected):
        return False
    return all(
        a == e or _tokens_equal(a.split(), e.split(), tolerant=tolerant) for a, e in zip(actual, expected, strict=True)
    )


def _tokens_equal(actual: Sequence[str], expected: Sequence[str], *, tolerant: bool = False) -> bool:
    if len(actual) != len(expected):
        return False
    close = _close_text if tolerant else _decimals_equal
    return all(a == e or close(a, e) for a, e in zip(actual, expected, strict=True))


def _decimals_equal(actual: str, expected: str) -> bool:
    """Equal as exact decimals: 0.50 = 0.5, 1e0 = 1; NaN equals nothing."""
    if _NUMBER.fullmatch(actual) is None or _NUMBER.fullmatch(expected) is None:
        return False
    try:
        return Decimal(actual) == Decimal(expected)
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return False


def _close_text(actual: str, expected: str) -> bool:
    if _decimals_equal(actual, expected):
        return True
    if _NUMBER.fullmatch(actual) is None or _NUMBER.fullmatch(expected) is None:
        return False
    return _close(float(actual), float(expected))


def _close(actual: float, expected: float) -> bool:
    if actual == expected:
        return True
    return abs(actual - expected) <= TOLERANCE * max(1.0, abs(expected)) and abs(expected) != float("inf")


def values_equal(actual: Any, expected: Any, comparison: str) -> bool:
    """Whether a function returned what was expected: `==` on plain values, a top-level tuple counting as a list."""
    if type(actual) is tuple:
        actual = [*actual]
    if type(expected) is tuple:
        expected = [*expected]
    try:
        match comparison:
            case "tolerant":
                return _close_values(actual, expected)
            case "unordered" if type(actual) is list and type(expected) is list:
                keys = [*map(_hashable, actual)]
                refuse_collisions(keys)
                return Counter(keys) == Counter(map(_hashable, expected))
            case _:
                return bool(actual == expected)
    except (ArithmeticError, EncodingError, MemoryError, RecursionError, TypeError, ValueError):
        return False


def _close_values(actual: Any, expected: Any) -> bool:
    if isinstance(actual, (int, float)) and isinstance(expected, (int, float)):
        if actual == expected:
            return True
        try:
            return _close(float(actual), float(expected))
        except OverflowError:
            return False
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(actual, type(expected))
            and len(actual) == len(expected)
            and all(_close_values(a, e) for a, e in zip(actual, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            type(actual) is dict
            and actual.keys() == expected.keys()
            and all(_close_values(actual[key], item) for key, item in expected.items())
        )
    return bool(actual == expected)


def _hashable(value: Any) -> Any:
    """A hashable stand-in that is equal exactly when the values are.

    Raises:
        EncodingError: the stand-ins of its parts were chosen to share one hash value.
    """
    if type(value) is list:
        return ("list", *map(_hashable, value))
    if type(value) is tuple:
        return ("tuple", *map(_hashable, value))
    if type(value) in (set, frozenset):
        return frozenset(value)
    if type(value) is dict:
        pairs = [(key, _hashable(item)) for key, item in value.items()]
        refuse_collisions(pairs)  # keys and items that do not collide can be chosen so that the pairs do
        return ("dict", frozenset(pairs))
    if type(value) is bytearray:
        return bytes(value)
    return value


def brief(value: Any, limit: int) -> str:
    """A bounded `repr` of a decoded value: no more than about `limit` characters, never an exception."""
    parts: list[str] = []
    _brief(value, parts, limit, 0)
    return shorten("".join(parts), limit)


def _brief(value: Any, parts: list[str], limit: int, depth: int) -> None:
    if sum(map(len, parts[-64:])) > limit or len(parts) > limit or depth > 50:
        if parts[-1:] != ["…"]:
            parts.append("…")
        return
    if type(value) in (list, tuple, set, frozenset):
        opening, closing = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}[type(value)]
        parts.append(opening)
        for index, item in enumerate(value):
            if index:
                parts.append(", ")
            _brief(item, parts, limit, depth + 1)
            if parts[-1] == "…":
                break
        parts.append("," + closing if type(value) is tuple and len(value) == 1 else closing)
    elif type(value) is dict:
        parts.append("{")
        for index, (key, item) in enumerate(value.items()):
            if index:
                parts.append(", ")
            _brief(key, parts, limit, depth + 1)
            parts.append(": ")
            _brief(item, parts, limit, depth + 1)
            if parts[-1] == "…":
                break
        parts.append("}")
    elif type(value) is int and value.bit_length() > 4000:
        parts.append(f"<integer of {value.bit_length()} bits>")
    elif isinstance(value, (str, bytes, bytearray)):
        parts.append(repr(value[: limit + 1]))
    elif isinstance(value, Opaque):
        parts.append(f"<{value.type_name} object>")
    else:
        try:
            parts.append(repr(value))
        except ValueError:  # an integer inside with more digits than Python prints
            parts.append(f"<{type(value).__name__}>")


def shorten(text: str, limit: int) -> str:
    """Head and tail of a long text, saying how much was left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def printable(text: str, limit: int) -> str:
    """A text from the jail, shortened, that can be printed anywhere: what is not printable is written as an escape."""
    text = shorten(text, limit)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
