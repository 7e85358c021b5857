"""SandboxFusion's own side: what is sent, retries, clear errors, hostile programs, and what may be forged there."""

from __future__ import annotations

import asyncio
import base64
import json
import marshal
from collections.abc import Iterator

import pytest
from fake_sandboxfusion import FakeService, service

from mars2.config.sandbox import SandboxFusionConfig
from mars2.core.errors import CheckerError, SandboxUnavailable
from mars2.core.problem import AssertTest, CallTest, Checker, Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox.sandboxfusion import SandboxFusion

ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
SECRET = "73003"
TEST = (StdioTest(f"{int(SECRET) - 1} 1\n", f"{SECRET}\n"),)
LIMITS = Limits(cpu_s=1.0, wall_s=20.0, memory_mib=128, stdout_kib=256)


@pytest.fixture
def server() -> Iterator[FakeService]:
    with service() as made:
        yield made


@pytest.fixture
def sandbox(server: FakeService) -> SandboxFusion:
    return SandboxFusion(SandboxFusionConfig(url=server.url, workers=2, timeout_s=20), retry_wait_s=0.01)


async def test_what_is_expected_is_never_sent(server: FakeService, sandbox: SandboxFusion) -> None:
    assert (await sandbox.judge(ADD, Suite(TEST, LIMITS))).accepted
    tests = (CallTest("f", (1,), [SECRET]),)
    assert (await sandbox.judge(f"def f(x): return [str({int(SECRET) - 1} + x)]", Suite(tests, LIMITS))).accepted
    for request in server.requests:
        sent = marshal.loads(base64.b64decode(request["files"]["request.bin"]))
        assert SECRET not in repr(sent)
    assert {"code", "language", "run_timeout", "files", "fetch_files"} == set(server.requests[0])


@pytest.mark.parametrize("fault", [500, 503, 429, "SandboxError", "garbage"])
async def test_the_service_s_faults_are_retried(server: FakeService, sandbox: SandboxFusion, fault: int | str) -> None:
    server.faults = [fault, fault]
    assert (await sandbox.judge(ADD, Suite(TEST, LIMITS))).accepted
    assert sandbox.num_worker_failures == 2
    server.faults = [fault] * 3
    with pytest.raises(SandboxUnavailable, match=r"sandbox.url"):
        await sandbox.judge(ADD, Suite(TEST, LIMITS))


async def test_a_refused_request_is_not_repeated(server: FakeService, sandbox: SandboxFusion) -> None:
    server.faults = [422]
    with pytest.raises(SandboxUnavailable, match="HTTP 422"):
        await sandbox.judge(ADD, Suite(TEST, LIMITS))
    assert len(server.requests) == 1


async def test_no_service_is_an_error_of_one_line() -> None:
    sandbox = SandboxFusion(SandboxFusionConfig(url="http://127.0.0.1:9"), retry_wait_s=0.01)
    with pytest.raises(
        SandboxUnavailable, match=r"sandboxfusion: http://127.0.0.1:9/run_code failed: All connection attempts failed"
    ) as e:
        await sandbox.judge(ADD, Suite(TEST, LIMITS))
    assert "\n" not in str(e.value)
    await sandbox.close()
    with pytest.raises(SandboxUnavailable, match="closed"):
        await sandbox.judge(ADD, Suite(TEST, LIMITS))


async def test_a_service_that_never_answers_is_given_up(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mars2.sandbox.sandboxfusion._SPARE_S", 0.0)
    sandbox = SandboxFusion(SandboxFusionConfig(url=server.url, timeout_s=0.1), retry_wait_s=0.01)
    server.faults = ["hang"] * 3
    with pytest.raises(SandboxUnavailable, match="timed out"):
        await sandbox.judge(ADD, Suite(TEST, Limits(cpu_s=0.1, wall_s=0.1)))


async def test_at_most_so_many_at_once_and_the_loop_goes_on(server: FakeService, sandbox: SandboxFusion) -> None:
    judging = asyncio.gather(*(sandbox.judge(f"{ADD}# {i}", Suite(TEST, LIMITS)) for i in range(6)))
    ticks = 0
    while not judging.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert all(verdict.accepted for verdict in judging.result())
    assert server.most_under_way == 2
    assert ticks > 3


KILL = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(1)"
FORGE = "import os\nopen('report.bin', 'wb').write({})\nos._exit(0)"
HOSTILE = {
    "ends its driver": (KILL, Status.RE),
    "removes every file": (
        "import os\n[os.unlink(n) for n in os.listdir('.') if os.path.isfile(n)]\nos._exit(0)",
        Status.RE,
    ),
    "forges the report": (FORGE.format("b't\\x01\\x00\\x00\\x00s\\x04\\x00\\x00\\x00done'"), Status.RE),
    "rubbish as report": (FORGE.format("b'\\xff' * 99"), Status.WA),
    "rubbish as usage": (f"open('usage.json', 'w').write('[1]')\n{KILL}", Status.RE),
    "silent exit": ("import os\nos._exit(0)", Status.WA),
    "prints the marker": ("print('mars2 started')", Status.WA),
    "a daemon": ("import os, time\nif os.fork() == 0:\n    time.sleep(2)\nprint(1)", Status.WA),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_programs_are_judged_and_never_paid(
    server: FakeService, sandbox: SandboxFusion, name: str
) -> None:
    program, status = HOSTILE[name]
    verdict = await sandbox.judge(program, Suite(TEST, LIMITS))
    assert verdict.status is status, verdict
    assert sandbox.num_worker_failures == 0
    assert (await sandbox.judge(ADD, Suite(TEST, LIMITS))).accepted


async def test_assertions_share_a_process_and_say_so(sandbox: SandboxFusion) -> None:
    verdict = await sandbox.judge(
        "def f(): return 1", Suite((AssertTest("assert f() == 1"), AssertTest("assert f() == 2")), LIMITS)
    )
    assert [(t.status, t.weak) for t in verdict.tests] == [(Status.AC, True), (Status.WA, True)]
    assert verdict.tests[1].error_message == "failed: assert f() == 2"


async def test_checkers_run_there_in_a_request_of_their_own(server: FakeService, sandbox: SandboxFusion) -> None:
    near = Checker("def check(input, expected, actual): return abs(int(actual) - int(expected)) < 5", "near")
    assert (await sandbox.judge("print(73001)", Suite(TEST, LIMITS, near))).accepted
    assert len(server.requests) == 2
    assert (await sandbox.judge("print(0)", Suite(TEST, LIMITS, near))).status is Status.WA
    with pytest.raises(CheckerError, match="problem near: checker: test 1: raised ValueError"):
        await sandbox.judge("print('x')", Suite(TEST, LIMITS, near))
    values = Checker("def check(input, expected, actual): return input == (2,) and type(actual) is tuple")
    assert (await sandbox.judge("def f(x): return (x,)", Suite((CallTest("f", (2,), 0),), LIMITS, values))).accepted
    quits = Checker("import os\ndef check(input, expected, actual): os._exit(0)", "quits")
    with pytest.raises(CheckerError, match="problem quits: checker: test 1: ended without an answer"):
        await sandbox.judge("print(1)", Suite(TEST, LIMITS, quits))


async def test_a_service_with_an_old_python_is_the_service_s_fault(
    server: FakeService, sandbox: SandboxFusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_driver", "raise SyntaxError('old')")
    with pytest.raises(SandboxUnavailable, match=r"did not start there: Finished .*old"):
        await sandbox.judge(ADD, Suite(TEST, LIMITS))


def test_requests_are_json(server: FakeService, sandbox: SandboxFusion) -> None:
    json.dumps(sandbox._files)
