"""Writes Python values that JSON lacks (tuples, sets, dictionaries with keys other than text) as tagged objects."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

from mars2.core.explain import HALF_CHARACTER

MAX_DEPTH = 200
"""How deep values may be nested: well below Python's recursion limit."""
MAX_INT_BITS = 13_280  # 4,000 digits less a few
_TAGS = ("$tuple", "$set", "$dict")


def integer(digits: str) -> int:
    """An integer of any length, for `json.loads(parse_int=…)`: `int` refuses long text."""
    return int(digits) if len(digits) < 4000 else int(Decimal(digits))


def encode(value: Any) -> Any:
    """`value` as JSON data: ``(1, 2)`` becomes ``{"$tuple": [1, 2]}``.

    Raises:
        TypeError: a type other than None, bool, int, float, str, list, tuple, set, frozenset and dict.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [encode(v) for v in value]
        case tuple():
            return {"$tuple": [encode(v) for v in value]}
        case set() | frozenset():
            return {"$set": [encode(v) for v in sorted(value, key=repr)]}
        case dict():
            if all(isinstance(k, str) for k in value) and not _is_tagged(value):
                return {k: encode(v) for k, v in value.items()}
            return {"$dict": [[encode(k), encode(v)] for k, v in value.items()]}
        case _:
            raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def decode(data: Any, room: int = MAX_DEPTH) -> Any:
    """The value that `encode` wrote as `data`; `room` is how deep it may be nested.

    Raises:
        ValueError: a tag without a fitting list, a type that a problem file cannot hold, half a character, or nested
            too deeply.
    """
    if room == 0:
        raise ValueError(f"nested more than {MAX_DEPTH} deep; flatten the data")
    room -= 1
    match data:
        case int() if data.bit_length() > MAX_INT_BITS:
            raise ValueError("holds an integer of more than 4,000 digits, which Python does not write; give it as text")
        case None | bool() | int() | float():
            return data
        case str():
            return _whole(data)
        case list():
            return [decode(v, room) for v in data]
        case {"$tuple": list() as items} if len(data) == 1:
            return tuple(decode(v, room) for v in items)
        case {"$set": list() as items} if len(data) == 1:
            return {_hashable(decode(v, room)) for v in items}
        case {"$dict": list() as pairs} if len(data) == 1:
            if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
                raise ValueError('"$dict" must hold a list of [key, value] pairs')
            return {_hashable(decode(k, room)): decode(v, room) for k, v in pairs}
        case dict():
            if _is_tagged(data):
                raise ValueError(f'"{next(iter(data))}" must hold a list')
            return {_hashable(decode(k, room)): decode(v, room) for k, v in data.items()}
        case _:
            raise ValueError(f"{data!r} is a {type(data).__name__}; put it in quotes if it is meant as text")


def is_plain(value: Any) -> bool:
    """Whether `encode` can write `value`."""
    try:
        encode(value)
    except (TypeError, RecursionError):
        return False
    return True


def json_fault(data: Any) -> str | None:
    """Why `data` cannot be written as JSON, with a remedy; None if it can."""
    try:
        json.dumps(data, ensure_ascii=False, default=_no_json).encode()
    except UnicodeEncodeError:
        return HALF_CHARACTER
    except RecursionError:
        return "nested too deeply; flatten the data"
    except TypeError as error:
        return str(error)
    except ValueError:
        return "holds itself; write it out"
    return None


def _no_json(value: Any) -> NoReturn:
    raise TypeError(f"a {type(value).__name__} is not JSON; put it in quotes if it is meant as text")


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:40]!r} {HALF_CHARACTER}") from None
    return text


def _is_tagged(data: dict[Any, Any]) -> bool:
    return len(data) == 1 and next(iter(data)) in _TAGS


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise ValueError(f"{value!r} cannot be in a set or be a key; use a $tuple instead of a list") from None
    return value
