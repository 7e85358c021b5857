"""Reports that a program forges in its own process are a verdict like any other, and cost the supervisor little."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mars2.core.problem import CallTest, Checker, Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.asyncio(loop_scope="module"),
]
LIMITS = Limits(cpu_s=2.0, wall_s=10.0, memory_mib=256)
STDIO, CALL = (StdioTest("", "3\n"),), (CallTest("f", (), [3]),)
FORGE = """
import os, struct
def sized(tag, data): return tag + struct.pack('<I', len(data)) + data
def text(value): return sized(b's', value.encode('utf-8', 'surrogatepass'))
def whole(value): return sized(b'i', value.to_bytes(value.bit_length() // 8 + 1, 'little', signed=True))
def report(*parts): return b't' + struct.pack('<I', len(parts)) + b''.join(parts)
def forge(*parts):
    data = report(*parts)
    os.ftruncate(4, 0)
    os.pwrite(4, struct.pack('<BIIIdd', 1, len(data), 2**32 - 1, 2**32 - 1, 0.0, 0.0) + data, 0)
    os._exit(0)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(1, allow_unsafe=True, cache_size=0) as made:
        yield made


@pytest.mark.parametrize("code", ["whole(10**6000)", "whole(256)", "whole(-1)", "b'F'", "b'T'", "b'N'"])
async def test_exit_codes_that_no_process_has(sandbox: ZygoteSandbox, code: str) -> None:
    verdict = await sandbox.judge(f"{FORGE}print(3, flush=True)\nforge(text('exit'), {code})", Suite(STDIO, LIMITS))
    assert (verdict.status, verdict.tests[0].error_type) == (Status.RE, "InvalidReport")
    assert sandbox.num_worker_failures == 0


async def test_texts_are_short_and_printable(sandbox: ZygoteSandbox) -> None:
    program = f"{FORGE}forge(text('error'), *[text('\\ud800\\x1b' + x * 5_000_000) for x in 'Emt'])"
    (result,) = (await sandbox.judge(program, Suite(STDIO, LIMITS))).tests
    assert result.status is Status.RE
    assert result.error_type.startswith("\\ud800\\x1bEE")
    assert len(result.error_type) < 120
    assert len(result.error_message) < 2_200
    assert len(result.traceback) < 8_200
    assert all(
        c.isprintable() or c == "\n"
        for text in (result.error_type, result.error_message, result.traceback)
        for c in text
    )


@pytest.mark.parametrize(
    "data",
    [
        "b'l\\1\\0\\0\\0' * 200 + b'l\\0\\0\\0\\0'",
        "b'l\\1\\0\\0\\0' * 200 + b'I\\0\\0\\0\\0'",
        "sized(b'i', bytes(131071) + b'\\x80')",
        "b'q' + whole(3**6000) + whole(2**9000)",
    ],
)
async def test_what_can_be_read_can_be_given_to_a_checker(sandbox: ZygoteSandbox, data: str) -> None:
    checker = Checker("def check(given, expected, actual): return actual == expected")
    program = f"{FORGE}def f(): forge(text('value'), sized(b'b', {data}))"
    assert (await sandbox.judge(program, Suite(CALL, LIMITS, checker))).status is Status.WA
    assert sandbox.num_worker_failures == 0


async def test_a_large_honest_value_is_carried(sandbox: ZygoteSandbox) -> None:
    program = "def f(): return [(i, [i, i]) for i in range(150_000)]"
    test = CallTest("f", (), [(i, [i, i]) for i in range(150_000)])
    assert (await sandbox.judge(program, Suite((test,), LIMITS))).accepted
