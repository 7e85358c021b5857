"""Starts a worker inside another tool's jail: what bubblewrap and Docker have in common.

The whole worker, supervisor included, runs in the outer jail, which replaces the worker's own namespaces. Inside it the
worker still puts Landlock and seccomp on every program, and its supervisor, which holds the expected outputs, cannot be
read by processes of the same user.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

WORKER_FOLDER = Path(__file__).resolve().parent / "worker"
PYTHON_OPTIONS = ("-s", "-P", "-S", "-X", "utf8")  # no site packages, nothing from the current folder
ENVIRONMENT = {  # all that a worker finds
    "PYTHONHASHSEED": "0",  # verdicts repeat
    "LD_BIND_NOW": "1",  # computed once, not again in each child
    "MALLOC_ARENA_MAX": "1",  # each further arena takes 64 MiB of address space from a program with threads
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
CONTAINED_TIERS = ("A", "B", "C")  # of the layers inside; with seccomp at least, the supervisor is out of reach


class LaunchedProcess(subprocess.Popen[bytes]):
    """A command in a session of its own. `kill` reaches all of the session; what it says on stderr is kept."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        super().__init__(command, stderr=self._complaints, start_new_session=True, **options)

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            super().kill()

    def last_words(self) -> str:
        """The last line on stderr; "" if there is none."""
        size = os.fstat(self._complaints.fileno()).st_size
        tail = os.pread(self._complaints.fileno(), 4096, max(0, size - 4096))
        lines = tail.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


class Launcher(Protocol):
    """Starts workers in an outer jail."""

    tier: str  # what its verdicts say
    has_numpy: bool  # whether programs find the numpy of this machine

    def spawn(self, connection: socket.socket) -> LaunchedProcess:
        """A process that serves `connection` as `worker/__main__.py` does. Blocking.

        Raises:
            SandboxUnavailable: the outer jail cannot be had here.
        """
        ...


def tier_name(launcher: Launcher, inner_tier: str) -> str:
    """The tier of verdicts, from that of the layers inside the outer jail."""
    return launcher.tier if inner_tier in CONTAINED_TIERS else f"{launcher.tier} without seccomp"
