"""Engine processes do not outlive the process that uses them, however that one ends.

vLLM's engine core notices neither a terminated nor a killed parent: it goes on generating for nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable

_WATCH = """
import os, signal, sys
sys.stdin.read()  # until the other end is closed, at the latest by the end of the process that holds it
for pid in map(int, sys.argv[1:]):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class EngineGuard:
    """A small process that kills `pids` when this process is gone; `release` ends it without that."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = list(pids)
        command = [sys.executable, "-I", "-S", "-c", _WATCH, *map(str, self.pids)]
        # Only this process holds the writing end of the pipe. In a session of its own the guard is out of Ctrl-C's way.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def kill(self) -> None:
        """Kill them now."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def release(self) -> None:
        """End the watch; `pids` may have gone to other processes."""
        self._process.kill()
        self._process.communicate()
