"""A random part of a problem set, fixed by a seed."""

from __future__ import annotations

from collections.abc import Sequence

from mars2.core.problem import Problem
from mars2.core.seeds import derive_seed


def seeded_subset(problems: Sequence[Problem], size: int | None, seed: int) -> list[Problem]:
    """`size` of `problems`, drawn without replacement and kept in their order; all of them for None.

    The place of a problem in the draw depends only on its id and the seed. So a smaller subset is part of a larger one,
    and an evaluation can be extended.
    """
    if size is None or size >= len(problems):
        return list(problems)
    drawn = sorted(range(len(problems)), key=lambda i: derive_seed(seed, "subset", problems[i].id))[:size]
    return [problems[i] for i in sorted(drawn)]
