"""Checks what a file in the project's own problem format may contain, with one-line errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)

from mars2.core.errors import ProblemError
from mars2.core.explain import Place, explain, shown
from mars2.core.problem import AssertTest, CallTest, Checker, Limits, NamedComparison, Problem, StdioTest, Test
from mars2.problems.limits import LIMIT_NAMES, GivenLimits
from mars2.problems.signature import types_fault, with_types
from mars2.problems.values import decode, encode, json_fault

_LIMITS = Limits()
_FUNCTION = r"(?:Solution\.)?[A-Za-z_]\w*"


Text = Annotated[str, StringConstraints(min_length=0)]
"""The constraint makes pydantic check the text, so that lone surrogates are refused."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def is_function_name(name: Any) -> bool:
    """Whether `name` can be an entry point: a function's name, or Solution.METHOD."""
    return isinstance(name, str) and re.fullmatch(_FUNCTION, name) is not None


def _function_name(name: str) -> str:
    if not is_function_name(name):
        raise ValueError("must be a function's name, or Solution.METHOD for a method of class Solution")
    return name


FunctionName = Annotated[str, AfterValidator(_function_name)]
"""What an entry point can be."""


class StdioModel(_Model):
    input: Text
    output: Text


class CallModel(_Model):
    args: list[Any]
    expected: Any
    function: FunctionName | None = None  # default: the problem's entry_point
    types: list[str] | None = None  # as in `CallTest`; default: what the starter code declares


class AssertModel(_Model):
    code: str = Field(min_length=1)


def _kind(test: Any) -> str | None:
    """Which kind of test this is, by its keys."""
    if not isinstance(test, Mapping):
        return None
    if "code" in test:
        return "«assert»"
    return "«call»" if test.keys() & {"args", "expected", "function"} else "«stdio»"


TestModel = Annotated[
    Annotated[StdioModel, Tag("«stdio»")]
    | Annotated[CallModel, Tag("«call»")]
    | Annotated[AssertModel, Tag("«assert»")],
    Discriminator(
        _kind,
        custom_error_type="test",
        custom_error_message="a test must be a mapping with input and output, args and expected, or code",
    ),
]


class TestsModel(_Model):
    __test__ = False  # not a pytest class

    public: list[TestModel] = []
    hidden: list[TestModel] = []


class ProblemModel(_Model):
    id: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    tests: TestsModel
    entry_point: FunctionName | None = None
    starter_code: Text = ""
    comparison: NamedComparison = "exact"
    checker: Text | None = None
    limits: GivenLimits = Limits()
    metadata: dict[str, Any] = {}


_MODELS: dict[str, type[_Model]] = {
    "": ProblemModel,
    "tests": TestsModel,
    "«stdio»": StdioModel,
    "«call»": CallModel,
    "«assert»": AssertModel,
}


def problem_from_data(data: Any, where: str) -> Problem:
    """A problem from parsed JSON or YAML. Every error message starts with `where` (a file, or file:line).

    Raises:
        ProblemError: one line that names the field, the value and the remedy.
    """
    if not isinstance(data, dict):
        raise ProblemError(f"{where}: a problem must be a mapping with id, statement and tests, got {shown(data)}")
    try:
        model = ProblemModel.model_validate(data)
    except ValidationError as error:
        mistake = explain(error.errors(include_url=False), data, _valid_keys, whole="problem")
        raise ProblemError(f"{where}: {mistake.line}") from None
    except RecursionError:
        raise ProblemError(f"{where}: nested too deeply; flatten the data") from None
    if not model.tests.public and not model.tests.hidden:
        raise ProblemError(f"{where}: tests: the problem has no tests; add at least one under tests.public")
    if not model.statement.strip():
        raise ProblemError(f"{where}: statement: empty; say what the program must do")
    if (fault := json_fault(model.metadata)) is not None:
        raise ProblemError(f"{where}: metadata: {fault}")
    return Problem(
        id=model.id,
        statement=model.statement,
        public_tests=_tests(model, "public", where),
        hidden_tests=_tests(model, "hidden", where),
        entry_point=model.entry_point,
        starter_code=model.starter_code,
        limits=model.limits,
        comparison=model.comparison if model.checker is None else _checker(model.checker, model, where),
        metadata=model.metadata,
    )


def problem_to_data(problem: Problem) -> dict[str, Any]:
    """JSON data that `problem_from_data` reads back as an equal problem. Fields with their default are left out."""
    data: dict[str, Any] = {"id": problem.id, "statement": problem.statement}
    if problem.entry_point is not None:
        data["entry_point"] = problem.entry_point
    if problem.starter_code:
        data["starter_code"] = problem.starter_code
    if isinstance(problem.comparison, Checker):
        data["checker"] = problem.comparison.source
    elif problem.comparison != "exact":
        data["comparison"] = problem.comparison
    names = [name for name in LIMIT_NAMES if getattr(problem.limits, name) != getattr(_LIMITS, name)]
    if names:
        data["limits"] = {name: getattr(problem.limits, name) for name in names}
    data["tests"] = {
        "public": tests_to_data(problem.public_tests, problem.starter_code),
        "hidden": tests_to_data(problem.hidden_tests, problem.starter_code),
    }
    if problem.metadata:
        data["metadata"] = problem.metadata
    return data


def _checker(source: str, model: ProblemModel, where: str) -> Checker:
    """The checker, once it is known to compile and to define `check`."""
    if "comparison" in model.model_fields_set:
        raise ProblemError(f"{where}: checker: given beside comparison; keep one")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ProblemError(f"{where}: checker: not Python (line {line}: {getattr(error, 'msg', error)})") from None
    except (RecursionError, MemoryError):
        raise ProblemError(f"{where}: checker: not Python (nested too deeply)") from None
    if not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body):
        raise ProblemError(f"{where}: checker: defines no check; write `def check(input, expected, actual):`")
    return Checker(source, model.id)


def _tests(model: ProblemModel, part: str, where: str) -> tuple[Test, ...]:
    tests: list[Test] = []
    for i, test in enumerate(getattr(model.tests, part)):
        match test:
            case StdioModel():
                tests.append(StdioTest(test.input, test.output))
            case AssertModel():
                tests.append(AssertTest(test.code))
            case CallModel():
                function = (test.function or model.entry_point or "").removeprefix("Solution.")
                if not function:
                    field = f"tests.{part}[{i}].function"
                    raise ProblemError(
                        f"{where}: {field}: missing, and the problem has no entry_point; set one of them"
                    )
                try:
                    call = CallTest(function, tuple(decode(test.args)), decode(test.expected))
                    tests += with_types((call,), model.starter_code) if test.types is None else (_typed(call, test),)
                except ValueError as error:
                    raise ProblemError(f"{where}: tests.{part}[{i}]: {error}") from None
    return tuple(tests)


def _typed(call: CallTest, model: CallModel) -> CallTest:
    """The call with the types that are given.

    Raises:
        ValueError: they do not fit.
    """
    types = tuple(model.types or ())
    if types and (fault := types_fault(types, call.args)):
        raise ValueError(f"types: {fault}")
    return replace(call, types=types)


def tests_to_data(tests: tuple[Test, ...], starter_code: str) -> list[dict[str, Any]]:
    """The tests of a problem with this starter code, as JSON data."""
    declared = with_types(tests, starter_code)
    return [_test_to_data(test, is_typed=test != other) for test, other in zip(tests, declared, strict=True)]


def _test_to_data(test: Test, *, is_typed: bool) -> dict[str, Any]:
    """`is_typed`: the call's types are written even if there are none, since the starter code declares some."""
    match test:
        case StdioTest():
            return {"input": test.input, "output": test.output}
        case CallTest():
            call = {
                "function": test.function,
                "args": [encode(arg) for arg in test.args],
                "expected": encode(test.expected),
            }
            return call | {"types": list(test.types)} if is_typed or test.types else call
        case AssertTest():
            return {"code": test.code}


def _valid_keys(location: Place) -> list[str]:
    last = location[-1] if location else ""
    if last == "limits":
        return list(LIMIT_NAMES)
    return list(_MODELS[last].model_fields) if isinstance(last, str) and last in _MODELS else []
