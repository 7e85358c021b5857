"""Keeping a process for the next test, which is only for speed: `mode="hermetic"` does without all of it.

This is the room's door: nobody imports what lies behind it. A program in a language that cannot keep anything
(`may_share`) may run several tests in one process (`run_tests`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .several import run_tests
from .sharing import Slices, at_once, shares, slices

if TYPE_CHECKING:
    import ast  # not for every child of a zygote to hold

__all__ = ["Slices", "at_once", "may_share", "run_tests", "shares", "slices"]


def may_share(tree: ast.Module) -> bool:
    """Whether a program may share a process with its next test."""
    from . import scan  # only needed where programs are compiled

    return scan.may_share(tree)
