"""Loads problems for the library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from mars2.build.sandbox import local_sandbox
from mars2.core.problem import Problem
from mars2.jobs import display, references
from mars2.jobs.running import blocking, job
from mars2.problems import Dropped
from mars2.problems import load_problems as read

_MOST_SHOWN = 50
_WORKERS = 2


class Problems(list[Problem]):
    """A list of problems that also knows what its source held besides, and why that was left out."""

    def __init__(self, problems: Iterable[Problem], source: str = "", dropped: tuple[Dropped, ...] = ()) -> None:
        super().__init__(problems)
        self.source = source
        self.dropped = dropped

    def __repr__(self) -> str:
        left_out = f", {len(self.dropped)} left out" if self.dropped else ""
        return f"<{len(self)} problems of {self.source}{left_out}>"

    def _repr_html_(self) -> str:
        rows = (
            (p.id, p.statement.strip().split("\n")[0][:100], len(p.public_tests), len(p.hidden_tests))
            for p in self[:_MOST_SHOWN]
        )
        left_out = ((dropped.id, dropped.reason, dropped.detail[:100]) for dropped in self.dropped[:_MOST_SHOWN])
        shown = display.table(rows, ("problem", "statement", "public tests", "hidden tests"))
        return shown + (display.table(left_out, ("left out", "why", "")) if self.dropped else "")


@job
async def load_problems_async(reference: str | Path, *, check_references: bool = False) -> Problems:
    """All problems of a benchmark, a .jsonl file, a folder or a problem file.

    Args:
        reference: such as ``humaneval``, ``humaneval:17``, ``mbpp:FILE`` or a path; see docs/problem-format.md.
        check_references: judge the right programs that problems bring along; a problem whose own fails is left out.

    Raises:
        ProblemError: there is nothing, or it is malformed.
        SandboxUnavailable: programs cannot be judged safely on this machine.
    """
    loaded = await asyncio.to_thread(read, str(reference))
    if check_references:
        async with local_sandbox(_WORKERS) as sandbox:
            checked = await references.check_references(loaded.problems, sandbox, at_once=2 * _WORKERS)
        loaded = references.without_failing(loaded, checked)
    return Problems(loaded.problems, loaded.source, loaded.dropped)


load_problems = blocking(load_problems_async)
