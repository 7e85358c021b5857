"""What a loader read and what it left out, so that no problem disappears without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mars2.core.problem import Problem

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A problem that was left out. `reason` is the same text for the same kind of fault; `detail` is its own."""

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

    def load(self, source: str, rows: Iterable[Row]) -> Loaded:
        """All rows that make a problem, and why the others do not."""
        problems: list[Problem] = []
        dropped: list[Dropped] = []
        for number, row in enumerate(rows):
            row_id = self.row_id(row, number)
            try:
                problems.append(self.to_problem(row, row_id))
            except RowFault as fault:
                dropped.append(Dropped(row_id, fault.reason, fault.detail))
        return Loaded(source, tuple(problems), tuple(dropped))


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
    """The metadata of a right program that comes with a problem: for `mars2 problems validate`, never for agents."""
    program = program.replace("\r\n", "\n")
    return {"reference_solution": program} if program.strip() else {}
