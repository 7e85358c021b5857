"""What a program finds in the memory it inherits: its input, and no expected output, of its own or of others."""

from __future__ import annotations

import hashlib
import importlib.util
import sys

import pytest

from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Suite, Test
from mars2.sandbox import ZygoteSandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
LIMITS = Limits(cpu_s=10)
SHOWN, HIDDEN = "0123456789abcdef", "fedcba9876543210"  # in the input, and in the expected output
SEARCH = f"""
import ctypes, hashlib, sys

def is_found(before, digest):
    for line in open("/proc/self/maps"):
        span, access, *_ = line.split()
        start, end = (int(address, 16) for address in span.split("-"))
        if not access.startswith("rw") or end - start > 1 << 28:
            continue
        memory = ctypes.string_at(start, end - start)
        at = memory.find(before)
        while at >= 0:
            at += len(before)
            if hashlib.sha256(memory[at : at + 16]).hexdigest() == digest:
                return True
            at = memory.find(before, at)
    return False

def search():
    shown = is_found(b"input-", "{hashlib.sha256(SHOWN.encode()).hexdigest()}")
    hidden = is_found(b"output-", "{hashlib.sha256(HIDDEN.encode()).hexdigest()}")
    return f"{{shown=}} {{hidden=}}"
"""
PRINTED = SEARCH + "given = sys.stdin.read()\nprint(search())\n"
# Its zygote is replaced.
SPOIL = "import os\nos.makedirs('/tmp/a', 0o300, exist_ok=True)\nopen('/tmp/a/b', 'w').close()\n"
TESTS: tuple[Test, ...] = (StdioTest(f"input-{SHOWN}\n", f"output-{HIDDEN}\n"),) * 2


async def printed(sandbox: ZygoteSandbox, program: str) -> list[str]:
    verdict = await sandbox.judge(program, Suite(TESTS, LIMITS), stop_at_first_failure=False)
    return [test.actual.strip() or f"{test.error_type}: {test.error_message}" for test in verdict.tests]


@pytest.mark.parametrize("mode", ["batch", "hermetic"])
async def test_no_expected_output_is_in_a_program_s_memory(mode: str) -> None:
    async with ZygoteSandbox(1, allow_unsafe=True, mode=mode) as sandbox:  # type: ignore[arg-type]
        for program in (PRINTED, SPOIL + PRINTED, PRINTED + "# in the new zygote"):
            assert await printed(sandbox, program) == ["shown=True hidden=False"] * 2


@pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="numpy is not installed")
async def test_nor_in_that_of_one_with_numpy_whose_zygote_comes_late() -> None:
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        assert await printed(sandbox, PRINTED) == ["shown=True hidden=False"] * 2
        assert await printed(sandbox, "import numpy\n" + PRINTED) == ["shown=True hidden=False"] * 2


async def test_nor_in_that_of_a_function_whose_tester_came_late() -> None:
    program = SEARCH + "def f(given):\n    return search()\n"
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        await printed(sandbox, PRINTED)
        await sandbox.judge("def f(x): return x", Suite((AssertTest("assert f(1) == 1"),), LIMITS))
        called = CallTest("f", (f"input-{SHOWN}",), f"output-{HIDDEN}")
        (test,) = (await sandbox.judge(program, Suite((called,), LIMITS))).tests
        assert test.actual.strip("'\"") == "shown=True hidden=False", test
        apart = AssertTest(f"assert f('input-{SHOWN}') == 'output-{HIDDEN}'")
        (test,) = (await sandbox.judge(program, Suite((apart,), LIMITS))).tests
        assert test.actual.strip("'\"") == "shown=True hidden=False", test
