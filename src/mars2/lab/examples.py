"""Tests for a specification: arguments chosen so that they tell the right program from programs with one mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mars2.lab.specs import Spec, random_argument, run_codes

_NUM_PROBES = 24
_MAX_SHOWN_CHARS = 40
_FAILED = object()  # equal to no result


@dataclass(frozen=True, slots=True)
class Example:
    """`f(argument)` must return `expected`."""

    argument: Any
    expected: Any

    @property
    def shown_chars(self) -> int:
        return len(repr(self.argument)) + len(repr(self.expected))


def single_mistakes(spec: Spec) -> list[tuple[str, ...]]:
    """Codes of every program one mistake away: a slip in a step, a step left out, two neighbours swapped."""
    right = spec.codes
    mistakes = [(*right[:i], slip, *right[i + 1 :]) for i, step in enumerate(spec.steps) for slip in step.slips]
    mistakes += missing_steps(spec)
    mistakes += [(*right[:i], right[i + 1], right[i], *right[i + 2 :]) for i in range(len(right) - 1)]
    return mistakes


def missing_steps(spec: Spec) -> list[tuple[str, ...]]:
    """Codes of every program that leaves one step out."""
    return [(*spec.codes[:i], *spec.codes[i + 1 :]) for i in range(len(spec.codes))]


def outcome(codes: Sequence[str], argument: Any) -> Any:
    """What the codes return; something equal to nothing else where they raise."""
    try:
        return run_codes(codes, argument)
    except Exception:
        return _FAILED


def draw_examples(spec: Spec, rng: np.random.Generator, count: int) -> list[Example]:
    """`count` short examples with different arguments; fewer where the specification has only long ones."""
    found: dict[str, Example] = {}
    for _ in range(4 * count):
        argument = random_argument(spec.argument, rng)
        example = Example(argument, run_codes(spec.codes, argument))
        if example.shown_chars <= _MAX_SHOWN_CHARS:
            found.setdefault(repr(argument), example)
        if len(found) == count:
            break
    return list(found.values())


def choose_tests(
    spec: Spec, rng: np.random.Generator, *, num_public: int, num_hidden: int
) -> tuple[list[Example], list[Example]] | None:
    """Public and hidden examples; None if a step of the specification does nothing, or its results hardly vary.

    Hidden examples are picked greedily until every single mistake that any probe reveals is revealed by one of them.
    """
    probes = draw_examples(spec, rng, _NUM_PROBES)
    if len(probes) < num_public + num_hidden or len({repr(p.expected) for p in probes}) < 3:
        return None
    if any(not _revealing(codes, probes) for codes in missing_steps(spec)):
        return None
    public, rest = probes[:num_public], probes[num_public:]
    unseen = [found for codes in single_mistakes(spec) if (found := _revealing(codes, rest))]
    chosen: list[int] = []
    while unseen:
        best = max(range(len(rest)), key=lambda i: sum(i in found for found in unseen))
        chosen.append(best)
        unseen = [found for found in unseen if best not in found]
    spare = [i for i in range(len(rest)) if i not in chosen]
    chosen += spare[: max(0, num_hidden - len(chosen))]
    return public, [rest[i] for i in chosen]


def _revealing(codes: Sequence[str], probes: Sequence[Example]) -> set[int]:
    """Indices of the probes on which these codes are wrong."""
    return {i for i, probe in enumerate(probes) if outcome(codes, probe.argument) != probe.expected}
