"""One judgement, on the trusted side: compiles the program and has its tests run in as few processes as is safe."""

from __future__ import annotations

import socket
from typing import Any

from .. import reuse
from . import compiler
from .by_themselves import ByThemselves
from .candidates import Candidates
from .checking import ask_checker
from .in_steps import InSteps
from .request import Request, Zygote
from .verdicts import UNCHECKED, Outcome


class Judgement:
    """Judges one request."""

    def __init__(
        self,
        request: Request,
        compiler_zygote: Zygote,
        zygote: Zygote,
        tester_zygote: Zygote,
        trainer: socket.socket,
    ) -> None:
        self.request = request
        self._compiler_zygote, self._zygote, self._tester_zygote = compiler_zygote, zygote, tester_zygote
        self._trainer = trainer

    def run(self) -> list[dict[str, Any]]:
        """The fields of each test's `Outcome`, in order. Whatever happens, no process is left.

        Raises:
            CheckerFailed: the problem's checker does not say what an answer is.
            TestRefused: a test needs what is not here.
            Cancelled: the trainer no longer wants it.
            ZygoteLost: no process can be had.
        """
        request = self.request
        source = request.program.encode("utf-8", "surrogatepass")
        may_share = len(request.tests) > 1 and not request.hermetic and request.checker is None
        program = compiler.compile_program(source, may_share, self._compiler_zygote, self._trainer)
        if isinstance(program, compiler.Refused):
            refused = Outcome("CE", program.cpu_s, error_type=program.error_type, error_message=program.error_message)
            return [refused.fields()] * max(1, len(request.tests))
        slices = reuse.slices(request.cpu_s, request.wall_s)
        candidates = Candidates(request, program, source, slices, self._zygote, self._trainer)
        steps = InSteps(candidates, request.rules, self._tester_zygote, self._trainer)
        try:
            outcomes = self._outcomes(candidates, ByThemselves(candidates, request.rules, slices), steps)
        finally:
            try:
                candidates.retire()
            finally:
                steps.retire()
        return [outcome.fields() for outcome in outcomes]

    def _outcomes(self, candidates: Candidates, by_themselves: ByThemselves, steps: InSteps) -> list[Outcome]:
        tests, checker = self.request.tests, self.request.checker
        outcomes: list[Outcome] = []
        while len(outcomes) < len(tests):
            if outcomes and outcomes[-1].status != "AC" and self.request.stop_at_first_failure:
                outcomes += [Outcome("SKIPPED")] * (len(tests) - len(outcomes))
                break
            test = tests[len(outcomes)]
            if test[0] == "assert":
                outcomes.append(steps.run(test))
            else:
                outcomes += by_themselves.run(len(outcomes))
            last = outcomes[-1]
            if last.status == UNCHECKED:
                assert checker is not None
                candidates.retire()
                steps.retire()
                number, test = len(outcomes), tests[len(outcomes) - 1]
                last.status = ask_checker(checker, test, last.answer, number, self._tester_zygote, self._trainer)
                last.answer = None
        return outcomes
