"""The file format of `mars2 judge --batch`: programs and their tests, one JSON object a line, and its mistakes."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from mars2.core.errors import UserError
from mars2.core.explain import Place, explain, shown
from mars2.core.problem import (
    AssertTest,
    CallTest,
    Checker,
    Comparison,
    Limits,
    NamedComparison,
    StdioTest,
    Suite,
    Test,
)
from mars2.problems.limits import LIMIT_NAMES, GivenLimits
from mars2.problems.values import integer

_MOST_ID = 2**256  # of an integer: one of thousands of digits cannot be written again


def _text(value: object) -> str:
    """Any text, lone surrogates included: what a model wrote is not refused for its characters."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _id(value: object) -> str | int:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise ValueError("must be a string or an integer")
    if isinstance(value, int) and abs(value) >= _MOST_ID:
        raise ValueError("is an integer of more than 256 bits; give a smaller one or a string")
    return value


Text = Annotated[str, PlainValidator(_text)]


def _some(value: list[Any]) -> list[Any]:
    if not value:
        raise ValueError("is empty: without a test every program would pass; give one test at least")
    return value


_SOME = AfterValidator(_some)


def _checker_source(source: str) -> str:
    """It compiles and defines `check`; a checker that fails all the same is known when it is asked."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"is not Python: {error}; write `def check(input, expected, actual):`") from None
    if not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body):
        raise ValueError("defines no check; write `def check(input, expected, actual):`")
    return source


CheckerSource = Annotated[str, AfterValidator(_checker_source)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names are all different."""
    known = dict(pairs)
    if len(known) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"line: {shown(twice)} is given twice in one object; keep one")
    return known


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StdioTests(_Strict):
    """Programs that read stdin and print."""

    kind: Literal["stdio"]
    inputs: Annotated[list[Text], _SOME]
    outputs: list[Text]

    @model_validator(mode="after")
    def _paired(self) -> StdioTests:
        if len(self.inputs) != len(self.outputs):
            raise ValueError(f"{len(self.inputs)} inputs but {len(self.outputs)} outputs; give one output per input")
        return self

    def tests(self) -> tuple[Test, ...]:
        return tuple(StdioTest(*pair) for pair in zip(self.inputs, self.outputs, strict=True))


class CallTests(_Strict):
    """Calls of one function, with the arguments of each call as a list."""

    kind: Literal["call"]
    function: Text
    inputs: Annotated[list[list[Any]], _SOME]
    outputs: list[Any]

    @model_validator(mode="after")
    def _paired(self) -> CallTests:
        if len(self.inputs) != len(self.outputs):
            raise ValueError(f"{len(self.inputs)} inputs but {len(self.outputs)} outputs; give one output per input")
        return self

    def tests(self) -> tuple[Test, ...]:
        pairs = zip(self.inputs, self.outputs, strict=True)
        return tuple(CallTest(self.function, tuple(args), output) for args, output in pairs)


class AssertTests(_Strict):
    """Python code that must not raise."""

    kind: Literal["assert"]
    asserts: Annotated[list[Text], _SOME]

    def tests(self) -> tuple[Test, ...]:
        return tuple(map(AssertTest, self.asserts))


class Task(_Strict):
    """One line of a batch file."""

    id: Annotated[str | int, PlainValidator(_id)]
    program: Text | None
    tests: Annotated[StdioTests | CallTests | AssertTests, Field(discriminator="kind")]
    limits: GivenLimits = Limits()
    comparison: NamedComparison | None = None  # None: exact
    checker: CheckerSource | None = None  # of `check(input, expected, actual)`, in place of a comparison

    def suite(self) -> Suite:
        rule: Comparison = self.comparison or "exact"
        if self.checker is not None:
            rule = Checker(self.checker, str(self.id))
        return Suite(self.tests.tests(), self.limits, rule)

    @model_validator(mode="after")
    def _one_rule(self) -> Task:
        if self.checker is not None and self.comparison is not None:
            raise ValueError("both comparison and checker are given; keep one")
        return self


def parse_task(line: str, number: int) -> Task:
    """A task from a line.

    Raises:
        UserError: naming the line, the field and what is wrong with it.
    """
    data: Any = None
    try:
        data = json.loads(line, parse_int=integer, object_pairs_hook=_object)
        return Task.model_validate(data)
    except UserError as error:
        raise UserError(f"line {number}: {error}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"line {number}: line: not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise UserError(f"line {number}: line: nested too deep") from None
    except ValidationError as error:
        mistake = explain(error.errors(include_url=False), data, _keys, whole="line")
        raise UserError(f"line {number}: {mistake.line}") from None


def _keys(place: Place) -> Collection[str]:
    """The fields of a task, of its tests or of its limits."""
    match place:
        case ("tests", str(kind), *_) if kind in _KINDS:
            return _KINDS[kind].model_fields
        case ("limits", *_):
            return LIMIT_NAMES
        case _:
            return Task.model_fields


_KINDS: dict[str, type[_Strict]] = {"stdio": StdioTests, "call": CallTests, "assert": AssertTests}
