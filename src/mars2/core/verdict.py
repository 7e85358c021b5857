"""What execution said about a program: per test, overall, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_SHOWN = 80  # characters of what a failed test said


class Status(StrEnum):
    """The verdict vocabulary."""

    AC = "AC"  # accepted
    WA = "WA"  # wrong answer
    TLE = "TLE"  # time limit
    MLE = "MLE"  # memory limit
    RE = "RE"  # runtime error
    CE = "CE"  # no program, or it does not compile
    OLE = "OLE"  # output limit
    SKIPPED = "SKIPPED"  # not run: an earlier test had failed
    IE = "IE"  # the judge's own fault; never a reward


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's verdict and its evidence. Texts are shortened by the judge; "" where there is nothing to say."""

    __test__ = False  # not a pytest class

    status: Status
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mib: float = 0.0
    actual: str = ""  # what the program printed or returned (repr)
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""  # only the lines inside the program
    stderr: str = ""
    exit_code: int | None = None
    signal: int | None = None
    weak: bool = False  # tester and candidate shared a process


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one judgement: `tests[i]` belongs to the i-th test given."""

    status: Status  # AC if every test is AC, else that of the first failing test
    tests: tuple[TestResult, ...]
    tier: str = ""  # isolation tier that judged (A best … D rlimits only)
    mode: str = ""

    @property
    def num_passed(self) -> int:
        return sum(t.status is Status.AC for t in self.tests)

    @property
    def fraction_passed(self) -> float:
        """Passed tests / all tests, in [0, 1]; 0 for no tests."""
        return self.num_passed / len(self.tests) if self.tests else 0.0

    @property
    def accepted(self) -> bool:
        return self.status is Status.AC

    def __repr__(self) -> str:
        """For example ``<Verdict WA: 1 of 3 tests passed; test 1: WA, got '41'>``; tests count from 0."""
        failed = next(((i, test) for i, test in enumerate(self.tests) if test.status is not Status.AC), None)
        why = ""
        if failed is not None:
            place, test = failed
            said = " ".join(f"{test.error_type}: {test.error_message}".strip(": ").split())
            shown = said or (f"got {test.actual!r}" if test.actual else "")
            why = f"; test {place}: {test.status}{f', {shown[:_SHOWN]}' if shown else ''}"
        return f"<Verdict {self.status}: {self.num_passed} of {len(self.tests)} tests passed{why}>"
