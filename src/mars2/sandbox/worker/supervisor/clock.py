"""Reads from outside how much time a jailed process has used, and says when it is over a limit."""

from __future__ import annotations

import time

_POLL_S = 0.1
_MOST_WALL = 10  # times the wall limit, however busy the machine


class Clock:
    """The clock of one step of a process, started when it is made.

    Waiting for a processor or the disk on a busy machine does not count towards the wall limit, up to ten times the
    limit. `start_cpu_s` is given for a process that has yet to start.
    """

    def __init__(self, pid: int, cpu_limit_s: float, wall_limit_s: float, start_cpu_s: float | None = None) -> None:
        self._cpu_limit_s, self._wall_limit_s = cpu_limit_s, wall_limit_s
        self._allowed_s, self._cpu_left_s = wall_limit_s, cpu_limit_s
        self.start = time.monotonic()
        self.set_pid(pid)
        self.start_cpu_s = (self.cpu_s() or 0.0) if start_cpu_s is None else start_cpu_s
        self._start_delay_s = None if start_cpu_s is None else 0.0  # None: read at the first pause, few get there

    def begin(self, pid: int, latest_s: float) -> None:
        """A process that was yet to start has done so, no more than `latest_s` seconds ago."""
        self.start = max(self.start, time.monotonic() - latest_s)
        self.set_pid(pid)

    def set_pid(self, pid: int) -> None:
        """The process; 0 while it is not known."""
        self._pid = pid
        self._clock = (~pid << 3) | 2 if pid else None  # CPU clock of a process; see clock_getcpuclockid(3)

    def cpu_s(self) -> float | None:
        """CPU time of the process since its start; None if it is gone or not known."""
        if self._clock is None:
            return None
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return None

    def used_s(self) -> float:
        """CPU time of this step so far."""
        cpu = self.cpu_s()
        return 0.0 if cpu is None else max(0.0, cpu - self.start_cpu_s)

    def wall_s(self) -> float:
        return time.monotonic() - self.start

    def pause_ms(self) -> float:
        """How long to wait before asking for `limit` again; not short of 1 ms, which is what poll(2) can do."""
        return 1000 * min(max(self._cpu_left_s, 0.001), max(self._allowed_s - self.wall_s(), 0.0), _POLL_S) + 1

    def limit(self) -> str:
        """The limit that the process is over, "cpu" or "wall"; "" if none."""
        if self._start_delay_s is None:
            self._start_delay_s = run_delay_s(self._pid)
        if self._allowed_s <= self.wall_s():  # the limit is on sleeping and computing, not on waiting
            waited_s = run_delay_s(self._pid) - self._start_delay_s
            self._allowed_s = min(self._wall_limit_s + waited_s, _MOST_WALL * self._wall_limit_s)
            if self._allowed_s <= self.wall_s() and not self._waits_for_disk():
                return "wall"
        self._cpu_left_s = self._cpu_limit_s - self.used_s()
        return "cpu" if self._cpu_left_s <= 0 else ""

    def _waits_for_disk(self) -> bool:
        """Whether the process waits for a page of its own code to be read, which is not its doing."""
        if self.wall_s() > _MOST_WALL * self._wall_limit_s:
            return False
        try:
            with open(f"/proc/{self._pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] == b"D"
        except (OSError, IndexError):
            return False


def run_delay_s(pid: int) -> float:
    """How long a process has been ready to run but was given no processor; 0 where the kernel does not say."""
    try:
        with open(f"/proc/{pid}/schedstat") as schedstat:
            return int(schedstat.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
