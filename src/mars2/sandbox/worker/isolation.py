"""Puts the zygote into its jail. (Interim: limits only; tier D.)"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Isolation:
    """What holds a zygote and its children."""

    tier: str
    own_pid_namespace: bool
    missing: tuple[str, ...]
    pid: int = 0  # of the zygote, as the supervisor sees it

    def lock_down(self) -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def scratch_is_clean(self) -> bool:
        return True


class ChildLock:
    def __init__(self, isolation: Isolation) -> None:
        pass

    def apply(self) -> None:
        pass


def enter(
    use_namespaces: bool,
    use_landlock: bool,
    use_seccomp: bool,
    library_path: str | None,
    body: Callable[[Isolation], None],
) -> Isolation:
    isolation = Isolation("D", False, ("namespaces", "landlock", "seccomp"))
    pid = os.fork()
    if pid == 0:
        try:
            body(isolation)
        finally:
            os._exit(70)
    return Isolation(isolation.tier, False, isolation.missing, pid)
