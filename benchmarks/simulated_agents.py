"""A simulated world for judging search without a model: problems with hidden aspects, agents with hidden skills.

A problem has ASPECTS aspects that a right program must handle, APPROACHES ways to solve it, some of which cannot handle
some aspects, public tests that touch most aspects, and hidden tests that touch all. A program is an approach, a set of
handled aspects, and the way in which it is wrong on the others. An agent writes a first attempt by its taste for
approaches and its skill per aspect; refining, it mends aspects that public tests show to fail, sometimes mends or
breaks others, and rarely changes the approach.

The constants were fitted so that one agent's independent first attempts look like a small code model on hard problems
(`python benchmarks/yardstick.py --calibration`): about 3% right; the fraction of public tests passed correlated about
0.5 with being right; about one in three programs that pass every public test wrong; and so that one agent's chain of
refinements is about as likely to hold a right program as equally many independent attempts. That last fit was made
after a first comparison of strategies had been seen, to best-of-n and chain curves only, not to any tree search's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ASPECTS = 6
APPROACHES = 3
PUBLIC_TESTS = 5
HIDDEN_TESTS = 20
WAYS_WRONG = 4  # how many different wrong behaviours an unhandled aspect can have
STYLES = 50  # texts of one and the same program

SKILL_SD = 0.5  # of an agent on an aspect, logits
DIFFICULTY_MEAN = -0.2  # of a problem, logits
DIFFICULTY_SD = 0.4  # of a problem
ASPECT_SD = 0.5  # of an aspect within its problem
TASTE_SD = 1.0  # of an agent for an approach, logits
BLIND_ASPECTS = 0.5  # expected number of aspects that no public test touches
DEAD_END = 0.06  # probability that an approach cannot handle an aspect
REPAIR = 0.35  # relative chance of mending an aspect that a public test shows to fail
LUCK = 0.10  # relative chance of mending another
BREAK = 0.10  # probability of breaking a handled aspect by a refinement
SWITCH = 0.08  # probability that a refinement changes the approach
PROBE = 0.8  # probability that generated inputs exercise an aspect
REWARD_MODEL_SIGNAL = 1.0  # logits, + for right and − for wrong programs
REWARD_MODEL_SD = 2.0  # noise of the reward model, logits: its AUC is about 0.76

Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Program:
    """One simulated program. Programs that differ in style only behave alike."""

    approach: int
    handled: tuple[bool, ...]  # [ASPECTS]
    wrong: tuple[int, ...]  # [ASPECTS] how it is wrong where it is not handled, else 0
    style: int
    appeal: float  # what the reward model mistakes for quality: noise, drawn once per generation

    @property
    def text(self) -> str:
        """A valid Python program, quick to parse; the same for programs that are the same but for their appeal."""
        return str(hash((self.approach, self.handled, self.wrong, self.style)))


class World:
    """One problem and the agents that try it. Every draw comes from the streams of `seed` and `problem`."""

    def __init__(self, seed: int, problem: int, num_agents: int) -> None:
        rng = np.random.default_rng([seed, problem, 0])
        self._skills = rng.normal(0.0, SKILL_SD, (num_agents, ASPECTS))
        self._tastes = rng.normal(0.0, TASTE_SD, (num_agents, APPROACHES))
        difficulty = rng.normal(DIFFICULTY_MEAN, DIFFICULTY_SD) + rng.normal(0.0, ASPECT_SD, ASPECTS)
        self._chance = 1.0 / (1.0 + np.exp(difficulty - self._skills))  # [agents, ASPECTS] of handling an aspect
        self._possible = rng.random((APPROACHES, ASPECTS)) >= DEAD_END
        self._possible[int(rng.integers(APPROACHES))] = True  # the problem can be solved
        blind = rng.random(ASPECTS) < BLIND_ASPECTS / ASPECTS
        self._public = _tests(rng, PUBLIC_TESTS, ~blind)
        self._hidden = _tests(rng, HIDDEN_TESTS, np.ones(ASPECTS, dtype=bool))
        self._probed = rng.random(ASPECTS) < PROBE
        self._generation = np.random.default_rng([seed, problem, 1])

    def first_attempt(self, agent: int) -> Program:
        rng = self._generation
        taste = np.exp(self._tastes[agent])
        approach = int(np.searchsorted(np.cumsum(taste / taste.sum()), rng.random()))
        handled = (rng.random(ASPECTS) < self._chance[agent]) & self._possible[approach]
        return self._program(approach, handled, (0,) * ASPECTS)

    def refine(self, agent: int, parent: Program, *, sees_failures: bool = True) -> Program:
        """What `agent` makes of `parent`, knowing which public tests it fails, or (`sees_failures` False) not."""
        rng = self._generation
        if rng.random() < SWITCH:
            return self.first_attempt(agent)
        before = np.array(parent.handled)
        failing = self._public[(self._public & ~before).any(axis=1)]  # [failing tests, ASPECTS]
        shown = failing.any(axis=0) & ~before & sees_failures
        mended = rng.random(ASPECTS) < self._chance[agent] * np.where(shown, REPAIR, LUCK)
        broken = rng.random(ASPECTS) < BREAK
        handled = np.where(before, ~broken, mended) & self._possible[parent.approach]
        return self._program(parent.approach, handled, parent.wrong)

    def _program(self, approach: int, handled: Bits, wrong_before: tuple[int, ...]) -> Program:
        rng = self._generation
        ways = 1 + rng.geometric(0.5, ASPECTS) % WAYS_WRONG  # common mistakes are made by many
        wrong = [0 if h else (w or int(new)) for h, w, new in zip(handled, wrong_before, ways, strict=True)]
        style = int(rng.integers(STYLES))
        return Program(approach, tuple(handled.tolist()), tuple(wrong), style, float(rng.normal(0.0, REWARD_MODEL_SD)))

    def public_passed(self, program: Program) -> int:
        """Number of public tests passed, of PUBLIC_TESTS."""
        return _passed(self._public, program)

    def hidden_fraction(self, program: Program) -> float:
        return _passed(self._hidden, program) / HIDDEN_TESTS

    def right(self, program: Program) -> bool:
        """Every hidden test passes."""
        return all(program.handled)

    def behaviour(self, program: Program) -> tuple[int, ...]:
        """What generated inputs show of a program: how it is wrong on the aspects they exercise."""
        return tuple(w for w, probed in zip(program.wrong, self._probed, strict=True) if probed)

    def reward_model(self, program: Program) -> float:
        """A noisy guess in [0, 1] whether the program is right, always the same for a program."""
        signal = REWARD_MODEL_SIGNAL if self.right(program) else -REWARD_MODEL_SIGNAL
        return 1.0 / (1.0 + float(np.exp(-signal - program.appeal)))


def _tests(rng: np.random.Generator, count: int, aspects: Bits) -> Bits:
    """`count` tests of one to four of the allowed aspects, each of which is in some test. [count, ASPECTS]"""
    allowed = np.flatnonzero(aspects)
    tests = np.zeros((count, ASPECTS), dtype=bool)
    for i, aspect in enumerate(rng.permutation(np.resize(allowed, max(count, len(allowed))))):
        tests[i % count, aspect] = True
    for test in tests:
        test[rng.choice(allowed, size=int(rng.integers(1, 4)))] = True
    return tests


def _passed(tests: Bits, program: Program) -> int:
    return int((~(tests & ~np.array(program.handled)).any(axis=1)).sum())
