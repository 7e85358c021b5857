"""Named, independent random streams from one root seed, so that no part's draws depend on another's timing."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(root_seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` (e.g. ``derive_seed(0, "search", problem_id)``), stable across runs."""
    text = "\x1f".join([str(root_seed), *(f"{type(n).__name__}:{n}" for n in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(root_seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator (PCG64) for the stream called `names`."""
    return np.random.Generator(np.random.PCG64(derive_seed(root_seed, *names)))
