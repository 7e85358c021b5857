"""Correct programs, whatever their style of input and output, are accepted in both modes."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parent))
from assertion_fidelity import APART, NUMPY, TOGETHER
from fidelity import CALL, CALL_CASES, CASES, STDIO
from more_assertion_fidelity import ASSERTIONS as MORE

from mars2.core.errors import CheckerError
from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.asyncio(loop_scope="module"),
]

NEEDS_TMP = {"temporary_file", "contextlib_and_tempdir", "tempfiles"}  # a private /tmp needs a mount namespace


@pytest_asyncio.fixture(params=["batch", "hermetic"], scope="module", loop_scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(2, mode=request.param, allow_unsafe=True) as sandbox:
        yield sandbox


async def test_there_are_enough_programs() -> None:
    assert len(STDIO) + len(CALL) >= 60


def _without_tmp(sandbox: ZygoteSandbox) -> set[str]:
    """The programs that must fail here: without namespaces there is no /tmp (docs/sandbox.md)."""
    return NEEDS_TMP if any(layer.startswith("namespaces") for layer in sandbox.missing) else set()


async def test_every_style_is_accepted(sandbox: ZygoteSandbox) -> None:
    stdio = tuple(StdioTest(*case) for case in CASES)
    call = tuple(CallTest("solve", *case) for case in CALL_CASES)
    programs = [(name, source, stdio) for name, source in STDIO.items()]
    programs += [(name, source, call) for name, source in CALL.items()]
    verdicts = await asyncio.gather(*(sandbox.judge(source, Suite(tests, Limits())) for _, source, tests in programs))
    refused = {name: v for (name, _, _), v in zip(programs, verdicts, strict=True) if not v.accepted}
    assert set(refused) == _without_tmp(sandbox), refused


async def test_wrong_programs_of_the_same_styles_are_not(sandbox: ZygoteSandbox) -> None:
    """The same programs against another answer: a comparison that never fails would be noticed here."""
    tests = (StdioTest(CASES[0][0], "6\n4\n"),)
    verdicts = await asyncio.gather(*(sandbox.judge(source, Suite(tests, Limits())) for source in STDIO.values()))
    others = {name: v for name, v in zip(STDIO, verdicts, strict=True) if v.status is not Status.WA}
    assert set(others) == _without_tmp(sandbox), others


async def test_large_inputs_and_outputs(sandbox: ZygoteSandbox) -> None:
    """5 MB in, 10 MB out, with and without the last newline, with every kind of line end and beyond ASCII."""
    numbers = " ".join(["1234567"] * 650_000)
    assert len(numbers) > 5_000_000
    tests = (
        StdioTest(f"{numbers}\n", f"{1234567 * 650_000}\n{'x' * 10_000_000}\n"),
        StdioTest("1 2\r\n", f"3\r\n{'x' * 10_000_000}"),
        StdioTest("\u0663 4", f"7\n{'x' * 10_000_000}\n\n"),
    )
    source = "print(sum(map(int, input().split())))\nprint('x' * 10**7)\n"
    verdict = await sandbox.judge(source, Suite(tests, Limits()))
    assert verdict.accepted, [(t.status, t.error_message) for t in verdict.tests]
    wrong = await sandbox.judge(
        source.replace("10**7", "(10**7 - 1)"), Suite(tests, Limits()), stop_at_first_failure=False
    )
    assert [t.status for t in wrong.tests] == [Status.WA] * 3


DEEPEST = """
deepest = 0
def f(n):
    global deepest
    deepest = n
    return f(n + 1)
def g(x):
    try: f(1)
    except RecursionError: return deepest
"""


def plainly(program: str, given: str = "") -> str:
    """What a plain interpreter prints."""
    done = subprocess.run([sys.executable, "-c", program], input=given.encode(), capture_output=True, check=True)
    return done.stdout.decode()


async def test_a_program_recurses_as_deep_as_in_a_plain_interpreter(sandbox: ZygoteSandbox) -> None:
    plain = int(plainly(DEEPEST + "print(g(1))"))
    printed = await sandbox.judge(DEEPEST + "print(g(1))", Suite((StdioTest("", ""),), Limits()))
    returned = await sandbox.judge(DEEPEST, Suite((CallTest("g", (1,), 0),), Limits()))
    for verdict in (printed, returned):
        assert plain <= int(verdict.tests[0].actual) <= plain + 5


async def test_line_ends_are_read_as_a_plain_interpreter_reads_them(sandbox: ZygoteSandbox) -> None:
    program = "import sys\nprint(repr(input()))\nprint([*sys.stdin])\n"
    given = "a\r\nb\rc\n\r\nd"
    verdict = await sandbox.judge(program, Suite((StdioTest(given, plainly(program, given)),), Limits()))
    assert verdict.accepted, verdict


@pytest.mark.parametrize(
    "program",
    [
        "import random\nprint(random.randint(1, 10**9))",
        "from random import shuffle\nx = [*range(20)]\nshuffle(x)\nprint(x)",
        "import dataclasses, random\nprint(random.gauss(0, 1))",
        "import numpy\nprint(numpy.random.rand(), numpy.random.permutation(9))",
    ],
)
async def test_draws_without_a_seed_are_the_same_in_every_run(sandbox: ZygoteSandbox, program: str) -> None:
    suite = Suite((StdioTest("", "?"),), Limits())
    first = (await sandbox.judge(program, suite)).tests[0]
    async with ZygoteSandbox(1, mode="hermetic", allow_unsafe=True) as other:
        second = (await other.judge(program, suite)).tests[0]
    assert first.status is Status.WA
    assert first.actual == second.actual


async def test_a_helper_does_not_hide_a_method_of_solution(sandbox: ZygoteSandbox) -> None:
    program = "def f(n, memo): return n\nclass Solution:\n    def f(self, n): return f(n, {}) + 1\n"
    assert (await sandbox.judge(program, Suite((CallTest("f", (1,), 2),), Limits()))).accepted
    program = "def f(n): return n\nclass Solution:\n    def g(self, n): return f(n)\n"
    assert (await sandbox.judge(program, Suite((CallTest("f", (1,), 1),), Limits()))).accepted


ASSERTIONS = {name: (*pair, False) for name, pair in (APART | NUMPY).items()}
ASSERTIONS |= {name: (*pair, True) for name, pair in TOGETHER.items()}
ASSERTIONS |= {f"{number}, {test[:40]!r}": (program, test, weak) for number, (program, test, weak) in enumerate(MORE)}


@pytest.mark.parametrize("name", ASSERTIONS)
async def test_assertion_tests_as_people_write_them_pass(sandbox: ZygoteSandbox, name: str) -> None:
    program, test, weak = ASSERTIONS[name]
    result = (await sandbox.judge(program, Suite((AssertTest(test),), Limits()))).tests[0]
    needs_tmp = "/tmp" in program + test or "tempfile" in program + test
    status = Status.RE if needs_tmp and _without_tmp(sandbox) else Status.AC
    assert (result.status, result.weak) == (status, weak), result


@pytest.mark.parametrize("name", [*APART, *NUMPY])
async def test_the_same_assertions_do_not_pass_a_program_that_does_nothing(sandbox: ZygoteSandbox, name: str) -> None:
    program, test, _ = ASSERTIONS[name]
    names = re.findall(r"^(?:async )?def (\w+)", program, re.MULTILINE)
    nothing = "".join(f"def {name}(*a, **k): return None\n" for name in names)
    result = (await sandbox.judge(nothing, Suite((AssertTest(test),), Limits()))).tests[0]
    assert result.status is not Status.AC


@pytest.mark.parametrize(
    "test",
    [
        "import no_such_package\nassert f() == 1",
        "from no_such_package.some import thing\nassert f() == 1",
        "import no_such_package\nassert f().x == 1",
    ],
)
async def test_a_test_that_needs_a_package_is_refused_by_name(sandbox: ZygoteSandbox, test: str) -> None:
    with pytest.raises(CheckerError, match="no_such_package"):
        await sandbox.judge("def f(): return 1", Suite((AssertTest(test),), Limits()))


@pytest.mark.parametrize(
    "program",
    [
        "def f(): raise ModuleNotFoundError('no', name='os')",
        "def f(): import no_such_package",
        "def f(): return ModuleNotFoundError('no', name='os')",
    ],
)
async def test_no_program_has_its_test_refused(sandbox: ZygoteSandbox, program: str) -> None:
    test = "import os\ntry:\n    e = f()\nexcept ImportError as error:\n    e = error\nraise e"
    result = (await sandbox.judge(program, Suite((AssertTest(test),), Limits()))).tests[0]
    assert result.status is Status.RE
