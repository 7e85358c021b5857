"""The time of a test that runs in several steps: each step gets what those before it have left."""

from __future__ import annotations

from .clock import run_delay_s
from .process import Ended, Jailed

_LOOK_AFTER_S = 0.01  # of wall time: it is not worth the look after each call of a test that makes many


class Stepwise(Jailed):
    """A jailed process whose steps are held to the limits of a test together."""

    cpu_s = wall_s = 0.0  # spent on the test so far
    _waited_s = _waited_before_s = 0.0  # for a processor: on this test, and until it began
    _looked_at_s = 0.0  # of the test's wall time, when it was last looked at how long the process waited

    def begin_test(self) -> None:
        """From here on time counts for another test."""
        self._greet()
        self.cpu_s = self.wall_s = self._waited_s = self._looked_at_s = 0.0
        self._waited_before_s = run_delay_s(self._pid)

    def begin_again(self) -> None:
        """The same test is run anew: with all of its CPU time, and with what is left of its wall time."""
        self.cpu_s = 0.0

    @property
    def counted_wall_s(self) -> float:
        """Of the test so far, without waiting for a processor."""
        return self.wall_s - self._waited_s

    def next_step(
        self,
        request: int,
        body: bytes,
        stdin: bytes | None,
        cpu_limit_s: float,
        wall_limit_s: float,
        stdout_bytes: int,
    ) -> Ended:
        """One request, under what is left of the test's limits; the times of the result are those of the test."""
        ended = self.step(
            request,
            body,
            stdin=stdin,
            cpu_limit_s=max(0.0, cpu_limit_s - self.cpu_s),
            wall_limit_s=max(0.0, wall_limit_s - self.counted_wall_s),
            stdout_bytes=stdout_bytes,
        )
        self.cpu_s += ended.cpu_s
        self.wall_s += ended.wall_s
        if self.exit is None and self.wall_s - self._looked_at_s > _LOOK_AFTER_S:
            self._looked_at_s = self.wall_s
            self._waited_s = max(0.0, run_delay_s(self._pid) - self._waited_before_s)
        limit = ended.limit
        if ended.reply is not None and self.counted_wall_s > wall_limit_s + _LOOK_AFTER_S:
            limit = limit or "wall"
        return Ended(ended.reply, ended.report, ended.reusable, self.cpu_s, self.wall_s, limit)
