"""HumanEval+ and MBPP+ (EvalPlus, arXiv:2305.01210): rows of the Hub and of the release files."""

from __future__ import annotations

from typing import Any

from mars2.core.problem import AssertTest
from mars2.problems.evalplus_tests import tests_of_code, tests_of_reference
from mars2.problems.loaded import Row, RowFault

_EACH_A_TUPLE = {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744,
                 809}  # fmt: skip
_EACH_OF_TUPLES = {63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}
_FIRST_OF_TUPLES = {75, 413, 444, 753}
_FIRST_A_TUPLE = {250, 307, 405, 446, 617, 720, 763, 808}
_SECOND_A_TUPLE = {106, 750}
_TUPLES_OF_TUPLES = {259, 401, 445}
_ALL_TUPLES = {580, 615, 791}


def plus_tests(row: Row, entry_point: str, reference: str) -> tuple[AssertTest, ...] | None:
    """The tests of a row of EvalPlus; None if it is a row of the original benchmark.

    Raises:
        RowFault: they are malformed.
    """
    if "plus_input" in row or "base_input" in row:
        return tests_of_reference(row, reference, [*_inputs(row, "base_input"), *_inputs(row, "plus_input")])
    code = row.get("test")
    if isinstance(code, str) and ("inputs = " in code or ("test_list" in row and code.strip())):
        return tests_of_code(code, entry_point)
    return None


def _inputs(row: Row, name: str) -> list[Any]:
    """A list of lists of arguments, as Python has them.

    Raises:
        RowFault: it is something else.
    """
    found = row.get(name) or []  # an empty one is an object in one row
    if not isinstance(found, list) or not all(isinstance(arguments, list) for arguments in found):
        raise RowFault("malformed field", f"{name} is not a list of lists of arguments")
    benchmark, _, number = str(row.get("task_id", "")).partition("/")
    if benchmark != "Mbpp" or not number.isdigit():
        return found
    try:
        return [_arguments(int(number), arguments) for arguments in found]
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise RowFault("malformed field", f"{name}: {error}") from None


def _arguments(task: int, arguments: list[Any]) -> Any:
    """Arguments of MBPP+, with the tuples, sets and complex numbers that JSON lacks (evalplus/data/mbpp.py)."""
    first, *others = arguments
    if task in _EACH_A_TUPLE:
        return [tuple(argument) for argument in arguments]
    if task in _EACH_OF_TUPLES:
        return [[tuple(item) for item in argument] for argument in arguments]
    if task in _FIRST_OF_TUPLES:
        return [[tuple(item) for item in first], *others]
    if task in _FIRST_A_TUPLE:
        return [tuple(first), *others]
    if task in _SECOND_A_TUPLE:
        return [first, tuple(others[0])]
    if task in _TUPLES_OF_TUPLES:
        return [tuple(tuple(item) for item in argument) for argument in arguments]
    if task in _ALL_TUPLES:
        return _deeply(arguments)
    match task:
        case 115:
            return [[set(item) if isinstance(item, list) and item else {} for item in first]]
        case 124:
            return [float(first), complex(others[0])]
        case 252:
            return [complex(first)]
        case 278:
            return [tuple(tuple(item) if isinstance(item, list) else item for item in first)]
        case 722:
            return [{key: tuple(item) for key, item in first.items()}, *others]
        case _:
            return arguments


def _deeply(value: Any) -> Any:
    return tuple(map(_deeply, value)) if isinstance(value, list) else value
