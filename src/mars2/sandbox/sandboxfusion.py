"""SandboxFusion (github.com/bytedance/SandboxFusion) over HTTP: one `POST /run_code` per test, compared on this side.

Expected outputs never leave this process. Outputs come back as fetched files, not by the service's own standard output,
which it truncates. Assertion tests run in the candidate's own process there and say `weak`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import marshal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mars2.config.sandbox import SandboxFusionConfig
from mars2.core.errors import SandboxUnavailable, UserError
from mars2.core.problem import AssertTest, CallTest, Checker, Comparison, Limits, StdioTest, Suite, Test
from mars2.core.protocols import SandboxFacts
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.sandbox.messages import checker_error, refusal, verdict_from
from mars2.sandbox.remote.driver import STARTED
from mars2.sandbox.worker.encoding import EncodingError, decode, encode
from mars2.sandbox.worker.program import checker as checking
from mars2.sandbox.worker.supervisor.comparison import brief, outputs_equal, printable, shorten, values_equal

_HERE = Path(__file__).resolve().parent
_ATTEMPTS = 3
_SPARE_S = 10.0  # that the service may take beyond a test's wall limit
_SHOWN_CHARACTERS = 2_000
_FETCHED = ["usage.json", "out.bin", "err.bin", "report.bin"]
_STATUS_OF_ERROR = {"MemoryError": Status.MLE, "OutputLimitExceeded": Status.OLE}
_SIGXCPU = 24


class SandboxFusion:
    """Judges programs on a SandboxFusion service, `workers` requests at once."""

    mode = "hermetic"
    tier = "remote"

    def __init__(self, options: SandboxFusionConfig, *, retry_wait_s: float = 1.0) -> None:
        """`retry_wait_s`: pause before the second attempt; doubled before the third."""
        self._url = options.url.rstrip("/")
        self._timeout_s, self._retry_wait_s = options.timeout_s, retry_wait_s
        self._threads = ThreadPoolExecutor(options.workers, thread_name_prefix="sandboxfusion")
        self._files = {"mars2_remote/__init__.py": ""} | {
            f"mars2_remote/{path}": _base64((_HERE / "worker" / path).read_bytes())
            for path in ("encoding.py", "program/__init__.py", "program/checker.py")
        }
        self._driver = (_HERE / "remote" / "driver.py").read_text(encoding="utf-8")
        self._closed = False
        self.num_judged = 0
        self.num_worker_failures = 0  # requests that the service failed

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        """See `mars2.core.protocols.Sandbox`. With no tests, a program that compiles is AC."""
        tests, limits, comparison = suite.tests, suite.limits, suite.comparison
        refused = refusal(program, limits)
        if program is None or refused is not None:
            assert refused is not None
            return verdict_from((refused,) * max(1, len(tests)), len(tests), self.tier, self.mode)
        asked = [_request(test, index) for index, test in enumerate(tests)] or [{"kind": "compile", "stdin": b""}]
        results: list[TestResult] = []
        for index, request in enumerate(asked):
            test = tests[index] if tests else None
            result = await self._in_thread(self._test, program, test, request, limits, comparison, index)
            if result.status is Status.CE:
                results = [result] * len(asked)
                break
            results.append(result)
            if result.status is not Status.AC and stop_at_first_failure:
                results += [TestResult(Status.SKIPPED)] * (len(asked) - len(results))
                break
        self.num_judged += 1
        return verdict_from(tuple(results), len(tests), self.tier, self.mode)

    def facts(self) -> SandboxFacts:
        return SandboxFacts(self.tier, self.num_judged, self.num_worker_failures)

    async def _in_thread(self, function: Any, *args: Any) -> TestResult:
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    async def close(self) -> None:
        """Give up requests not yet sent. Idempotent."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _test(
        self,
        program: str,
        test: Test | None,
        request: dict[str, Any],
        limits: Limits,
        comparison: Comparison,
        index: int,
    ) -> TestResult:
        """One test, from sending it to comparing what came back."""
        files = self._run({**request, "program": program.encode("utf-8", "surrogatepass")}, limits)
        answer = _Answer(files, limits, test)
        if answer.actual is not _NOTHING and isinstance(comparison, Checker) and not isinstance(test, AssertTest):
            is_right = self._check(test, answer.actual, comparison, index)
        else:
            is_right = answer.is_right(comparison)
        return answer.result(is_right)

    def _check(self, test: Test | None, actual: Any, comparison: Checker, index: int) -> bool:
        """What the problem's checker says, by a request of its own."""
        assert isinstance(test, StdioTest | CallTest)
        given, expected = (test.input, test.output) if isinstance(test, StdioTest) else (test.args, test.expected)
        try:
            body = checking.message(comparison.source, given, expected, encode(actual))
        except EncodingError:  # too large to be sent on
            return False
        except checking.CheckerFailed as failure:
            raise checker_error(comparison, f"test {index + 1}: {failure}") from None
        limits = Limits(cpu_s=checking.CPU_S, wall_s=checking.WALL_S, memory_mib=checking.MEMORY_MIB)
        files = self._run({"kind": "check", "stdin": b"", "body": body}, limits)
        usage = _usage(files)
        try:
            if usage.get("limit") or usage.get("signal") == _SIGXCPU:
                raise checking.CheckerFailed("did not end within its time limit")
            return checking.verdict(files.get("report.bin", b""))
        except (checking.CheckerFailed, EncodingError) as failure:
            why = str(failure) if isinstance(failure, checking.CheckerFailed) else "ended without an answer"
            raise checker_error(comparison, f"test {index + 1}: {why}") from None

    def _run(self, request: dict[str, Any], limits: Limits) -> dict[str, bytes]:
        """The files that one run of the driver left; the service's own faults are retried, then raised."""
        asked = {
            **request,
            "cpu_s": float(limits.cpu_s),
            "wall_s": float(limits.effective_wall_s),
            "memory_mib": int(limits.memory_mib),
            "stdout_bytes": int(limits.stdout_kib) * 1024,
            "stderr_bytes": int(limits.stderr_kib) * 1024,
        }
        payload = {
            "code": self._driver,
            "language": "python",
            "run_timeout": limits.effective_wall_s + _SPARE_S,
            "files": {**self._files, "request.bin": _base64(marshal.dumps(asked, 2))},
            "fetch_files": _FETCHED,
        }
        data = json.dumps(payload).encode()
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(self._retry_wait_s * 2 ** (attempt - 1))
            try:
                files, reason = _read(self._post(data, limits.effective_wall_s + _SPARE_S + self._timeout_s))
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code} {error.reason}: {error.read(300).decode('utf-8', 'replace')}"
                if 400 <= error.code < 500 and error.code not in (408, 429):
                    break
            except (OSError, ValueError) as error:  # no connection, a timeout, an answer that is not JSON
                reason = str(getattr(error, "reason", "") or error) or type(error).__name__
            else:
                if files is not None:
                    return files
            self.num_worker_failures += 1
        raise SandboxUnavailable(
            f"sandbox.backend sandboxfusion: {self._url}/run_code failed: {' '.join(reason.split())[:500]}; "
            "see that the service runs and that sandbox.url is its address"
        )

    def _post(self, data: bytes, timeout_s: float) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/run_code", data, headers, method="POST")
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return json.loads(response.read())


_NOTHING: Any = object()


class _Answer:
    """What came back from one test, read with suspicion."""

    def __init__(self, files: dict[str, bytes], limits: Limits, test: Test | None) -> None:
        self._limits, self._test = limits, test
        self._usage = _usage(files)
        self._stdout = files.get("out.bin", b"")
        self._text = self._stdout.decode("utf-8", "surrogateescape")
        self._stderr = files.get("err.bin", b"").decode("utf-8", "replace")
        self.status: Status | None = None
        self.error = ("", "", "")  # type, message, traceback
        self.exit_code: int | None = None
        self.shown = shorten(self._text, _SHOWN_CHARACTERS)
        self.actual: Any = _NOTHING  # to be compared
        self._decide(files.get("report.bin", b""))

    def _decide(self, report: bytes) -> None:
        signal = self._usage.get("signal")
        cpu_s = _number(self._usage.get("cpu_s"))
        if len(self._stdout) > self._limits.stdout_kib * 1024:
            self._fail(Status.OLE, "OutputLimitExceeded", f"printed more than {self._limits.stdout_kib} KiB")
        elif self._usage.get("limit") == "wall":
            self._fail(Status.TLE, "TimeLimitExceeded", f"ran longer than {self._limits.effective_wall_s:g} s (wall)")
        elif signal == _SIGXCPU or cpu_s > self._limits.cpu_s or (signal == 9 and cpu_s >= self._limits.cpu_s):
            self._fail(Status.TLE, "TimeLimitExceeded", f"ran longer than {self._limits.cpu_s:g} s (cpu time)")
        elif not report:
            self._decide_death(signal)
        else:
            self._decide_report(report)

    def _decide_death(self, signal: Any) -> None:
        code = self._usage.get("exit_code")
        self.exit_code = code if isinstance(code, int) else None
        if code == 0 and isinstance(self._test, StdioTest):
            self.actual = self._text
            return
        how = f"signal {signal}" if isinstance(signal, int) else f"exit code {code}"
        self._fail(Status.RE, "ProcessDied", f"the process ended with {how} before the test was over")

    def _decide_report(self, report: bytes) -> None:
        try:
            match decode(report):
                case ("exit", code) if type(code) is int and 0 <= code <= 255:
                    self.exit_code = code
                    if code == 0 and isinstance(self._test, StdioTest):
                        self.actual = self._text
                    else:
                        self._fail(Status.RE, "SystemExit", f"exit code {code}")
                case ("value", bytes(data)) if isinstance(self._test, CallTest):
                    self.actual = decode(data)
                    self.shown = brief(self.actual, _SHOWN_CHARACTERS)
                case ("done",) if self._test is None or isinstance(self._test, AssertTest):
                    self.status = Status.AC
                case ("refused", str(name), str(message)):
                    self._fail(Status.CE, name, message)
                case ("error", str(name), str(message), str(lines)):
                    is_wrong = name == "AssertionError" and isinstance(self._test, AssertTest)
                    self._fail(Status.WA if is_wrong else _STATUS_OF_ERROR.get(name, Status.RE), name, message, lines)
                case _:
                    self._fail(Status.RE, "InvalidReport", "")
        except EncodingError as error:
            self._fail(Status.WA, "EncodingError", f"what came back is not a plain value: {error}")

    def _fail(self, status: Status, name: str, message: str, lines: str = "") -> None:
        self.status = status
        self.error = (printable(name[:100], 100), printable(message, _SHOWN_CHARACTERS), printable(lines, 8_000))

    def is_right(self, comparison: Comparison) -> bool:
        rule = "exact" if isinstance(comparison, Checker) else comparison
        match self._test:
            case StdioTest(output=expected) if self.actual is not _NOTHING:
                return outputs_equal(self.actual, expected, rule)
            case CallTest(expected=expected) if self.actual is not _NOTHING:
                return values_equal(self.actual, expected, rule)
            case _:
                return False

    def result(self, is_right: bool) -> TestResult:
        status = self.status or (Status.AC if is_right else Status.WA)
        signal = self._usage.get("signal")
        return TestResult(
            status,
            cpu_s=_number(self._usage.get("cpu_s")),
            wall_s=_number(self._usage.get("wall_s")),
            peak_mib=round(_number(self._usage.get("peak_kib")) / 1024, 1),
            actual=self.shown,
            error_type=self.error[0],
            error_message=self.error[1],
            traceback=self.error[2],
            stderr=shorten(self._stderr, _SHOWN_CHARACTERS),
            exit_code=self.exit_code,
            signal=signal if isinstance(signal, int) else None,
            weak=isinstance(self._test, AssertTest),
        )


def _request(test: Test, index: int) -> dict[str, Any]:
    """What the driver needs of a test: nothing that is expected."""
    match test:
        case StdioTest(text, _):
            return {"kind": "stdio", "stdin": text.encode("utf-8", "surrogatepass")}
        case CallTest(function, args, _):
            request = {"kind": "call", "stdin": b"", "function": function, "args": tuple(args)}
            try:
                marshal.dumps((args, test.expected), 2)
            except ValueError:
                raise UserError(
                    "a call test's args and expected must be plain data (numbers, text, lists, tuples, sets, dicts)"
                ) from None
            return request
        case AssertTest(code):
            return {"kind": "assert", "stdin": b"", "code": code}
        case _:
            raise UserError(f"tests[{index}] must be a StdioTest, CallTest or AssertTest, got {type(test).__name__}")


def _read(answer: Any) -> tuple[dict[str, bytes] | None, str]:
    """The fetched files of an answer; None and the reason if it is the service that failed."""
    if not isinstance(answer, dict) or not isinstance(answer.get("files"), dict):
        return None, "its answer is not that of SandboxFusion"
    if answer.get("status") == "SandboxError":
        return None, f"it says SandboxError: {answer.get('message')}"
    files = {str(name): base64.b64decode(content) for name, content in answer["files"].items()}
    run = answer.get("run_result") or {}
    if not str(run.get("stdout")).startswith(STARTED):
        return None, f"the test did not start there: {run.get('status')} {str(run.get('stderr'))[-300:]}"
    if run.get("status") == "TimeLimitExceeded":
        files["usage.json"] = json.dumps({"limit": "wall", "wall_s": _number(run.get("execution_time"))}).encode()
    return files, ""


def _usage(files: dict[str, bytes]) -> dict[str, Any]:
    """What the driver wrote down; {} if it was killed, or if the program wrote there."""
    try:
        usage = json.loads(files.get("usage.json", b"{}"))
    except ValueError:
        usage = {}
    return usage if isinstance(usage, dict) else {}


def _number(value: Any) -> float:
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_plain and 0 <= value < 1e12 else 0.0


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
