"""Asks the reward model during a search: off the event loop, and only once for each program."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

from mars2.core.errors import Mars2Error
from mars2.core.problem import Problem
from mars2.core.protocols import RewardModel


class RewardModelError(Mars2Error):
    """A reward model answered with something that is not a probability for each program."""


class Guide:
    """Asks `model` in a thread, one call at a time; equal questions are answered from memory.

    Programs of one problem that come while the model is busy are scored together. Hidden tests are taken off the
    problem before the model sees it. `trained_on` holds the ids of problems whose hidden verdicts the model was trained
    on: with these it measures nothing.
    """

    def __init__(self, model: RewardModel, *, trained_on: frozenset[str] = frozenset()) -> None:
        self._model = model
        self.trained_on = trained_on
        self._turn = asyncio.Lock()
        self._known: dict[tuple[str, str], float] = {}
        self._waiting: dict[str, dict[str, None]] = {}  # problem → its programs, in order of asking

    async def score(self, problem: Problem, programs: Sequence[str]) -> list[float]:
        """How likely each program is right, in [0, 1].

        Raises:
            RewardModelError: the model's answer is not one probability for each program.
        """
        keys = [(problem.id, program) for program in programs]
        for key in keys:
            if key not in self._known:
                self._waiting.setdefault(problem.id, {})[key[1]] = None
        async with self._turn:
            if not all(key in self._known for key in keys):
                await self._ask(problem, programs)
        return [self._known[key] for key in keys]

    async def _ask(self, problem: Problem, programs: Sequence[str]) -> None:
        wanted = dict.fromkeys([*self._waiting.pop(problem.id, {}), *programs])
        asked = [program for program in wanted if (problem.id, program) not in self._known]
        scores = await asyncio.to_thread(self._model.score, replace(problem, hidden_tests=()), asked)
        if len(scores) != len(asked) or not all(math.isfinite(s) and 0 <= s <= 1 for s in scores):
            raise RewardModelError(f"reward model: expected {len(asked)} numbers in [0, 1], got {str(scores)[:200]}")
        self._known.update(zip(((problem.id, program) for program in asked), map(float, scores), strict=True))
