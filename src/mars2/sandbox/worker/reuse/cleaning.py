"""Looks, after a test, whether a process is as it was before it."""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import sys
import types
import warnings
from typing import Any

from ..recursion import make_room
from .sentinels import Sentinels

_NO_STREAMS: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"))


def is_clean(sentinels: Sentinels, keepers: tuple[int, int, int], main: types.ModuleType) -> bool:
    """Whether this process may run another test.

    It may not if any of the program still ran: what that printed is taken back, and the process is to end.
    """
    if _thread._count():
        return False
    _, stdout, stderr = keepers
    sizes = os.lseek(stdout, 0, os.SEEK_END), os.lseek(stderr, 0, os.SEEK_END)
    sentinels.forget()
    sys.__dict__.update(_NO_STREAMS)
    garbage = gc.collect()
    make_room()
    if sizes != (os.lseek(stdout, 0, os.SEEK_END), os.lseek(stderr, 0, os.SEEK_END)):
        os.ftruncate(stdout, sizes[0])
        os.ftruncate(stderr, sizes[1])
        return False
    if garbage or main.__dict__ or atexit._ncallbacks() or sys.stdin is not None or sys.stdout is not None:
        return False
    if not sentinels.untouched():
        return False
    _forget_warnings()
    return gc.isenabled()


def _forget_warnings_slowly() -> None:
    with warnings.catch_warnings():
        pass


# What was warned of once may be warned of again: registries of an older version of the filters do not count.
_forget_warnings = getattr(warnings, "_filters_mutated", _forget_warnings_slowly)
