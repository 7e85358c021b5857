"""What every sandbox promises. Real ones pass all of it; the scripted one what does not need a program to run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio
from fake_sandboxfusion import service

from mars2.config.sandbox import DockerSandboxConfig, SandboxFusionConfig
from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Suite, Test
from mars2.core.protocols import Sandbox
from mars2.core.verdict import Status
from mars2.sandbox import ScriptedSandbox, ZygoteSandbox, bubblewrap, docker
from mars2.sandbox.bubblewrap import Bubblewrap
from mars2.sandbox.docker import Docker
from mars2.sandbox.launchers import Launcher
from mars2.sandbox.sandboxfusion import SandboxFusion

pytestmark = pytest.mark.asyncio(loop_scope="module")
ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
SUBTRACT = "a, b = map(int, input().split())\nprint(a - b)\n"
SUMS: tuple[Test, ...] = (StdioTest("1 2\n", "3\n"), StdioTest("3 4\n", "7\n"), StdioTest("5 6\n", "11\n"))
GROWING = "x = []\nwhile True: x.append(bytearray(10**6))"
LIMITS = Limits(cpu_s=1.0, wall_s=20.0, memory_mib=128, stdout_kib=256)  # a busy machine starts Python late
SLEEPING = "import time\ntime.sleep(60)"


def _scripted(program: str, suite: Suite) -> Status:
    return {ADD: Status.AC, SUBTRACT: Status.WA, "def f(": Status.CE}.get(program, Status.RE)


def _make(kind: str, url: str = "") -> Sandbox:
    if kind == "scripted":
        return ScriptedSandbox(_scripted)
    if kind == "bubblewrap":
        return ZygoteSandbox(1, launcher=_available(Bubblewrap(), bubblewrap.unavailable()))
    if kind == "sandboxfusion":
        return SandboxFusion(SandboxFusionConfig(url=url, workers=2))
    if kind == "docker":
        options = DockerSandboxConfig(image=os.environ.get("MARS2_TEST_DOCKER_IMAGE", DockerSandboxConfig().image))
        return ZygoteSandbox(1, launcher=_available(Docker(options), docker.unavailable(options)))
    return ZygoteSandbox(1, mode="hermetic" if kind == "hermetic" else "batch", allow_unsafe=True)


def _available(launcher: Launcher, reason: str) -> Launcher:
    if reason:
        pytest.skip(f"{launcher.tier}: {reason}")
    return launcher


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Address of a service with SandboxFusion's interface."""
    with service() as server:
        yield server.url


REAL = ["batch", "hermetic", "bubblewrap", pytest.param("docker", marks=pytest.mark.docker), "sandboxfusion"]


@pytest_asyncio.fixture(params=[*REAL, "scripted"], scope="module", loop_scope="module")
async def sandbox(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Sandbox]:
    made = _make(request.param, url)
    yield made
    await made.close()


@pytest_asyncio.fixture(params=REAL, scope="module", loop_scope="module")
async def real(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Sandbox]:
    made = _make(request.param, url)
    yield made
    await made.close()


async def test_right_program(sandbox: Sandbox) -> None:
    verdict = await sandbox.judge(ADD, Suite(SUMS, LIMITS))
    assert verdict.accepted
    assert [test.status for test in verdict.tests] == [Status.AC] * 3
    assert verdict.fraction_passed == 1.0
    assert verdict.tier
    assert verdict.mode


async def test_wrong_program_skips_after_the_first_failure(sandbox: Sandbox) -> None:
    verdict = await sandbox.judge(SUBTRACT, Suite(SUMS, LIMITS))
    assert verdict.status is Status.WA
    assert [test.status for test in verdict.tests] == [Status.WA, Status.SKIPPED, Status.SKIPPED]


async def test_all_tests_run_when_asked(sandbox: Sandbox) -> None:
    verdict = await sandbox.judge(SUBTRACT, Suite(SUMS, LIMITS), stop_at_first_failure=False)
    assert [test.status for test in verdict.tests] == [Status.WA] * 3


@pytest.mark.parametrize("program", [None, "", "  \n\t", "def f("])
async def test_no_program_is_a_compile_error(sandbox: Sandbox, program: str | None) -> None:
    verdict = await sandbox.judge(program, Suite(SUMS, LIMITS))
    assert verdict.status is Status.CE
    assert len(verdict.tests) == 3
    assert verdict.num_passed == 0


async def test_source_too_long_is_a_compile_error(sandbox: Sandbox) -> None:
    verdict = await sandbox.judge(ADD + "#" * 1024, Suite(SUMS, Limits(source_kib=1)))
    assert verdict.status is Status.CE
    assert verdict.tests[0].error_type == "SourceTooLong"


async def test_many_at_once(sandbox: Sandbox) -> None:
    verdicts = await asyncio.gather(*(sandbox.judge(p, Suite(SUMS, LIMITS)) for p in [ADD, SUBTRACT] * 5))
    assert [v.status for v in verdicts] == [Status.AC, Status.WA] * 5


@pytest.mark.parametrize("kind", ["batch", "scripted"])
async def test_close_twice(kind: str) -> None:
    sandbox = _make(kind)
    await sandbox.judge(ADD, Suite(SUMS, LIMITS))
    await sandbox.close()
    await sandbox.close()


async def test_wrong_answer_shows_what_was_printed(real: Sandbox) -> None:
    result = (await real.judge(SUBTRACT, Suite(SUMS, LIMITS))).tests[0]
    assert result.actual == "-1\n"
    assert result.exit_code == 0
    assert result.peak_mib > 1
    assert 0 < result.cpu_s < 1.0


async def test_runtime_error_shows_the_program_s_own_lines(real: Sandbox) -> None:
    program = "import json\n\ndef parse(text):\n    return json.loads(text)\n\nprint(parse(input()))\n"
    result = (await real.judge(program, Suite((StdioTest("{", ""),), LIMITS))).tests[0]
    assert result.status is Status.RE
    assert result.error_type == "JSONDecodeError"
    assert "Expecting property name" in result.error_message
    assert result.traceback == ("line 6, in <module>: print(parse(input()))\nline 4, in parse: return json.loads(text)")


async def test_stderr_and_exit_code(real: Sandbox) -> None:
    program = "import sys\nprint('3')\nprint('careful', file=sys.stderr)\nsys.exit(4)\n"
    result = (await real.judge(program, Suite(SUMS, LIMITS))).tests[0]
    assert (result.status, result.exit_code, result.stderr) == (Status.RE, 4, "careful\n")


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("while True: pass", Status.TLE),
        (SLEEPING, Status.TLE),
        ("x = bytearray(10**9)", Status.MLE),
        (GROWING, Status.MLE),
        ("while True: print('x' * 1000)", Status.OLE),
        ("1 / 0", Status.RE),
        ("import os\nos.kill(os.getpid(), 11)", Status.RE),
    ],
)
async def test_limits_and_deaths(real: Sandbox, program: str, status: Status) -> None:
    changed = {SLEEPING: {"wall_s": 1.5}, GROWING: {"cpu_s": 10.0}}  # fresh memory is slow where the machine has little
    verdict = await real.judge(program, Suite(SUMS, replace(LIMITS, **changed.get(program, {}))))
    assert verdict.status is status
    assert verdict.tests[0].error_type
    assert verdict.tests[0].error_message or status is Status.MLE


async def test_killed_by_a_signal_says_which(real: Sandbox) -> None:
    result = (await real.judge("import os\nos.kill(os.getpid(), 11)", Suite(SUMS, LIMITS))).tests[0]
    assert result.signal == 11


async def test_compile_error_says_where(real: Sandbox) -> None:
    result = (await real.judge("x = 1\nif x\n  pass\n", Suite(SUMS, LIMITS))).tests[0]
    assert result.error_type == "SyntaxError"
    assert "line 2" in result.error_message


async def test_tests_run_after_a_timeout_when_asked(real: Sandbox) -> None:
    program = "n = int(input())\nwhile n == 1: pass\nprint(n)\n"
    tests = tuple(StdioTest(f"{n}\n", f"{n}\n") for n in (0, 1, 2))
    verdict = await real.judge(program, Suite(tests, LIMITS), stop_at_first_failure=False)
    assert [test.status for test in verdict.tests] == [Status.AC, Status.TLE, Status.AC]
    assert verdict.status is Status.TLE


@pytest.mark.parametrize(
    "program",
    [
        "def add(a, b): return a + b",
        "class Solution:\n    def add(self, a, b): return a + b",
        "def add(a, b, memo): return a + b\nclass Solution:\n    def add(self, a, b): return add(a, b, {})",
        "class Solution: pass\ndef add(a, b): return a + b",
    ],
)
async def test_function_calls(real: Sandbox, program: str) -> None:
    tests = (CallTest("add", (1, 2), 3), CallTest("add", ([1], [2]), [1, 2]), CallTest("add", ((1,), (2,)), [1, 2]))
    assert (await real.judge(program, Suite(tests, LIMITS))).accepted


async def test_lists_trees_places_and_operations(real: Sandbox) -> None:
    program = """
class Solution:
    def reverse(self, head: ListNode) -> ListNode:
        before = None
        while head:
            head.next, before, head = before, head, head.next
        return before
    def invert(self, root: TreeNode) -> TreeNode:
        if root:
            root.left, root.right = self.invert(root.right), self.invert(root.left)
        return root
    def clear(self, items: list) -> None:
        items.clear()
class Counter:
    def __init__(self, start: int): self.value = start
    def add(self, number: int) -> int:
        self.value += number
        return self.value
"""
    tests = (
        CallTest("reverse", ([1, 2],), [2, 1], ("ListNode", "ListNode")),
        CallTest("invert", ([1, 2],), [1, None, 2], ("TreeNode", "TreeNode")),
        CallTest("clear", ([1],), [], ("", "0")),
        CallTest("Counter", (["Counter", "add", "add"], [[1], [2], [3]]), [None, 3, 6], ("operations",)),
    )
    assert (await real.judge(program, Suite(tests, LIMITS))).accepted


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        1.5,
        "text ☃ \ud800",
        b"\x00\xff",
        [1, [2]],
        (1, "a"),
        {"k": [1]},
        {1, 2},
        frozenset({3}),
        2 + 1j,
    ],
)
async def test_values_of_every_plain_type_come_and_go(real: Sandbox, value: object) -> None:
    verdict = await real.judge("def same(x): return x", Suite((CallTest("same", (value,), value),), LIMITS))
    assert verdict.accepted, verdict


async def test_value_of_the_wrong_type_is_wrong(real: Sandbox) -> None:
    result = (await real.judge("def f(): return '3'", Suite((CallTest("f", (), 3),), LIMITS))).tests[0]
    assert (result.status, result.actual) == (Status.WA, "'3'")


async def test_missing_function(real: Sandbox) -> None:
    result = (await real.judge("def g(): pass", Suite((CallTest("f", (), 3),), LIMITS))).tests[0]
    assert (result.status, result.error_type) == (Status.RE, "NameError")


async def test_assertions(real: Sandbox) -> None:
    program = "def double(x): return 2 * x"
    tests = (AssertTest("assert double(2) == 4"), AssertTest("def check(f):\n    assert f(3) == 7\ncheck(double)"))
    verdict = await real.judge(program, Suite(tests, LIMITS))
    assert [test.status for test in verdict.tests] == [Status.AC, Status.WA]
    assert "assert f(3) == 7" in verdict.tests[1].error_message
    assert all(test.weak is (verdict.tier == "remote") for test in verdict.tests)
    if verdict.tier != "remote":
        assert verdict.tests[1].actual == "6"


async def test_assertions_that_need_an_object_are_weak(real: Sandbox) -> None:
    program = "class Box:\n    def __init__(self, x): self.x = x"
    verdict = await real.judge(program, Suite((AssertTest("b = Box(3)\nassert b.x == 3"),), LIMITS))
    assert verdict.accepted
    assert verdict.tests[0].weak


async def test_no_tests(sandbox: Sandbox) -> None:
    verdict = await sandbox.judge(ADD, Suite((), LIMITS))
    assert verdict.tests == ()
    assert verdict.fraction_passed == 0.0


async def test_comparison_is_the_problem_s(real: Sandbox) -> None:
    program = "print('2 1')\nprint('0.3333333')"
    tests = (StdioTest("", "2 1\n0.33333333\n"),)
    assert (await real.judge(program, Suite(tests, LIMITS))).status is Status.WA
    assert (await real.judge(program, Suite(tests, LIMITS, "tolerant"))).accepted
    tests = (StdioTest("", "0.3333333 2\n1\n"),)
    assert (await real.judge("print('0.3333333\\n2 1')", Suite(tests, LIMITS, "tokens"))).accepted
    assert (await real.judge("print('1\\n0.3333333 2')", Suite(tests, LIMITS, "unordered"))).accepted


async def test_value_larger_than_the_output_limit(real: Sandbox) -> None:
    program = "def f(): return ['x' * 100_000] * 20"
    verdict = await real.judge(program, Suite((CallTest("f", (), 1),), LIMITS))
    assert verdict.status is Status.OLE


async def test_a_candidate_cannot_talk_a_test_into_its_own_process(real: Sandbox) -> None:
    """Whatever it returns, even values of unusual types, the test goes on apart."""
    for value in ("Decimal(1)", "Fraction(1, 2)", "object()", "[object()]", "{1: {2}}", "lambda: 1"):
        program = (
            f"from decimal import Decimal\nfrom fractions import Fraction\ndef f(): return {value}\ndef g(x): return 0"
        )
        verdict = await real.judge(program, Suite((AssertTest("assert g(f()) == 1"),), LIMITS))
        assert verdict.status is Status.WA
        assert verdict.tests[0].weak is (verdict.tier == "remote")
