"""Ends engine processes when the process that uses them ends, even if it is killed.

vLLM's engine core does not notice that its parent was terminated or killed, and would go on generating.
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
_WATCH_FAMILY = """
import os, select, signal, sys
def processes():  # the parent of each, and when it started
    found = {}
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/' + name + '/stat') as stat:
                fields = stat.read().rpartition(')')[2].split()
            found[int(name)] = int(fields[1]), fields[19]
        except OSError:
            pass
    return found
family, seen = {int(sys.argv[1])}, {}
while not select.select([0], [], [], 0.2)[0]:
    table = processes()
    while new := {pid for pid in table if table[pid][0] in family} - family - {os.getpid()}:
        family |= new
        seen.update((pid, table[pid][1]) for pid in new)
table = processes()
for pid, started in seen.items():
    if pid in table and table[pid][1] == started:
        os.kill(pid, signal.SIGKILL)
"""


class EngineGuard:
    """A small process that kills `pids` when this process is gone; `release` ends it without that.

    Without `pids` it kills every process that this one has started since, and their children. This is for an engine
    that is still starting, whose processes are not known yet. It needs /proc.
    """

    def __init__(self, pids: Iterable[int] | None = None) -> None:
        self.pids = list(pids or ())
        watch = [_WATCH, *map(str, self.pids)] if pids is not None else [_WATCH_FAMILY, str(os.getpid())]
        command = [sys.executable, "-I", "-S", "-c", *watch]
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
