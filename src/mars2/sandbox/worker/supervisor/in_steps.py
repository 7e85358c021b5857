"""Assertion tests: tester and candidate in two jails, the candidate asked step by step."""

from __future__ import annotations

import marshal
import socket
from dataclasses import replace
from typing import Any

from ..encoding import decode, encode
from ..protocol import BEGIN, CALLING, DONE, END, IDLE, RUN_TESTER, SERVE_CALL
from ..tester import by_value, reading
from .candidates import Candidates, new_process
from .process import Process, Reply
from .request import Zygote, message_of
from .showing import brief
from .verdicts import SHOWN_CHARACTERS, Ended, Outcome, Rules, Test, decide

_LACKS = "an assertion test imports {!r}, which the judge's Python does not have"
_LEAST_SHARE_S = 0.5  # of a test's wall time, for either of tester and candidate
_CONFIRMED = ("WA", "RE", "MLE")  # a failure after other tests is only believed after a fresh process confirms it


class TestRefused(Exception):
    """The test cannot be run here: the judge's own fault, or the problem's."""


class InSteps:
    """Runs the assertion tests of one judgement, with one process of the tester for all of them."""

    def __init__(self, candidates: Candidates, rules: Rules, tester_zygote: Zygote, trainer: socket.socket) -> None:
        self._candidates, self._rules = candidates, rules
        self._request = candidates.request
        self._tester_zygote, self._trainer = tester_zygote, trainer
        self._tester: Process | None = None

    def run(self, test: Test) -> Outcome:
        """One test; a failure in a process that has run others is confirmed by a fresh one."""
        candidates = self._candidates
        if candidates.live is None:
            candidates.start([], True)
        was_fresh = candidates.is_fresh
        outcome = self._attempt(test)
        if outcome.status in _CONFIRMED and not was_fresh:
            candidates.retire()
            candidates.start([], True)
            outcome = self._attempt(test)
        return outcome

    def _attempt(self, test: Test) -> Outcome:
        """Run a test in the live process, then keep the process or retire it."""
        candidates = self._candidates
        process = candidates.live
        assert process is not None
        process.begin_test()
        names = reading.called_names(test[1])
        candidates.is_fresh = False
        outcome, last = (
            self._run_apart(test, names, process) if names is not None else self._run_together(test, process)
        )
        candidates.ran([outcome])
        is_over = last.kind != DONE or not last.reusable or not candidates.may_share or bool(last.limit)
        if is_over or outcome.weak or self._request.checker is not None:  # the test's own code may leave anything
            candidates.retire()
        return outcome

    def _run_apart(self, test: Test, names: tuple[str, ...], process: Process) -> tuple[Outcome, Reply]:
        """With calls going from the tester to the candidate by value.

        The candidate's time is that of its own steps, its end included. The tester's is held to the same limits.
        """
        last = self._step(process, BEGIN, b"", b"")
        report, passed = last.report, False  # only the tester can say that a test passed
        if last.kind == DONE and not last.limit and _is(report, ("exit", 0)):
            asked = self._ask_tester(RUN_TESTER, marshal.dumps((test[1], names)), process, begins=True)
            while asked.kind == CALLING and not asked.limit:
                last = self._step(process, SERVE_CALL, asked.report, None, self._tester)
                report = last.report
                if last.kind != DONE or last.limit:
                    break
                asked = self._ask_tester(DONE, report, process)
            if asked.kind == DONE:
                report = asked.report
                _refuse(report)
                passed = not asked.limit and _is(report, ("done",))
            if asked.kind is None or asked.limit:  # the test broke or never ended, on the values it was given
                report = encode(("error", "AssertionError", "the test did not come to an end", ""))
            if asked.kind != DONE or asked.limit:
                self.retire()
        outcome = self._decide(test, replace(last, report=report), process, passed=passed)
        if outcome.status == "WA":
            outcome.actual = _last_value(last.report)
        if last.kind == DONE and not last.limit and (passed or self._candidates.may_share):
            last = self._step(process, END, b"", None)
            if outcome.status == "AC":
                outcome = self._decide(test, last, process)
        return outcome, last

    def _run_together(self, test: Test, process: Process) -> tuple[Outcome, Reply]:
        """The same test in the candidate's own process: weaker, and said so."""
        if missing := reading.missing_package(test[1]):
            raise TestRefused(_LACKS.format(missing))
        last = self._step(process, *message_of(test)[:2], b"")
        outcome = self._decide(test, last, process)
        outcome.weak = True
        return outcome, last

    def _step(
        self, process: Process, kind: int, body: bytes, stdin: bytes | None, other: Process | None = None
    ) -> Reply:
        """One request under what is left of the test's limits; its wall limit is shared with the `other` process."""
        rules = self._rules
        wall_s = rules.wall_s
        if other is not None:
            wall_s = max(wall_s - other.counted_wall_s, _LEAST_SHARE_S)
        return process.next_step(kind, body, stdin, rules.cpu_s, wall_s, rules.stdout_bytes)

    def _ask_tester(self, kind: int, body: bytes, process: Process, begins: bool = False) -> Reply:
        if self._tester is None:
            self._tester = new_process(self._request, self._tester_zygote, self._trainer, IDLE)
        if begins:
            self._tester.begin_test()
        return self._step(self._tester, kind, body, None, process)

    def _decide(self, test: Test, last: Reply, process: Process, passed: bool = True) -> Outcome:
        stdout, size = process.stdout()
        stderr = process.stderr(self._request.stderr_bytes)
        report = None if last.kind is None else last.report
        code = signal = None
        if report is None and not last.limit and size <= self._rules.stdout_bytes:
            exited = process.finish()
            code, signal = exited.code, exited.signal
        ended = Ended(report, stdout, size, stderr, last.cpu_s, last.wall_s, last.limit, code, signal)
        return decide(test, ended, self._rules, passed=passed)

    def retire(self) -> None:
        """End the tester's process."""
        process, self._tester = self._tester, None
        if process is not None:
            try:
                process.finish()
                if process.zygote_is_spent:
                    self._tester_zygote.discard()
            finally:
                process.close()


def _last_value(report: bytes) -> str:
    """What a call by a tester returned, shortened; "" if it did not return."""
    try:
        match decode(report):
            case ("value", bytes(data)):
                return brief(by_value.shown_result(data), SHOWN_CHARACTERS)
    except Exception:  # it may be anything
        pass
    return ""


def _refuse(report: bytes) -> None:
    """Raise TestRefused for the report of a test that asks for a module which is not here."""
    match decode(report):
        case ("lacks", str(module)):
            raise TestRefused(_LACKS.format(module))
        case _:
            pass


def _is(report: bytes, expected: tuple[Any, ...]) -> bool:
    return report == encode(expected)
