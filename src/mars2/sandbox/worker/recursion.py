"""Room for the harness to recurse, whatever limit a program has set."""

from __future__ import annotations

import sys

_HARNESS_RECURSION = 5_000


def make_room() -> None:
    """Let the harness recurse as deep as it needs, without lowering the limit under threads that still run."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _HARNESS_RECURSION))
