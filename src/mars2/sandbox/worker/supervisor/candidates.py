"""The one live candidate of a judgement, from its start to its end."""

from __future__ import annotations

import socket

from ..protocol import Job, Tests
from ..reuse import Slices
from . import compiler
from .process import Process
from .request import Request, Zygote
from .verdicts import Outcome

MIN_FILE_BYTES = 1 << 20  # reports need room even where a problem allows little output


class Candidates:
    """Starts candidates of a program, one after another, and tells their tests what they used when they end."""

    def __init__(
        self,
        request: Request,
        program: compiler.Program,
        source: bytes,
        slices: Slices,
        zygote: Zygote,
        trainer: socket.socket,
    ) -> None:
        self.request, self.program, self._source, self._slices = request, program, source, slices
        self._zygote, self._trainer = zygote, trainer
        self.may_share = program.may_share  # whether a process may run more than one test
        self.live: Process | None = None
        self.is_fresh = False  # whether the live process has run no test yet
        self._ran_here: list[Outcome] = []  # tests of the live process, to be told its peak memory

    def start(self, tests: Tests, stay: bool, stdin: bytes = b"") -> Process:
        """A fresh process with the program in it, which runs these tests and then, if it is to `stay`, waits."""
        stops = self.request.stop_at_first_failure
        job = Job(self.program.packed, self._source, self.program.may_share, stops, *self._slices, tests, stay)
        self.live = new_process(self.request, self._zygote, self._trainer, job, stdin)
        self.is_fresh = not tests
        return self.live

    def ran(self, outcomes: list[Outcome]) -> None:
        """These tests were run by the live process."""
        self.is_fresh = False
        self._ran_here += outcomes

    def retire(self) -> None:
        """End the live process and give its tests its peak memory."""
        process, self.live = self.live, None
        if process is None:
            return
        try:
            exited = process.finish()
            if process.zygote_is_spent:
                self._zygote.discard()
            for outcome in self._ran_here:
                outcome.peak_mib = round(exited.peak_mib, 1)
        finally:
            self._ran_here = []
            process.close()


def new_process(request: Request, zygote: Zygote, trainer: socket.socket, job: Job, stdin: bytes = b"") -> Process:
    """A process under the limits of a request."""
    return Process(
        zygote.connect(),
        zygote.pid,
        trainer,
        cpu_s=request.cpu_s * max(1, len(request.tests)),
        memory_mib=request.memory_mib,
        file_bytes=max(request.stdout_bytes + 1, MIN_FILE_BYTES),
        job=job,
        stdin=stdin,
    )
