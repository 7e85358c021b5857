"""What a loader read and what it left out, so that no problem disappears without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mars2.core.errors import ProblemError
from mars2.core.problem import AssertTest, CallTest, Problem, StdioTest, Test
from mars2.problems.schema import is_function_name
from mars2.problems.signature import with_types
from mars2.problems.source import parse
from mars2.problems.values import json_fault

Row = dict[str, Any]
MOST_REFERENCES = 3
REPEATED_ID = "its id is used before"
_ROW_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a loader can raise on a malformed row. Only that row is lost, never the others."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A problem that was left out. `reason` is the same for every fault of one kind; `detail` belongs to this one."""

    id: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Problems from one source, in its order."""

    source: str
    problems: tuple[Problem, ...]
    dropped: tuple[Dropped, ...] = ()

    def summary(self) -> str:
        """One line: how many were kept and dropped, and why."""
        text = f"{self.source}: kept {len(self.problems)} of {len(self.problems) + len(self.dropped)} problems"
        if self.dropped:
            reasons = Counter(d.reason for d in self.dropped)
            text += "; dropped " + ", ".join(f"{n} ({reason})" for reason, n in reasons.most_common())
        without = sum(not problem.public_tests for problem in self.problems)
        return text + (f"; {without} kept have no public tests" if without else "")


class RowFault(Exception):
    """A row that a benchmark's loader leaves out; `reason` is counted, `detail` is kept."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How the rows of one benchmark become problems."""

    name: str
    row_id: Callable[[Row, int], str]  # (row, its number in the source) -> the problem's id
    to_problem: Callable[[Row, str], Problem]  # (row, id) -> problem; raises RowFault
    join: str = ""  # a field: rows that share its value are parts of one row

    def load(self, source: str, rows: Iterable[Row]) -> Loaded:
        """All rows that make a problem, and why the others do not."""
        problems: dict[str, Problem] = {}
        dropped: list[Dropped] = []
        for number, row in enumerate(self._joined(rows)):
            row_id = self._id(row, number)
            try:
                if not row_id:
                    raise RowFault("no id")
                if row_id in problems:
                    raise RowFault(REPEATED_ID)
                problems[row_id] = self._problem(row, row_id)
            except RowFault as fault:
                dropped.append(Dropped(row_id, fault.reason, fault.detail))
        return Loaded(source, tuple(problems.values()), tuple(dropped))

    def load_one(self, source: str, rows: Iterable[Row], wanted: str) -> Loaded:
        """The row with the id `wanted`; no other is made a problem. In a file of one row it may also be called 0.

        Raises:
            ProblemError: there is none, or it does not make a problem.
        """
        ids: list[str] = []
        row: Row = {}
        for number, row in enumerate(self._joined(rows)):
            ids.append(self._id(row, number))
            if ids[-1] == wanted:
                break
        else:
            if len(ids) != 1 or wanted != f"{self.name}/0":
                raise ProblemError(f'{source}: no problem "{wanted}"; it holds {named(ids)}')
        try:
            return Loaded(f"{source}:{ids[-1]}", (self._problem(row, ids[-1]),))
        except RowFault as fault:
            raise ProblemError(f"{source}: {ids[-1]} cannot be used: {fault}") from None

    def _joined(self, rows: Iterable[Row]) -> Iterable[Row]:
        if not self.join:
            return rows
        joined: dict[Any, Row] = {}
        for number, row in enumerate(rows):
            joined.setdefault(str(row.get(self.join, number)), {}).update(row)
        return joined.values()

    def _id(self, row: Row, number: int) -> str:
        return self.row_id(row, number).encode(errors="backslashreplace").decode()

    def _problem(self, row: Row, row_id: str) -> Problem:
        """
        Raises:
            RowFault: the row does not make a problem.
        """
        try:
            return _checked(_typed(self.to_problem(row, row_id)))
        except _ROW_ERRORS as error:
            raise RowFault("malformed row", f"{type(error).__name__}: {error}") from None


def named(ids: Sequence[str]) -> str:
    """The ids that a source has, in a few words."""
    return f"{ids[0]} to {ids[-1]}" if len(ids) > 1 else ", ".join(ids) or "nothing"


def _typed(problem: Problem) -> Problem:
    """`problem`, its calls with the types that the starter code declares: rows write lists and trees as plain data."""
    public, hidden = (with_types(tests, problem.starter_code) for tests in (problem.public_tests, problem.hidden_tests))
    return replace(problem, public_tests=public, hidden_tests=hidden)


def _checked(problem: Problem) -> Problem:
    """`problem`, if a problem file could hold everything in it.

    Raises:
        RowFault: a function's name is malformed, a text cannot be encoded, or the metadata are not JSON.
    """
    tests = (*problem.public_tests, *problem.hidden_tests)
    names = [test.function for test in tests if isinstance(test, CallTest)]
    if problem.entry_point is not None:
        names.append(problem.entry_point)
    for name in names:
        if not is_function_name(name):
            raise RowFault("malformed function name", repr(name)[:60])
    try:
        for text in (problem.statement, problem.starter_code, *(text for test in tests for text in _texts(test))):
            text.encode()
    except UnicodeEncodeError as error:
        raise RowFault("lone surrogates", f"{error.object[error.start : error.end]!r}") from None
    if (fault := json_fault(problem.metadata)) is not None:
        raise RowFault("malformed metadata", fault)
    return problem


def _texts(test: Test) -> tuple[str, ...]:
    match test:
        case StdioTest():
            return test.input, test.output
        case AssertTest():
            return (test.code,)
        case CallTest():
            return ()


def text_field(row: Row, *names: str) -> str:
    """The first of these fields that holds text, with "\\n" line ends.

    Raises:
        RowFault: none does.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return _newlines(value)
    raise RowFault("missing field", " or ".join(names))


def optional_text(row: Row, name: str) -> str:
    """The field's text, with "\\n" line ends; "" if it is absent or null.

    Raises:
        RowFault: it holds something else.
    """
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowFault("malformed field", f"{name} is not text")
    return _newlines(value)


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def reference_solution(program: str) -> dict[str, str]:
    """Metadata that hold a right program of the problem: for `mars2 problems validate`, never shown to agents."""
    program = program.replace("\r\n", "\n")
    return {"reference_solution": program} if program.strip() else {}


def reference_solutions(programs: Iterable[object]) -> dict[str, list[str]]:
    """The same for the first programs of a list that are Python 3; one of them may be wrong."""
    found = (p.replace("\r\n", "\n") for p in programs if isinstance(p, str) and p.strip() and parse(p) is not None)
    kept = [*islice(found, MOST_REFERENCES)]
    return {"reference_solution": kept} if kept else {}
