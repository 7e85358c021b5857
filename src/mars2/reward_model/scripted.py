"""A reward model that is a function; for tests and documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mars2.core.problem import Problem


class ScriptedRewardModel:
    """The score of a problem and a program is `rule(problem, program)`, in [0, 1]. `calls` counts programs scored."""

    def __init__(self, rule: Callable[[Problem, str], float]) -> None:
        self._rule = rule
        self.calls = 0

    def score(self, problem: Problem, programs: Sequence[str]) -> list[float]:
        """See `mars2.core.protocols.RewardModel`."""
        self.calls += len(programs)
        return [self._rule(problem, program) for program in programs]
