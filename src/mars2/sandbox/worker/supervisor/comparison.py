"""Decides, outside the jail, whether an answer is right: every rule of comparison, and whose rule it is.

All are of linear time and raise nothing, whatever the bytes. Under every rule but `exact`, `tokens` and `unordered`
(exact decimals) a number may be near the expected one. Integers are not blurred by that: two whole numbers of which one
is written as an integer must be equal (1000001 is not 1000000), and a fraction near an integer is 1e-5 from it at most.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from ..encoding import EncodingError, refuse_collisions

RULES = {
    "exact": "lines without surrounding white space; tokens equal as text or as exact decimals (0.50 = 0.5)",
    "tolerant": "as exact, but numbers may differ by 1e-6, absolute or relative",
    "tokens": "tokens as in exact, however white space separates them",
    "unordered": "the same lines, or elements of a returned list, in any order",
    "livecodebench": "LiveCodeBench, lcb_runner/evaluation/testing_util.py, grade_stdio and grade_call_based: stripped "
    "lines, equal as text or by all their numbers as decimals; a returned tuple is a list. Differs: fractions may be "
    "off by 1e-6 (printed) or 1e-5 (returned), as AtCoder and LeetCode allow",
    "apps": "APPS, eval/testing_util.py, and its successors in TACO, metrics/testing_util.py, and DeepCoder, "
    "rllm/rewards/code_utils/taco.py: blank lines and spaces do not count, numbers are close as in numpy.allclose, "
    "tuples are lists. Differs: returned floats may be close too; lines and tokens keep their order and number",
    "apps_wrapped": "as apps, where the data wrap each result in a list: a function may return it with or without",
    "codecontests": "CodeContests, execution/tester_sandboxer.cc, OutputsMatch: tokens in lower case; numbers less "
    "than 1e-5 apart. Differs: integers must be equal beyond 2**53 too",
}
"""What each rule does, and where it is from; the names are those of `mars2.core.problem.NamedComparison`."""

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
)
_INTEGER = re.compile(r"[+-]?[0-9_]+")
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_CODECONTESTS_TOKEN = re.compile(r"[^ \n\t\r\v]+")
_CONTEXT = Context(prec=28, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_FROM_INTEGER = Decimal("1e-5")  # how far at most a fraction may be from an integer that is expected
_MOST_KEY_DIGITS = 20  # of a key of a JSON object that may stand for an integer

Near = Callable[[Decimal, Decimal], bool]  # (actual, expected), both finite and not equal


def _within(share: Decimal, absolute: Decimal | None = None) -> Near:
    """Nearer than `share` of the expected number plus `absolute`; by default than `share` of it or of 1."""

    def near(actual: Decimal, expected: Decimal) -> bool:
        size = expected.copy_abs()
        if absolute is None:
            allowed = _CONTEXT.multiply(share, max(size, Decimal(1)))
        else:
            allowed = _CONTEXT.add(absolute, _CONTEXT.multiply(share, size))
        return _CONTEXT.subtract(actual, expected).copy_abs() <= allowed

    return near


_MILLIONTH = _within(Decimal("1e-6"))
_LEETCODE = _within(Decimal("1e-5"))
_NUMPY = _within(Decimal("1e-5"), Decimal("1e-8"))


def _codecontests_near(actual: Decimal, expected: Decimal) -> bool:
    return abs(float(actual) - float(expected)) < 1e-5


def outputs_equal(actual: str, expected: str, comparison: str) -> bool:
    """Whether what a program printed is what was expected, under the problem's rule."""
    if actual == expected:
        return True
    match comparison:
        case "tokens":
            return _tokens_equal(actual.split(), expected.split())
        case "codecontests":
            found, wanted = (_CODECONTESTS_TOKEN.findall(text.translate(_LOWER)) for text in (actual, expected))
            return _tokens_equal(found, wanted, _codecontests_near)
        case "unordered":
            return Counter(map(_canonical_line, _lines(actual))) == Counter(map(_canonical_line, _lines(expected)))
        case "livecodebench":
            return _all_equal(_livecodebench_line, _lines(actual), _lines(expected))
        case "apps" | "apps_wrapped":
            found, wanted = ([line.split() for line in _lines(text) if line] for text in (actual, expected))
            return _all_equal(lambda a, e: _tokens_equal(a, e, _NUMPY), found, wanted)
        case _:
            near = _MILLIONTH if comparison == "tolerant" else None
            return _all_equal(
                lambda a, e: a == e or _tokens_equal(a.split(), e.split(), near), _lines(actual), _lines(expected)
            )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _canonical_line(line: str) -> str:
    return " ".join(line.split())


def _all_equal(equal: Callable[[Any, Any], bool], actual: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(actual) == len(expected) and all(map(equal, actual, expected))


def _tokens_equal(actual: Sequence[str], expected: Sequence[str], near: Near | None = None) -> bool:
    return _all_equal(lambda a, e: a == e or _numbers_equal(a, e, near), actual, expected)


def _numbers_equal(actual: str, expected: str, near: Near | None) -> bool:
    """Whether two tokens are numbers that are equal as exact decimals (0.50 = 0.5, 1e0 = 1), or `near`."""
    if _NUMBER.fullmatch(actual) is None or _NUMBER.fullmatch(expected) is None:
        return False
    return _texts_close(actual, expected, near)


def _livecodebench_line(actual: str, expected: str) -> bool:
    """As the official function, all that `Decimal` reads is a number: `1_000` and digits of other scripts too."""
    return actual == expected or _all_equal(
        lambda a, e: _texts_close(a, e, _MILLIONTH), actual.split(), expected.split()
    )


def _texts_close(actual: str, expected: str, near: Near | None) -> bool:
    try:
        numbers = Decimal(actual), Decimal(expected)
        if numbers[0] == numbers[1]:
            return True
    except InvalidOperation:  # not a number, an exponent beyond what Decimal holds, a signalling NaN
        return False
    integers = _INTEGER.fullmatch(actual) is not None, _INTEGER.fullmatch(expected) is not None
    return near is not None and _are_near(*numbers, near, *integers)


def _are_near(actual: Decimal, expected: Decimal, near: Near, integer: bool, integer_expected: bool) -> bool:
    """`near`, which does not blur numbers written as integers. The two are not equal."""
    if not (actual.is_finite() and expected.is_finite()) or not near(actual, expected):
        return False
    if integer_expected and _CONTEXT.subtract(actual, expected).copy_abs() > _FROM_INTEGER:
        return False
    both_whole = all(number == number.to_integral_value() for number in (actual, expected))
    return not (both_whole and (integer or integer_expected))


def values_equal(actual: Any, expected: Any, comparison: str) -> bool:
    """Whether a function returned what was expected: `==` on plain values.

    A tuple at the top counts as a list. Deeper ones do where nothing expected is a tuple, for then it was JSON, which
    has none; not under `livecodebench`, as there.
    """
    try:
        actual, expected = ([*value] if type(value) is tuple else value for value in (actual, expected))
        if comparison != "livecodebench" and not _has_tuple(expected):
            actual = _with_lists(actual)
        match comparison:
            case "tolerant":
                return _close_values(actual, expected, _MILLIONTH)
            case "livecodebench":
                return _close_values(actual, expected, _LEETCODE)
            case "apps":
                return _close_values(actual, expected, _NUMPY, from_json=True)
            case "apps_wrapped":
                return _close_values(actual, expected, _NUMPY, from_json=True) or (
                    type(actual) is list
                    and len(actual) == 1
                    and _close_values(actual[0], expected, _NUMPY, from_json=True)
                )
            case "unordered" if type(actual) is list and type(expected) is list:
                keys = [*map(_hashable, actual)]
                refuse_collisions(keys)
                return Counter(keys) == Counter(map(_hashable, expected))
            case _:
                return bool(actual == expected)
    except (ArithmeticError, EncodingError, MemoryError, RecursionError, TypeError, ValueError):
        return False


def _has_tuple(value: Any) -> bool:
    if type(value) is dict:
        value = list(value.values())
    return type(value) is tuple or (type(value) is list and any(map(_has_tuple, value)))


def _with_lists(value: Any) -> Any:
    """The value with a list in place of each tuple that is not a key or an element of a set."""
    if type(value) in (list, tuple):
        return [_with_lists(item) for item in value]
    if type(value) is dict:
        return {key: _with_lists(item) for key, item in value.items()}
    return value


def _close_values(actual: Any, expected: Any, near: Near, *, from_json: bool = False) -> bool:
    """Equal, or with near numbers in the same places.

    Args:
        from_json: `expected` was JSON, which has no tuples and only keys of text: (1, 2) is [1, 2], {1: 2} is {"1": 2}.
    """
    if isinstance(actual, (int, float)) and isinstance(expected, (int, float)):
        if actual == expected:
            return True
        try:
            numbers = Decimal(float(actual)), Decimal(float(expected))
        except OverflowError:
            return False
        return _are_near(*numbers, near, isinstance(actual, int), isinstance(expected, int))
    if isinstance(expected, (list, tuple)):
        return isinstance(actual, (list, tuple) if from_json else type(expected)) and _all_equal(
            lambda a, e: _close_values(a, e, near, from_json=from_json), actual, expected
        )
    if isinstance(expected, dict):
        if type(actual) is not dict or len(actual) != len(expected):
            return False
        keys = [key if key in actual or not from_json else _other_key(key) for key in expected]
        return all(
            key in actual and _close_values(actual[key], item, near, from_json=from_json)
            for key, item in zip(keys, expected.values(), strict=True)
        )
    return bool(actual == expected)


def _other_key(key: Any) -> Any:
    """The integer that a key of digits stands for, or the text of an integer."""
    if type(key) is int:
        return str(key)
    if isinstance(key, str) and len(key) <= _MOST_KEY_DIGITS and re.fullmatch("-?[0-9]+", key):
        return int(key)
    return key


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
