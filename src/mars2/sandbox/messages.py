"""Turns core types into what a worker understands, and its answer into a Verdict."""

from __future__ import annotations

import asyncio
import hashlib
import marshal
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mars2.core.errors import CheckerError, SandboxUnavailable, UserError
from mars2.core.problem import (
    AssertTest,
    CallTest,
    Checker,
    Comparison,
    Limits,
    StdioTest,
    Suite,
    Test,
)
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.sandbox.worker import wire

MARSHAL_VERSION = 2  # without back references, so that equal tests give equal bytes
_PART_CHARACTERS = 1 << 17  # of a test's texts that are encoded at once
_STATUS = {status.value: status for status in Status}
_KEPT_BYTES = 256 * 2**20  # encodings of tests that are remembered


@dataclass(frozen=True, slots=True)
class EncodedTests:
    """Tests as bytes, and the hash that names them."""

    key: bytes
    pieces: tuple[bytes, ...]  # one per test, more for a long one: no large step, neither here nor on the wire

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


class TestEncoder:
    """Encodes tests for the wire, remembering tuples seen before (a problem's tests come many times)."""

    __test__ = False  # not a pytest class

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Sequence[Test], EncodedTests]] = OrderedDict()
        self._bytes = 0

    async def __call__(self, tests: Sequence[Test]) -> EncodedTests:
        """The tests as bytes; large ones are encoded beside the event loop.

        Raises:
            UserError: a call test holds a value that is not plain data.
        """
        kept = self._kept.get(id(tests))
        if kept is not None and kept[0] is tests:
            self._kept.move_to_end(id(tests))
            return kept[1]
        encoded = await asyncio.to_thread(_encode, tests) if _is_large(tests) else _encode(tests)
        if isinstance(tests, tuple) and id(tests) not in self._kept:
            self._kept[id(tests)] = (tests, encoded)
            self._bytes += encoded.size
            while self._bytes > _KEPT_BYTES:
                _, (_, forgotten) = self._kept.popitem(last=False)
                self._bytes -= forgotten.size
        return encoded


def _is_large(tests: Sequence[Test]) -> bool:
    """Whether encoding may take more than about a millisecond."""
    if any(not isinstance(test, StdioTest) for test in tests):
        return len(tests) > 100
    return sum(len(test.input) + len(test.output) for test in tests if isinstance(test, StdioTest)) > 500_000


def plain_tests(tests: Sequence[Test]) -> list[tuple[Any, ...]]:
    """The tests as a judge takes them, see `worker.supervisor.verdicts.Test`.

    Raises:
        UserError: one is not a test.
    """
    plain: list[tuple[Any, ...]] = []
    for index, test in enumerate(tests):
        match test:
            case StdioTest(text, output):
                plain.append(("stdio", text, output))
            case CallTest(function, args, expected, types):
                plain.append(("call", (function, tuple(types)) if types else function, tuple(args), expected))
            case AssertTest(code):
                plain.append(("assert", code))
            case _:
                raise UserError(
                    f"tests[{index}] must be a StdioTest, CallTest or AssertTest, got {type(test).__name__}"
                )
    return plain


def check_plain(tests: Sequence[Test]) -> None:
    """Raise UserError for a call test whose values are not plain data."""
    try:
        for test in tests:
            if isinstance(test, CallTest):
                marshal.dumps((tuple(test.args), test.expected), MARSHAL_VERSION)
    except ValueError:
        raise _not_plain() from None


def _not_plain() -> UserError:
    return UserError("a call test's args and expected must be plain data (numbers, text, lists, tuples, sets, dicts)")


def _encode(tests: Sequence[Test]) -> EncodedTests:
    try:
        pieces = tuple(piece for test in plain_tests(tests) for piece in _pieces(test))
    except ValueError:
        raise _not_plain() from None
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return EncodedTests(digest.digest(), pieces)


def _pieces(test: tuple[Any, ...]) -> Iterator[bytes]:
    """A test as `worker.wire.join` takes it: a long text in parts, for the interpreter does nothing else meanwhile."""
    match test:
        case ("stdio", str() as text, str() as output) if len(text) + len(output) > _PART_CHARACTERS:
            parts = [[*_parts(text)], [*_parts(output)]]
            yield marshal.dumps((wire.IN_PARTS, *map(len, parts)), MARSHAL_VERSION)
            for part in (*parts[0], *parts[1]):
                yield marshal.dumps(part, MARSHAL_VERSION)
                time.sleep(0)  # the event loop's turn, if it waits: it would be given one every 5 ms
        case _:
            yield marshal.dumps(test, MARSHAL_VERSION)


def _parts(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PART_CHARACTERS):
        yield text[start : start + _PART_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Judging:
    """One judgement as a worker is asked for it."""

    program: str
    tests: EncodedTests
    options: dict[str, Any]  # see `options`

    @property
    def key(self) -> bytes:
        """The same for equal judgements, and for no others."""
        fields = (self.program, self.tests.key, self.options)
        return hashlib.sha256(marshal.dumps(fields, MARSHAL_VERSION)).digest()

    def payload(self, *, with_tests: bool) -> bytes:
        """What is sent first; the pieces of the tests follow, each in a frame, if the worker does not have them."""
        num_pieces = len(self.tests.pieces) if with_tests else None
        return marshal.dumps((self.program, self.tests.key, num_pieces, self.options), MARSHAL_VERSION)


def options(suite: Suite, stop_at_first_failure: bool, hermetic: bool) -> dict[str, Any]:
    """The fields of `worker.supervisor.request.Request` but program and tests."""
    limits, comparison = suite.limits, suite.comparison
    return {
        "cpu_s": float(limits.cpu_s),
        "wall_s": float(limits.effective_wall_s),
        "memory_mib": int(limits.memory_mib),
        "stdout_bytes": int(limits.stdout_kib) * 1024,
        "stderr_bytes": int(limits.stderr_kib) * 1024,
        "comparison": rule_of(comparison) or "exact",
        "stop_at_first_failure": stop_at_first_failure,
        "hermetic": hermetic,
        "checker": comparison.source if isinstance(comparison, Checker) else None,
    }


def rule_of(comparison: Comparison) -> str | None:
    """The rule by which outputs are compared; None if a checker decides."""
    return None if isinstance(comparison, Checker) else comparison


def checker_error(comparison: Comparison, why: str) -> CheckerError:
    """The error for a checker that failed, naming the problem."""
    problem_id = comparison.problem_id if isinstance(comparison, Checker) else ""
    name = f"problem {problem_id}: checker" if problem_id else "checker"
    return CheckerError(f"{name}: {why}; it must return True or False whatever the program answered")


def refusal(program: str | None, limits: Limits) -> TestResult | None:
    """The CE of what need not be sent to a worker: no program, an empty one, one too long."""
    if program is None:
        return TestResult(Status.CE, error_type="NoProgram", error_message="the answer contains no program")
    if not program.strip():
        return TestResult(Status.CE, error_type="NoProgram", error_message="the program is empty")
    most = limits.source_kib * 1024
    size = len(program) if len(program) > most else len(program.encode("utf-8", "surrogatepass"))
    if size > most:
        message = f"the program has {size} bytes, more than {limits.source_kib} KiB"
        return TestResult(Status.CE, error_type="SourceTooLong", error_message=message)
    return None


def verdict_of(answer: dict[str, Any], num_tests: int, mode: str) -> Verdict:
    """The verdict in a worker's answer."""
    results = tuple(map(result_of, answer["outcomes"]))
    if len(results) != max(1, num_tests) and not (num_tests == 0 and not results):
        raise SandboxUnavailable(f"a worker answered {len(results)} results for {num_tests} tests")
    return verdict_from(results, num_tests, answer["tier"], mode)


def result_of(fields: dict[str, Any]) -> TestResult:
    """The result with these fields, as a judge names them."""
    return TestResult(**{**fields, "status": _STATUS[fields["status"]]})


def verdict_from(results: tuple[TestResult, ...], num_tests: int, tier: str, mode: str) -> Verdict:
    """Overall status: AC if every test is AC, else that of the first failing test."""
    status = next((result.status for result in results if result.status is not Status.AC), Status.AC)
    return Verdict(status, results[:num_tests], tier, mode)
