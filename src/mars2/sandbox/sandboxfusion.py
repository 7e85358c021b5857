"""SandboxFusion (github.com/bytedance/SandboxFusion) over HTTP: one `POST /run_code` per test, compared on this side.

Expected outputs never leave this process. Outputs come back as fetched files, not by the service's own standard output,
which it truncates. Assertion tests run in the candidate's own process there and say `weak`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import marshal
from pathlib import Path
from typing import Any

import httpx

from mars2.config.sandbox import SandboxFusionConfig
from mars2.core.errors import SandboxUnavailable
from mars2.core.problem import Checker, Limits, Suite
from mars2.core.protocols import SandboxFacts
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.sandbox.messages import (
    MARSHAL_VERSION,
    check_plain,
    checker_error,
    plain_tests,
    refusal,
    result_of,
    rule_of,
    verdict_from,
)
from mars2.sandbox.remote.driver import STARTED
from mars2.sandbox.worker.encoding import EncodingError, decode, encode
from mars2.sandbox.worker.program import checker as checking
from mars2.sandbox.worker.protocol import CHECK, COMPILE
from mars2.sandbox.worker.supervisor.request import message_of
from mars2.sandbox.worker.supervisor.verdicts import UNCHECKED, Ended, Outcome, Rules, Test, decide

_HERE = Path(__file__).resolve().parent
_SENT = ("encoding.py", "protocol.py", "recursion.py", "program/__init__.py", "program/checker.py")
_SENT += ("program/run_program.py", "program/typed_call.py")
_ATTEMPTS = 3
_SPARE_S = 10.0  # that the service may take beyond a test's wall limit
_FETCHED = ["usage.json", "out.bin", "err.bin", "report.bin"]
_SIGXCPU, _SIGKILL = 24, 9
_COMPILES: Test = ("assert", "")  # what a program without tests is judged by


class SandboxFusion:
    """Judges programs on a SandboxFusion service, `workers` requests at once. Use it from one event loop."""

    mode = "hermetic"
    tier = "remote"

    def __init__(self, options: SandboxFusionConfig, *, retry_wait_s: float = 1.0) -> None:
        """`retry_wait_s`: pause before the second attempt; doubled before the third."""
        self._url = options.url.rstrip("/")
        self._timeout_s, self._retry_wait_s = options.timeout_s, retry_wait_s
        self._slots = asyncio.Semaphore(options.workers)
        self._client = httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0))
        self._files = {"mars2_remote/__init__.py": ""} | {
            f"mars2_remote/{path}": _base64((_HERE / "worker" / path).read_bytes()) for path in _SENT
        }
        self._driver = (_HERE / "remote" / "driver.py").read_text(encoding="utf-8")
        self._closed = False
        self.num_judged = 0
        self.num_worker_failures = 0  # requests that the service failed

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        """See `mars2.core.protocols.Sandbox`. With no tests, a program that compiles is AC."""
        num_tests = len(suite.tests)
        refused = refusal(program, suite.limits)
        if program is None or refused is not None:
            assert refused is not None
            return verdict_from((refused,) * max(1, num_tests), num_tests, self.tier, self.mode)
        check_plain(suite.tests)
        asked = plain_tests(suite.tests) or [_COMPILES]
        results: list[TestResult] = []
        for index, test in enumerate(asked):
            kind, body, stdin = message_of(test, MARSHAL_VERSION)
            request = {"kind": kind if num_tests else COMPILE, "body": body, "stdin": stdin}
            request["program"] = program.encode("utf-8", "surrogatepass")
            files = await self._run(request, suite.limits)
            outcome = await asyncio.to_thread(_outcome, files, test, suite)
            if outcome.status == UNCHECKED:
                outcome.status = await self._check(test, outcome.answer, suite, index)
            outcome.weak = num_tests > 0 and test[0] == "assert"
            result = result_of(outcome.fields())
            if result.status is Status.CE:
                results = [result] * len(asked)
                break
            results.append(result)
            if result.status is not Status.AC and stop_at_first_failure:
                results += [TestResult(Status.SKIPPED)] * (len(asked) - len(results))
                break
        self.num_judged += 1
        return verdict_from(tuple(results), num_tests, self.tier, self.mode)

    def facts(self) -> SandboxFacts:
        return SandboxFacts(self.tier, self.num_judged, self.num_worker_failures)

    async def close(self) -> None:
        """Give up what is under way. Idempotent."""
        self._closed = True
        await self._client.aclose()

    async def _check(self, test: Test, answer: object, suite: Suite, index: int) -> str:
        """The status of an answer by the problem's checker, asked in a request of its own."""
        assert isinstance(suite.comparison, Checker)
        given = test[1] if test[0] == "stdio" else test[2]
        try:
            body = checking.message(suite.comparison.source, given, test[-1], encode(answer))
        except EncodingError:  # too large to be sent on
            return "WA"
        except checking.CheckerFailed as failure:
            raise checker_error(suite.comparison, f"test {index + 1}: {failure}") from None
        limits = Limits(cpu_s=checking.CPU_S, wall_s=checking.WALL_S, memory_mib=checking.MEMORY_MIB)
        files = await self._run({"kind": CHECK, "stdin": b"", "body": body}, limits)
        usage = _usage(files)
        try:
            if usage.get("limit") or usage.get("signal") == _SIGXCPU:
                raise checking.CheckerFailed("did not end within its time limit")
            return "AC" if checking.verdict(files.get("report.bin", b"")) else "WA"
        except (checking.CheckerFailed, EncodingError) as failure:
            why = str(failure) if isinstance(failure, checking.CheckerFailed) else "ended without an answer"
            raise checker_error(suite.comparison, f"test {index + 1}: {why}") from None

    async def _run(self, request: dict[str, Any], limits: Limits) -> dict[str, bytes]:
        """The files that one run of the driver left; the service's own faults are retried, then raised."""
        data = await asyncio.to_thread(self._payload, request, limits)
        timeout_s = limits.effective_wall_s + _SPARE_S + self._timeout_s
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._retry_wait_s * 2 ** (attempt - 1))
            files, reason, is_final = await self._post(data, timeout_s)
            if files is not None:
                return files
            if is_final:
                break
            self.num_worker_failures += 1
        raise SandboxUnavailable(
            f"sandbox.backend sandboxfusion: {self._url}/run_code failed: {' '.join(reason.split())[:500]}; "
            "see that the service runs and that sandbox.url is its address"
        )

    async def _post(self, data: bytes, timeout_s: float) -> tuple[dict[str, bytes] | None, str, bool]:
        """The fetched files; else None, why, and whether it is of no use to ask again."""
        headers = {"Content-Type": "application/json"}
        try:
            async with self._slots:
                if self._closed:
                    raise SandboxUnavailable("the sandbox is closed")
                answer = await self._client.post(
                    f"{self._url}/run_code", content=data, headers=headers, timeout=timeout_s
                )
        except httpx.TimeoutException:
            return None, "timed out", False
        except httpx.HTTPError as error:
            return None, str(error) or type(error).__name__, False
        if answer.is_error:
            reason = f"HTTP {answer.status_code} {answer.reason_phrase}: {answer.text[:300]}"
            return None, reason, answer.is_client_error and answer.status_code not in (408, 429)
        try:
            return *await asyncio.to_thread(_read, answer.content), False
        except ValueError as error:  # an answer that is not JSON
            return None, str(error), False

    def _payload(self, request: dict[str, Any], limits: Limits) -> bytes:
        """The body of a request to the service."""
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
            "files": {**self._files, "request.bin": _base64(marshal.dumps(asked, MARSHAL_VERSION))},
            "fetch_files": _FETCHED,
        }
        return json.dumps(payload).encode()


def _outcome(files: dict[str, bytes], test: Test, suite: Suite) -> Outcome:
    """What a test came to, from the files that it left; the program may have written any of them."""
    limits, usage = suite.limits, _usage(files)
    cpu_s, signal = _number(usage.get("cpu_s")), _whole(usage.get("signal"))
    limit = ""
    if usage.get("limit") == "wall":
        limit = "wall"
    elif signal == _SIGXCPU or cpu_s > limits.cpu_s or (signal == _SIGKILL and cpu_s >= limits.cpu_s):
        limit = "cpu"
    stdout, report = files.get("out.bin", b""), files.get("report.bin") or None
    exit_code = _whole(usage.get("exit_code")) if report is None else None
    times = (cpu_s, _number(usage.get("wall_s")))
    ended = Ended(report, stdout, len(stdout), files.get("err.bin", b""), *times, limit, exit_code, signal)
    rules = Rules(limits.cpu_s, limits.effective_wall_s, int(limits.stdout_kib) * 1024, rule_of(suite.comparison))
    outcome = decide(test, ended, rules)
    if outcome.error_type == "InvalidReport" and report is not None:
        outcome = _refused(report, outcome)
    outcome.peak_mib = round(_number(usage.get("peak_kib")) / 1024, 1)
    return outcome


def _refused(report: bytes, outcome: Outcome) -> Outcome:
    """The CE of a program that the driver could not compile; otherwise the same outcome."""
    try:
        match decode(report):
            case ("refused", str(name), str(message)):
                error = encode(("error", name, message, ""))
                ended = Ended(error, b"", 0, b"", outcome.cpu_s, outcome.wall_s)
                refused = decide(_COMPILES, ended, Rules(1.0, 1.0, 1, "exact"))
                refused.status = "CE"
                return refused
    except EncodingError:
        pass
    return outcome


def _read(content: bytes) -> tuple[dict[str, bytes] | None, str]:
    """The fetched files of an answer; None and the reason if it is the service that failed."""
    answer = json.loads(content)
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


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
