"""A random part of a problem set, fixed by a seed."""

from __future__ import annotations

from collections.abc import Sequence

from mars2.core.problem import Problem
from mars2.core.seeds import derive_seed


def seeded_subset(problems: Sequence[Problem], size: int | None, seed: int) -> list[Problem]:
    """`size` of `problems` in their order, drawn without replacement; all of them for None.

    A problem's place in the draw depends on its id and the seed alone: a smaller subset is part of a larger one, so
    that an evaluation can be grown.
    """
    if size is None or size >= len(problems):
        return list(problems)
    drawn = sorted(range(len(problems)), key=lambda i: derive_seed(seed, "subset", problems[i].id))[:size]
    return [problems[i] for i in sorted(drawn)]
