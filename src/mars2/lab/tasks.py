"""The generated problems: train and test specifications that share no combination of operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mars2.core.errors import ProblemError
from mars2.core.problem import CallTest, Limits, Problem
from mars2.core.protocols import Split
from mars2.core.seeds import stream
from mars2.lab.examples import Example, choose_tests
from mars2.lab.specs import FUNCTION, Spec, draw_spec

DEPTH_SHARES: dict[Split, dict[int, float]] = {
    "train": {1: 0.1, 2: 0.35, 3: 0.35, 4: 0.2},
    "test": {2: 0.4, 3: 0.4, 4: 0.2},
}
_LIMITS = Limits(cpu_s=1.0, memory_mib=256, source_kib=16)
_MAX_DRAWS_PER_PROBLEM = 400


class LabProblems:
    """`num_train` and `num_test` problems, a function of `seed` alone. No statement occurs twice.

    Raises:
        ProblemError: a count is negative, or the family has no more different specifications.
    """

    def __init__(self, *, num_train: int, num_test: int, seed: int) -> None:
        for name, value in (("num_train", num_train), ("num_test", num_test)):
            if value < 0:
                raise ProblemError(f"lab {name} must be >= 0, got {value}; use 0 for none")
        self._counts: dict[Split, int] = {"train": num_train, "test": num_test}
        self._seed = seed
        self._loaded: dict[Split, list[Problem]] = {}

    def load(self, split: Split) -> Sequence[Problem]:
        """The problems of a split; made on the first call (about 2 ms each)."""
        if split not in self._loaded:
            self._loaded[split] = self._make(split)
        return self._loaded[split]

    def _make(self, split: Split) -> list[Problem]:
        rng = stream(self._seed, "lab", split)
        count = self._counts[split]
        problems: dict[str, Problem] = {}
        for _ in range(_MAX_DRAWS_PER_PROBLEM * count):
            if len(problems) == count:
                break
            spec = draw_split_spec(rng, split)
            if spec.statement in problems:
                continue
            tests = choose_tests(spec, rng, num_public=2, num_hidden=6)
            if tests is not None:
                problems[spec.statement] = _problem(f"lab/{split}/{len(problems):05d}", spec, *tests)
        if len(problems) < count:
            raise ProblemError(f"lab num_{split} must be at most {len(problems)} for seed {self._seed}, got {count}")
        return list(problems.values())


def draw_split_spec(rng: np.random.Generator, split: Split) -> Spec:
    """A random specification of the split: test ones have a held-out pair of operations, train ones never do."""
    shares = DEPTH_SHARES[split]
    depth = int(rng.choice(list(shares), p=list(shares.values())))
    while True:
        spec = draw_spec(rng, depth)
        if spec.held_out == (split == "test"):
            return spec


def _problem(problem_id: str, spec: Spec, public: list[Example], hidden: list[Example]) -> Problem:
    return Problem(
        id=problem_id,
        statement=spec.statement,
        public_tests=tuple(_call(example) for example in public),
        hidden_tests=tuple(_call(example) for example in hidden),
        entry_point=FUNCTION,
        limits=_LIMITS,
        metadata={
            "ops": [step.op.name for step in spec.steps],
            "depth": len(spec.steps),
            "family": spec.family,
            "argument": spec.argument,
        },
    )


def _call(example: Example) -> CallTest:
    return CallTest(FUNCTION, (example.argument,), example.expected)
