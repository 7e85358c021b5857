"""Judges the right programs that problems bring along: a problem whose own solution fails cannot be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mars2.core.errors import CheckerError
from mars2.core.problem import Problem
from mars2.core.protocols import Sandbox
from mars2.core.verdict import Status, Verdict
from mars2.problems import Dropped, Loaded
from mars2.prompting.completing import complete_program

FAILS = "its reference solution fails"
_MOST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """How many tests a problem has, and what became of its reference solution."""

    id: str
    num_public: int
    num_hidden: int
    status: Status | None = None  # None: it has no reference solution; IE: its checker failed
    detail: str = ""  # why it is not AC
    num_weak: int = 0  # tests that ran in the program's own process
    cpu_s: float = 0.0  # of all tests

    @property
    def fails(self) -> bool:
        return self.status not in (None, Status.AC)


async def check_references(problems: Sequence[Problem], sandbox: Sandbox, *, at_once: int) -> list[Checked]:
    """Judge the reference solutions of `problems`, at most `at_once` at a time; of several one must pass every test.

    Raises:
        SandboxUnavailable: the sandbox cannot judge.
    """
    slots = asyncio.Semaphore(at_once)

    async def check(problem: Problem) -> Checked:
        async with slots:
            return await _check(problem, sandbox)

    async with asyncio.TaskGroup() as group:
        under_way = [group.create_task(check(problem)) for problem in problems]
    return [task.result() for task in under_way]


def without_failing(loaded: Loaded, checked: Sequence[Checked]) -> Loaded:
    """`loaded` without the problems whose reference solution fails; these are counted among the dropped."""
    failing = {c.id: Dropped(c.id, FAILS, f"{c.status}: {c.detail}") for c in checked if c.fails}
    kept = tuple(problem for problem in loaded.problems if problem.id not in failing)
    return Loaded(loaded.source, kept, (*loaded.dropped, *failing.values()))


def references_of(problem: Problem) -> list[str]:
    """The reference solutions: `metadata.reference_solution` is a text, or a list of texts."""
    found = problem.metadata.get("reference_solution") or []
    return [text for text in (found if isinstance(found, list) else [found]) if isinstance(text, str) and text]


def unchecked(problem: Problem) -> Checked:
    """How many tests it has."""
    return Checked(problem.id, len(problem.public_tests), len(problem.hidden_tests))


async def _check(problem: Problem, sandbox: Sandbox) -> Checked:
    checked = unchecked(problem)
    suite = problem.suite((*problem.public_tests, *problem.hidden_tests))
    for reference in references_of(problem):
        program = complete_program(reference, problem.starter_code, str(problem.metadata.get("implied_imports", "")))
        try:
            checked = _judged(checked, await sandbox.judge(program, suite))
        except CheckerError as error:
            checked = replace(checked, status=Status.IE, detail=str(error)[:_MOST_DETAIL])
        if not checked.fails:
            break
    return checked


def _judged(checked: Checked, verdict: Verdict) -> Checked:
    test = next((t for t in verdict.tests if t.status is verdict.status), None)
    detail = "" if test is None else f"{test.error_type} {test.error_message or test.actual}".strip()
    return replace(
        checked,
        status=verdict.status,
        detail="" if verdict.accepted else detail[:_MOST_DETAIL],
        num_weak=sum(t.weak for t in verdict.tests),
        cpu_s=sum(t.cpu_s for t in verdict.tests),
    )
