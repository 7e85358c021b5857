"""Keeping a process for the next test, which is only for speed: `mode="hermetic"` does without all of it.

This is the room's door: nobody imports what lies behind it. A program that provably leaves nothing behind
(`may_share`) may run several tests in one process (`run_tests`), as long as the process is found as it was after each
of them (`is_clean`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cleaning import is_clean
from .sentinels import Sentinels, remember_all, sentinels_of
from .several import run_tests
from .sharing import Slices, at_once, shares, slices

if TYPE_CHECKING:
    import ast  # not for every child of a zygote to hold

__all__ = [
    "Sentinels",
    "Slices",
    "at_once",
    "is_clean",
    "may_share",
    "remember_all",
    "run_tests",
    "sentinels_of",
    "shares",
    "slices",
]


def may_share(tree: ast.Module) -> frozenset[str] | None:
    """The library modules a program uses, if it may share a process with its next test; else None."""
    from .scan import modules_if_stateless  # only needed where programs are compiled

    return modules_if_stateless(tree)
