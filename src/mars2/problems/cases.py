"""Tests from the input/output pairs of contest data sets, whose rows nest and quote them in several ways."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mars2.core.problem import CallTest, NamedComparison, StdioTest, Test
from mars2.problems.loaded import Row, RowFault
from mars2.problems.values import decode, integer

MAX_PUBLIC = 3
_MOST_LITERAL = 2_000_000  # characters of a cell that may be a Python literal: its syntax tree takes much memory


def parse_cell(cell: Any, name: str) -> Any:
    """The data in a cell that holds JSON text, or a Python literal; a cell that holds data is returned unchanged.

    Raises:
        RowFault: neither.
    """
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell, parse_int=integer)
    except (ValueError, RecursionError) as error:
        try:  # some rows are written with Python's `repr`
            if len(cell) <= _MOST_LITERAL and cell.lstrip()[:1] in "[{":
                return ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            pass
        raise RowFault("malformed JSON", f"{name}: {error}") from None


def stdio_test(given: Any, expected: Any) -> StdioTest:
    """A test on standard input; a list is its lines."""
    return StdioTest(_lines(given), _lines(expected))


def stdio_tests(row: Row, name: str) -> tuple[StdioTest, ...]:
    """The tests in the field `name`: a list of ``{"input", "output"}``, or one object of lists, as JSON text or data.

    Raises:
        RowFault: it is something else.
    """
    match parse_cell(row.get(name), name):
        case None:
            return ()
        case {"input": list() as inputs, "output": list() as outputs} if len(inputs) == len(outputs):
            return tuple(map(stdio_test, inputs, outputs))
        case list() as cases if all(isinstance(case, dict) and {"input", "output"} <= case.keys() for case in cases):
            return tuple(stdio_test(case["input"], case["output"]) for case in cases)
        case _:
            raise RowFault("malformed tests", f"{name} is not a list of objects with input and output")


def call_tests(function: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Test, ...]:
    """Tests that call `function` with each list of arguments. Values are JSON data.

    APPS and TACO mostly wrap a returned value in a list. If the results are `wrapped`, that list is taken off. A
    dictionary whose keys all look like integers gets integer keys, because JSON cannot write those.
    """
    if not isinstance(function, str):
        raise RowFault("malformed tests", "the function's name is not text")
    wrapped = are_wrapped(outputs)
    tests: list[Test] = []
    for given, output in zip(inputs, outputs, strict=True):
        if not isinstance(given, list):
            raise RowFault("malformed tests", f"the arguments of {function} are not a list")
        expected = output[0] if wrapped else output
        try:
            tests.append(CallTest(function, tuple(_plain(arg) for arg in given), _plain(expected)))
        except ValueError as error:
            raise RowFault("malformed tests", str(error)) from None
    return tuple(tests)


def are_wrapped(outputs: Sequence[Any]) -> bool:
    """Whether every expected result is a list of one element, which may or may not belong to the result."""
    return all(isinstance(output, list) and len(output) == 1 for output in outputs)


def apps_rule(function: str | None, outputs: Sequence[Any]) -> NamedComparison:
    """The rule by which rows of this family are judged."""
    return "apps_wrapped" if function and are_wrapped(outputs) else "apps"


def split(tests: Sequence[Test], statement: str) -> tuple[tuple[Test, ...], tuple[Test, ...]]:
    """(public, hidden) for data without such a split. Public are the first few tests whose input the statement shows.

    If it shows none, the first test is public.
    """
    flat = " ".join(statement.split())
    public = [i for i, t in enumerate(tests) if isinstance(t, StdioTest) and _shown(t, flat)][:MAX_PUBLIC] or [0]
    return tuple(tests[i] for i in public), tuple(test for i, test in enumerate(tests) if i not in public)


def method_name(function: str | None, starter_code: str) -> str | None:
    """The entry point: `Solution.f` if the starter code defines `f` in a class Solution, else `f`."""
    return f"Solution.{function}" if function and "class Solution" in starter_code else function


def _lines(value: Any) -> str:
    if isinstance(value, list):
        try:
            return "\n".join(map(_lines, value))
        except RecursionError:
            raise RowFault("malformed tests", "nested too deeply") from None
    if value is None:
        raise RowFault("malformed tests", "an input or output is null")
    if type(value) is int:
        return f"{Decimal(value):f}"  # `str` refuses integers of thousands of digits
    return value.replace("\r\n", "\n") if isinstance(value, str) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and value and all(isinstance(k, str) and k.lstrip("-").isdecimal() for k in value):
        value = {int(key): item for key, item in value.items()}
    return decode(value)


def _shown(test: StdioTest, flat_statement: str) -> bool:
    flat = " ".join(test.input.split())
    return bool(flat) and flat in flat_statement and " ".join(test.output.split()) in flat_statement
