"""Reads a plain statement: what is asked for, the tests that its examples make, and what of it is left out and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mars2.core.errors import ProblemError
from mars2.core.problem import Checker, Comparison, Limits, Problem, Test
from mars2.problems.asked import Kind, asked_for
from mars2.problems.demands import Demands, demands_of
from mars2.problems.examples import first_tests
from mars2.problems.implied import APPS_PREAMBLE
from mars2.problems.labels import pairs_in
from mars2.problems.pasted import plain_text
from mars2.problems.schema import tests_to_data
from mars2.problems.statement_tests import ExampleReader, LeftOut
from mars2.problems.stubs import code_in

MAX_CHARS = 200_000
"""Longer statements are not read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from a statement."""

    kind: Kind
    demands: Demands
    entry_point: str | None = None  # None: a program that reads stdin
    starter_code: str = ""
    tests: tuple[Test, ...] = ()
    comparison: Comparison = "exact"
    left_out: tuple[LeftOut, ...] = ()

    @property
    def limits(self) -> Limits:
        """The limits that tests are run under."""
        return self.demands.limits

    @property
    def metadata(self) -> dict[str, str]:
        """Those of the problem: what an answer may use without importing it, as LeetCode imports it for solutions."""
        is_leetcode = self.kind == "class" or (self.entry_point or "").startswith("Solution.")
        return {"implied_imports": APPS_PREAMBLE} if is_leetcode else {}

    def to_dict(self) -> dict[str, Any]:
        """JSON data; tests and the other fields are those of a problem file."""
        is_checked = isinstance(self.comparison, Checker)
        return {
            "kind": self.kind,
            "entry_point": self.entry_point,
            "starter_code": self.starter_code,
            "tests": tests_to_data(self.tests, self.starter_code),
            "comparison": None if is_checked else self.comparison,
            "checker": self.comparison.source if isinstance(self.comparison, Checker) else None,
            "limits": {"cpu_s": self.limits.cpu_s, "memory_mib": self.limits.memory_mib},
            "stated_limits": {"time_s": self.demands.time_s, "memory_mib": self.demands.memory_mib},
            "left_out": [{"what": left.what, "why": left.why} for left in self.left_out],
        }


def read_statement(statement: str, entry_point: str | None = None) -> Reading:
    """What a statement asks for, and the tests that the first `MAX_TESTS` of its examples make.

    A function is asked for if `entry_point` is given, or if the statement has a function without a body, a method of
    ``class Solution``, a function that its examples call, or says "a function `f(x)`"; a class if its methods are to be
    written; else a program that reads stdin. A wrong test would mislead every search: what cannot be read surely, or
    what a right program may answer in another way, is left out and listed in `left_out`. Never raises.
    """
    if len(statement) > MAX_CHARS:
        left_out = (LeftOut("the statement", f"it has more than {MAX_CHARS:,} characters"),)
        return Reading("function" if entry_point else "stdin", Demands(), entry_point, left_out=left_out)
    text = plain_text(statement)
    pairs = pairs_in(text)
    asked = asked_for(text, code_in(text), pairs, entry_point)
    demands = demands_of(text)
    reader = ExampleReader(text, asked, demands)
    reader.read(pairs)
    return Reading(
        asked.kind,
        demands,
        asked.entry_point,
        asked.code.text if asked.code else "",
        first_tests(test for _, test in reader.tests),
        reader.comparison,
        tuple(dict.fromkeys(reader.left_out)),
    )


def problem_from_statement(statement: str, problem_id: str) -> Problem:
    """The problem of a plain statement; the tests that its examples make are public.

    Raises:
        ProblemError: it has no example that can be read surely.
    """
    found = read_statement(statement)
    if not found.tests:
        first = next(iter(found.left_out), LeftOut("its examples", "none was found"))
        raise ProblemError(
            f"{problem_id}: tests: the problem has no tests; add a ```tests block or name a file in `tests:` (of the "
            f"statement {first.what} is left out: {first.why})"
        )
    return Problem(
        id=problem_id,
        statement=statement.strip("\n"),
        public_tests=found.tests,
        hidden_tests=(),
        entry_point=found.entry_point,
        starter_code=found.starter_code,
        limits=found.limits,
        comparison=found.comparison,
        metadata=found.metadata,
    )
