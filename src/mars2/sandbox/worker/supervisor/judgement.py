"""One judgement, on the trusted side: sends inputs into the jail, compares what comes out, decides the verdicts."""

from __future__ import annotations

import marshal
import socket
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Protocol

from .. import protocol
from ..encoding import EncodingError, decode, encode
from ..program import checker
from ..tester import by_value, tester
from . import compiler
from .comparison import brief, outputs_equal, printable, shorten, values_equal
from .process import Ended, Jailed, Ran
from .stepwise import Stepwise

_SHOWN_CHARACTERS = 2_000
_MOST_TYPE_NAME, _MOST_TRACE = 100, 8_000  # characters
_MIN_FILE_BYTES = 1 << 20  # reports need room even where a problem allows little output
_LEAST_SHARE_S = 0.5  # of a test's wall time, for either of tester and candidate
_UNCHECKED = "?"  # status of an answer that the problem's checker has yet to see
_MOST_BURST_BYTES = 1 << 18  # inputs of tests that a process runs by itself, the first not counted
_CPU_SLICE_S, _WALL_SLICE_S = 0.01, 0.05  # after which a process starts no further test by itself …
_SLICE = 0.02  # … or this share of the limit, if that is less
_STATUS_OF_ERROR = {"MemoryError": "MLE", protocol.OUTPUT_TOO_LARGE: "OLE"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the trainer asked; tests are ("stdio", input, output), ("call", name, args, expected), ("assert", code)."""

    program: str
    tests: list[tuple[Any, ...]]
    cpu_s: float
    wall_s: float
    memory_mib: int
    stdout_bytes: int
    stderr_bytes: int
    comparison: str
    stop_at_first_failure: bool
    hermetic: bool
    checker: str | None = None  # source; replaces `comparison`


@dataclass(slots=True)
class Outcome:
    """One test's result, with the fields of `mars2.core.verdict.TestResult` in the same order."""

    status: str
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mib: float = 0.0
    actual: str = ""
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    stderr: str = ""
    exit_code: int | None = None
    signal: int | None = None
    weak: bool = False


_row = attrgetter(*(field.name for field in fields(Outcome)))


class Zygote(Protocol):
    """Where a judgement's processes come from."""

    @property
    def pid(self) -> int:
        """Process id of the live one."""
        ...

    def connect(self) -> socket.socket:
        """The connection to a live zygote."""
        ...

    def discard(self) -> None:
        """End the zygote; the next `connect` starts another."""
        ...


class Judgement:
    """Runs a request's tests in as few processes as is safe."""

    def __init__(
        self,
        request: Request,
        compiler_zygote: compiler.Zygote,
        zygote: Zygote,
        tester_zygote: Zygote,
        trainer: socket.socket,
    ) -> None:
        self.request = request
        self._compiler_zygote, self._trainer = compiler_zygote, trainer
        self._zygote, self._tester_zygote = zygote, tester_zygote
        self._tester: Jailed | None = None
        self._answer: Any = None  # what the checker is to look at
        self._source = request.program.encode("utf-8", "surrogatepass")
        self._program = compiler.Program(b"", None)
        self._reusable = False  # whether a process may run more than one of its tests
        self._cpu_slice_s = min(_CPU_SLICE_S, _SLICE * request.cpu_s)
        self._wall_slice_s = min(_WALL_SLICE_S, _SLICE * request.wall_s)
        self._jailed: Stepwise | None = None
        self._fresh = False  # whether the live process has run no test yet
        self._ran_here: list[Outcome] = []  # tests of the live process, to be told its peak memory

    def run(self) -> list[tuple[Any, ...]]:
        """The fields of each test's `Outcome`, in order. Whatever happens, no process is left."""
        try:
            outcomes = self._run()
        finally:
            try:
                self._retire()
            finally:
                self._retire_tester()
        return [*map(_row, outcomes)]

    def _run(self) -> list[Outcome]:
        tests = self.request.tests
        refusal = self._compile()
        if refusal is not None:
            return [refusal] * max(1, len(tests))
        outcomes: list[Outcome] = []
        while len(outcomes) < len(tests):
            if outcomes and outcomes[-1].status != "AC" and self.request.stop_at_first_failure:
                outcomes += [Outcome("SKIPPED")] * (len(tests) - len(outcomes))
                break
            if tests[len(outcomes)][0] == "assert":
                outcomes.append(self._test(tests[len(outcomes)]))
            else:
                outcomes += self._burst(len(outcomes))
            if outcomes[-1].status == _UNCHECKED:
                outcomes[-1].status = self._ask_checker(len(outcomes), tests[len(outcomes) - 1])
        return outcomes

    def _compile(self) -> Outcome | None:
        """Have the program compiled; a CE if that cannot be."""
        request = self.request
        may_reuse = len(request.tests) > 1 and not request.hermetic and request.checker is None
        found = compiler.compile_program(self._source, may_reuse, self._compiler_zygote, self._trainer)
        if isinstance(found, compiler.Refused):
            return Outcome("CE", found.cpu_s, error_type=found.error_type, error_message=found.error_message)
        self._program = found
        self._reusable = may_reuse and found.modules is not None
        return None

    def _burst(self, first: int) -> list[Outcome]:
        """As many tests from `first` on as a process may run by itself: one at least."""
        all_tests = self.request.tests
        messages = self._messages(first)
        tests = all_tests[first : first + len(messages)]
        was_fresh = self._jailed is None
        outcomes: list[Outcome] = []
        for index, outcome in enumerate(self._run_by_itself(tests, messages, first + len(tests) < len(all_tests))):
            if outcome.status in ("WA", "RE", "MLE") and not (was_fresh and index == 0):
                self._retire()  # a failure after other tests is only believed after a fresh process confirms it
                (outcome,) = self._run_by_itself(tests[index : index + 1], messages[index : index + 1], False)
            outcomes.append(outcome)
            if outcome.status != "AC" and self.request.stop_at_first_failure:
                break
        return outcomes

    def _messages(self, first: int) -> protocol.Tests:
        """What is sent of the tests from `first` on that one process may run by itself."""
        messages = [_message_of(self.request.tests[first])]
        size = 0
        for test in self.request.tests[first + 1 :] if self._reusable else ():
            if test[0] == "assert":
                break
            messages.append(_message_of(test))
            size += len(messages[-1][1]) + len(messages[-1][2])
            if size > _MOST_BURST_BYTES:
                return messages[:-1]
        return messages

    def _run_by_itself(self, tests: list[tuple[Any, ...]], messages: protocol.Tests, stay: bool) -> list[Outcome]:
        """Outcomes of the first of `tests`, one at least, run by the live process or a fresh one."""
        request = self.request
        (kind, body, stdin), *others = messages
        messages = [(kind, body, b""), *others]
        stay = stay and self._reusable
        cpu_limit_s = request.cpu_s if len(tests) == 1 else request.cpu_s + self._cpu_slice_s
        wall_limit_s = request.wall_s if len(tests) == 1 else request.wall_s + self._wall_slice_s
        limits = (cpu_limit_s, wall_limit_s, request.stdout_bytes)
        jailed = self._jailed
        if jailed is None:
            self._jailed = jailed = self._new_process(self._zygote, self._job(messages, stay), stdin)
            ran = jailed.wait_for_job(len(tests), *limits)
        else:
            ran = jailed.run_tests(messages, stay, stdin, *limits)
        outcomes = self._outcomes_of(ran, tests, jailed)
        self._ran_here += outcomes
        self._fresh = False
        if not ran.reusable or not self._reusable or ran.limit:
            self._retire()
            if len(outcomes) < len(tests) and not ran.limit and outcomes[-1].status == "AC":
                self._reusable = False  # it left something behind
        return outcomes

    def _outcomes_of(self, ran: Ran, tests: list[tuple[Any, ...]], jailed: Jailed) -> list[Outcome]:
        """What each test that was run came to; the last one may have been under way when the process ended."""
        records = ran.records if ran.ended else ran.records[: len(tests) - 1]
        said_s = sum(record.cpu_s for record in records)
        scale = min(1.0, ran.cpu_s / said_s) if said_s else 1.0  # what a process says of itself only serves to share
        rest_s = max(0.0, ran.cpu_s - said_s)
        outcomes: list[Outcome] = []
        for index, record in enumerate(records):
            limit = ""
            if ran.ended and index + 1 == len(records):
                limit = ran.limit or ("cpu" if ran.cpu_s > self.request.cpu_s else "")
                if index and limit == "cpu" and ran.cpu_s <= self.request.cpu_s + self._cpu_slice_s:
                    return outcomes  # too close to tell from those before it: it is run again
            used_s = record.cpu_s * scale + (rest_s if ran.ended and index == 0 else 0.0)
            wall_s = ran.wall_s if len(tests) == 1 else min(record.wall_s, ran.wall_s)
            ended = Ended(protocol.DONE, record.report, False, used_s, wall_s, limit)
            outcomes.append(self._decide(tests[index], ended, jailed, record.stdout, record.stderr))
        if not ran.ended:
            wall_s = max(0.0, ran.wall_s - sum(record.wall_s for record in records))
            under_way = Ended(None, b"", False, rest_s, wall_s, ran.limit)
            outcomes.append(self._decide(tests[len(outcomes)], under_way, jailed))
        elif not records:  # it says that it ran none
            outcomes.append(self._decide(tests[0], Ended(protocol.DONE, b"", False, rest_s, ran.wall_s, ""), jailed))
        return outcomes

    def _job(self, tests: protocol.Tests, stay: bool) -> protocol.Job:
        stops = self.request.stop_at_first_failure
        program, slices = self._program, (self._cpu_slice_s, self._wall_slice_s)
        return (program.packed, self._source, program.modules, stops, *slices, tests, stay)

    def _test(self, test: tuple[Any, ...]) -> Outcome:
        """One test; a failure in a process that has run others is only believed after a fresh process confirms it."""
        if self._jailed is None:
            self._load()
        was_fresh = self._fresh
        outcome = self._attempt(test)
        if outcome.status in ("WA", "RE", "MLE") and not was_fresh:
            self._retire()
            self._load()
            outcome = self._attempt(test)
        return outcome

    def _new_process(self, zygote: Zygote, job: protocol.Job = protocol.IDLE, stdin: bytes = b"") -> Stepwise:
        request = self.request
        return Stepwise(
            zygote.connect(),
            zygote.pid,
            self._trainer,
            cpu_s=request.cpu_s * max(1, len(request.tests)),
            memory_mib=request.memory_mib,
            file_bytes=max(request.stdout_bytes + 1, _MIN_FILE_BYTES),
            job=job,
            stdin=stdin,
        )

    def _load(self) -> None:
        """A fresh process with the program in it, that waits for requests."""
        self._jailed = self._new_process(self._zygote, self._job([], True))
        self._fresh = True

    def _attempt(self, test: tuple[Any, ...]) -> Outcome:
        """Run an assertion test in the live process, then keep the process or retire it."""
        jailed = self._jailed
        assert jailed is not None
        self._fresh = False
        jailed.begin_test()
        names = tester.called_names(test[1])
        outcome, ended = self._run_apart(test, names, jailed) if names is not None else self._run_together(test, jailed)
        self._ran_here.append(outcome)
        is_over = ended.reply != protocol.DONE or not ended.reusable or not self._reusable or bool(ended.limit)
        if is_over or self.request.checker is not None:
            self._retire()
        return outcome

    def _step(
        self, jailed: Stepwise, kind: int, body: bytes, stdin: bytes | None, other: Jailed | None = None
    ) -> Ended:
        """One request under what is left of the test's limits; its wall limit is shared with the `other` process."""
        request = self.request
        wall_s = request.wall_s
        if isinstance(other, Stepwise):
            wall_s = max(wall_s - other.counted_wall_s, _LEAST_SHARE_S)
        return jailed.next_step(kind, body, stdin, request.cpu_s, wall_s, request.stdout_bytes)

    def _run_apart(self, test: tuple[Any, ...], names: tuple[str, ...], jailed: Stepwise) -> tuple[Outcome, Ended]:
        """An assertion test with tester and candidate in two jails, calls going from one to the other by value.

        The candidate's time is that of its own steps, its end included. The tester's is held to the same limits.
        """
        ended = self._step(jailed, protocol.BEGIN, b"", b"")
        report, passed = ended.report, False  # only the tester can say that a test passed
        if ended.reply == protocol.DONE and not ended.limit and _is(report, ("exit", 0)):
            testing = self._ask_tester(protocol.RUN_TESTER, marshal.dumps((test[1], names)), jailed, begins=True)
            while testing.reply == protocol.CALLING and not testing.limit:
                ended = self._step(jailed, protocol.SERVE_CALL, testing.report, None, self._tester)
                report = ended.report
                if ended.reply != protocol.DONE or ended.limit:
                    break
                testing = self._ask_tester(protocol.DONE, report, jailed)
            if testing.reply == protocol.DONE and _is(testing.report, ("weak",)):
                jailed.begin_again()
                return self._run_together(test, jailed)
            if testing.reply == protocol.DONE and not _is(testing.report, ("candidate",)):
                report = testing.report
                passed = not testing.limit and _is(report, ("done",))
            if testing.reply is None or testing.limit:  # the test broke or never ended, on the values it was given
                report = encode(("error", "AssertionError", "the test did not come to an end", ""))
            if testing.reply != protocol.DONE or testing.limit:
                self._retire_tester()
        outcome = self._decide(test, replace(ended, report=report), jailed, passed=passed)
        if outcome.status == "WA":
            outcome.actual = _last_value(ended.report)
        if ended.reply == protocol.DONE and not ended.limit and (passed or self._reusable):
            ended = self._step(jailed, protocol.END, b"", None)
            if outcome.status == "AC":
                outcome = self._decide(test, ended, jailed)
        return outcome, ended

    def _run_together(self, test: tuple[Any, ...], jailed: Stepwise) -> tuple[Outcome, Ended]:
        """The same test in the candidate's own process: weaker, and said so."""
        ended = self._step(jailed, *_message_of(test)[:2], b"")
        outcome = self._decide(test, ended, jailed)
        outcome.weak = True
        return outcome, ended

    def _ask_tester(self, kind: int, body: bytes, jailed: Stepwise, begins: bool = False) -> Ended:
        if self._tester is None:
            self._tester = self._new_process(self._tester_zygote)
        assert isinstance(self._tester, Stepwise)
        if begins:
            self._tester.begin_test()
        return self._step(self._tester, kind, body, None, jailed)

    def _retire_tester(self) -> None:
        testing, self._tester = self._tester, None
        if testing is not None:
            try:
                testing.finish()
                if testing.zygote_is_spent:
                    self._tester_zygote.discard()
            finally:
                testing.close()

    def _decide(
        self,
        test: tuple[Any, ...],
        ended: Ended,
        jailed: Jailed,
        stdout: bytes | None = None,
        stderr: bytes | None = None,
        passed: bool = True,
    ) -> Outcome:
        """What a test came to. `stdout` and `stderr` are None if they are in the process's files.

        An assertion test is not passed unless `passed`, whatever the report says.
        """
        outcome = Outcome("", cpu_s=ended.cpu_s, wall_s=ended.wall_s)
        stdout, size = jailed.stdout() if stdout is None else (stdout, len(stdout))
        text = stdout.decode("utf-8", "surrogateescape")
        outcome.actual = shorten(text, _SHOWN_CHARACTERS)
        if stderr is None:
            stderr = jailed.stderr(self.request.stderr_bytes)
        outcome.stderr = shorten(stderr.decode("utf-8", "replace"), _SHOWN_CHARACTERS)
        if size > self.request.stdout_bytes or ended.limit == "output":
            outcome.status, outcome.error_type = "OLE", "OutputLimitExceeded"
            outcome.error_message = f"printed more than {self.request.stdout_bytes // 1024} KiB"
            return outcome
        if ended.limit:
            outcome.status, outcome.error_type = "TLE", "TimeLimitExceeded"
            seconds = self.request.cpu_s if ended.limit == "cpu" else self.request.wall_s
            outcome.error_message = f"ran longer than {seconds:g} s ({ended.limit} time)"
            return outcome
        if ended.reply is None:
            return self._decide_death(test, outcome, jailed, text)
        self._decide_report(test, outcome, ended.report, text, passed)
        return outcome

    def _decide_death(self, test: tuple[Any, ...], outcome: Outcome, jailed: Jailed, text: str) -> Outcome:
        """The process ended without a report: `os._exit`, a crash, or the kernel's limit."""
        exited = jailed.finish()
        outcome.exit_code, outcome.signal = exited.code, exited.signal
        if exited.code == 0 and test[0] == "stdio":
            outcome.status = self._compare(outputs_equal, text, test[2])
        elif exited.signal == 24:  # SIGXCPU
            outcome.status, outcome.error_type = "TLE", "TimeLimitExceeded"
        else:
            outcome.status, outcome.error_type = "RE", "ProcessDied"
            how = f"signal {exited.signal}" if exited.signal is not None else f"exit code {exited.code}"
            outcome.error_message = f"the process ended with {how} before the test was over"
        return outcome

    def _decide_report(self, test: tuple[Any, ...], outcome: Outcome, report: bytes, text: str, passed: bool) -> None:
        """What a report says, whoever wrote it: nothing that it holds is the judge's fault."""
        if report == protocol.EXITED_WITH_0 and test[0] == "stdio":  # nearly always
            outcome.exit_code = 0
            outcome.status = self._compare(outputs_equal, text, test[2])
            return
        try:
            match decode(report):
                case ("exit", code) if type(code) is int and 0 <= code <= 255:
                    outcome.exit_code = code
                    if code != 0 or test[0] != "stdio":
                        outcome.status, outcome.error_type = "RE", "SystemExit"
                        outcome.error_message = f"exit code {code}"
                    else:
                        outcome.status = self._compare(outputs_equal, text, test[2])
                case ("value", bytes(data)) if test[0] == "call":
                    value = decode(data)
                    outcome.actual = brief(value, _SHOWN_CHARACTERS)
                    outcome.status = self._compare(values_equal, value, test[3])
                case ("done",) if test[0] == "assert" and passed:
                    outcome.status = "AC"
                case ("error", str(name), str(message), str(lines), *_):
                    outcome.error_type = printable(name[:_MOST_TYPE_NAME], _MOST_TYPE_NAME)
                    outcome.error_message = printable(message, _SHOWN_CHARACTERS)
                    outcome.traceback = printable(lines, _MOST_TRACE)
                    outcome.status = _STATUS_OF_ERROR.get(name, "RE")
                    if name == "AssertionError" and test[0] == "assert":
                        outcome.status = "WA"
                case _:
                    outcome.status, outcome.error_type = "RE", "InvalidReport"
        except EncodingError as error:
            outcome.status, outcome.error_type = "WA", "EncodingError"
            outcome.error_message = f"what came back is not a plain value: {error}"
        except Exception as error:  # unforeseen
            outcome.status, outcome.error_type = "RE", "InvalidReport"
            outcome.error_message = type(error).__name__

    def _compare(self, equal: Callable[[Any, Any, str], bool], actual: Any, expected: Any) -> str:
        """The status of an answer; with a checker, the answer is kept for it."""
        if self.request.checker is not None:
            self._answer = actual
            return _UNCHECKED
        return "AC" if equal(actual, expected, self.request.comparison) else "WA"

    def _ask_checker(self, number: int, test: tuple[Any, ...]) -> str:
        """What the problem's checker says of an answer, in a fresh process, the candidate's being dead.

        Raises:
            CheckerFailed: it does not say.
        """
        self._retire()
        self._retire_tester()
        source = self.request.checker
        assert source is not None
        try:
            answer = encode(self._answer)
        except EncodingError:  # too large to be sent on
            return "WA"
        try:
            body = checker.message(source, test[1] if test[0] == "stdio" else test[2], test[-1], answer)
            checking = self._tester = Jailed(
                self._tester_zygote.connect(),
                self._tester_zygote.pid,
                self._trainer,
                cpu_s=checker.CPU_S,
                memory_mib=checker.MEMORY_MIB,
                file_bytes=_MIN_FILE_BYTES,
            )
            ended = checking.step(
                protocol.CHECK,
                body,
                stdin=b"",
                cpu_limit_s=checker.CPU_S,
                wall_limit_s=checker.WALL_S,
                stdout_bytes=_MIN_FILE_BYTES,
            )
            if ended.limit:
                raise checker.CheckerFailed(f"did not end within its {ended.limit} limit")
            if ended.reply != protocol.DONE:
                raise checker.CheckerFailed("ended without an answer")
            return "AC" if checker.verdict(ended.report) else "WA"
        except checker.CheckerFailed as failure:
            raise checker.CheckerFailed(f"test {number}: {failure}") from None
        finally:
            self._retire_tester()

    def _retire(self) -> None:
        """End the live process and give its tests its peak memory."""
        jailed, self._jailed = self._jailed, None
        if jailed is None:
            return
        try:
            exited = jailed.finish()
            if jailed.zygote_is_spent:
                self._zygote.discard()
            for outcome in self._ran_here:
                outcome.peak_mib = round(exited.peak_mib, 1)
        finally:
            self._ran_here = []
            jailed.close()


def _message_of(test: tuple[Any, ...]) -> tuple[int, bytes, bytes]:
    """Request kind, body and stdin of a test. No expected output is among them."""
    match test:
        case ("stdio", text, _):
            return protocol.RUN_STDIO, b"", text.encode("utf-8", "surrogatepass")
        case ("call", name, args, _):
            return protocol.RUN_CALL, marshal.dumps((name, args)), b""
        case ("assert", code):
            return protocol.RUN_ASSERT, code.encode("utf-8", "surrogatepass"), b""
        case _:
            raise ValueError(f"unknown kind of test: {test[0]!r}")


def _last_value(report: bytes) -> str:
    """What a call by a tester returned, shortened; "" if it did not return."""
    try:
        match decode(report):
            case ("value", bytes(data)):
                return brief(by_value.shown_result(data), _SHOWN_CHARACTERS)
    except Exception:  # it may be anything
        pass
    return ""


def _is(report: bytes, expected: tuple[Any, ...]) -> bool:
    return report == encode(expected)
