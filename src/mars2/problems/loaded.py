"""What a loader read and what it left out, so that no problem disappears without a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mars2.core.problem import Problem


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
    """A row that a benchmark loader leaves out; `reason` is counted, `detail` is kept."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
