"""Stdio and call tests: a process runs them by itself, and the supervisor reads what it left."""

from __future__ import annotations

from collections.abc import Sequence

from .. import reuse
from ..protocol import Tests
from ..records import NO_RECORD, Share
from .candidates import Candidates
from .process import Process, Ran
from .request import message_of, messages_until_assertion
from .verdicts import Ended, Outcome, Rules, Test, decide

_CONFIRMED = ("WA", "RE", "MLE")  # a failure after other tests is only believed after a fresh process confirms it


class ByThemselves:
    """Runs tests of one judgement that need nobody while they run."""

    def __init__(self, candidates: Candidates, rules: Rules, slices: reuse.Slices) -> None:
        self._candidates, self._rules, self._slices = candidates, rules, slices
        self._request = candidates.request
        self._over = (rules.cpu_s, rules.cpu_s + slices.cpu_s)

    def run(self, first: int) -> list[Outcome]:
        """The outcomes of as many tests from `first` on as a process may run at once: one at least."""
        all_tests = self._request.tests
        messages = [message_of(all_tests[first])]
        if self._candidates.may_share:
            others = messages_until_assertion(all_tests[index] for index in range(first + 1, len(all_tests)))
            messages = reuse.at_once(messages[0], others)
        tests = all_tests[first : first + len(messages)]
        was_fresh = self._candidates.live is None
        outcomes: list[Outcome] = []
        for index, outcome in enumerate(self._run(tests, messages, first + len(tests) < len(all_tests))):
            if outcome.status in _CONFIRMED and not (was_fresh and index == 0):
                self._candidates.retire()
                (outcome,) = self._run(tests[index : index + 1], messages[index : index + 1], False)
            outcomes.append(outcome)
            if outcome.status != "AC" and self._request.stop_at_first_failure:
                break
        return outcomes

    def _run(self, tests: Sequence[Test], messages: Tests, stay: bool) -> list[Outcome]:
        """Outcomes of the first of `tests`, one at least, run by the live process or a fresh one."""
        candidates, rules = self._candidates, self._rules
        (kind, body, stdin), *others = messages
        messages = [(kind, body, b""), *others]
        stay = stay and candidates.may_share
        cpu_slice_s, wall_slice_s = (0.0, 0.0) if len(tests) == 1 else self._slices
        limits = (rules.cpu_s + cpu_slice_s, rules.wall_s + wall_slice_s, rules.stdout_bytes)
        process = candidates.live
        if process is None:
            process = candidates.start(messages, stay, stdin)
            ran = process.wait_for_job(len(tests), *limits)
        else:
            ran = process.run_tests(messages, stay, stdin, *limits)
        shares = self._shares(ran, len(tests))
        outcomes = [self._outcome(test, share, process) for test, share in zip(tests, shares, strict=False)]
        candidates.ran(outcomes)
        if not ran.reusable or not candidates.may_share or ran.limit:
            candidates.retire()
            if len(outcomes) < len(tests) and not ran.limit and outcomes[-1].status == "AC":
                candidates.may_share = False  # it left something behind
        return outcomes

    def _shares(self, ran: Ran, num_tests: int) -> list[Share]:
        """What each test that was run used; the last one may have been under way when the process ended."""
        if num_tests > 1:
            return reuse.shares(ran.records, ran.ended, num_tests, ran.cpu_s, ran.wall_s, ran.limit, self._over)
        if not ran.ended:
            return [Share(None, ran.cpu_s, ran.wall_s, ran.limit)]
        if not ran.records:
            return [Share(NO_RECORD, ran.cpu_s, ran.wall_s, "")]
        limit = ran.limit or ("cpu" if ran.cpu_s > self._rules.cpu_s else "")
        return [Share(ran.records[0], ran.cpu_s, ran.wall_s, limit)]

    def _outcome(self, test: Test, share: Share, process: Process) -> Outcome:
        record = share.record
        report, stdout, stderr = record[:3] if record is not None else (None, None, None)
        stdout, size = process.stdout() if stdout is None else (stdout, len(stdout))
        if stderr is None:
            stderr = process.stderr(self._request.stderr_bytes)
        code = signal = None
        if report is None and not share.limit and size <= self._rules.stdout_bytes:
            exited = process.finish()
            code, signal = exited.code, exited.signal
        ended = Ended(report, stdout, size, stderr, share.cpu_s, share.wall_s, share.limit, code, signal)
        return decide(test, ended, self._rules)
