"""What a worker does first, before it imports what only its supervisor needs: no zygote shall hold that."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from functools import partial

from .. import wire
from ..jail import libc
from ..zygote import huge_pages
from .nursery import Nursery, start_zygote

_STACK_BYTES = 1 << 30  # room for deep recursion in candidates; address space only
_REEXECUTED = "MARS2_WORKER_STACK"


def main(descriptor: int) -> None:
    """Serve one trainer over a connected socket until it closes."""
    _make_room_for_recursion()
    sys.setrecursionlimit(10_000)
    huge_pages.keep_interpreter()
    trainer = socket.socket(fileno=descriptor)
    settings = json.loads(wire.receive(trainer))
    if settings["contained"]:
        libc.prctl(libc.PR_SET_DUMPABLE, 0)  # programs may be of the same user: none may read what is expected
    nursery = Nursery(partial(start_zygote, settings), trainer)
    from . import supervisor

    supervisor.serve(trainer, settings, nursery)


def _make_room_for_recursion() -> None:
    """Start again with a large stack limit: the kernel lays out room for the stack when a program starts, not later."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(_STACK_BYTES, hard)
    if _REEXECUTED not in os.environ:
        os.environ[_REEXECUTED] = "1"
        resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    del os.environ[_REEXECUTED]
