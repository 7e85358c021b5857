"""Describes in words how a program did on the public tests: the error feedback of a refinement prompt."""

from __future__ import annotations

from collections.abc import Sequence

from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Test
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.prompting.shortening import fenced, shorten


def describe_test(test: Test, max_chars: int) -> str:
    """One public test as shown in prompts, in at most about `max_chars` characters."""
    match test:
        case StdioTest():
            part = max_chars // 2
            return f"Input:\n{fenced(test.input, part)}\nExpected output:\n{fenced(test.output, part)}"
        case CallTest():
            part = max_chars // 2
            return f"{shorten(_call(test), part)} must {_effect(test)} {shorten(repr(test.expected), part)}"
        case AssertTest():
            return fenced(test.code.strip(), max_chars)


def describe_verdict(verdict: Verdict, tests: Sequence[Test], limits: Limits, *, max_tests: int, max_chars: int) -> str:
    """How many tests passed, then the first failing ones in detail; `verdict.tests[i]` belongs to `tests[i]`.

    At most `max_tests` failures and about `max_chars` characters of evidence, shared evenly between them.
    """
    parts = [_count(verdict)]
    if verdict.status is Status.CE:
        message = next((_error(result) for result in verdict.tests if result.status is Status.CE), "")
        parts.append("It is not a valid Python program." + _block(message, max_chars))
        return "\n\n".join(parts)
    failures = [
        (number, test, result)
        for number, (test, result) in enumerate(zip(tests, verdict.tests, strict=False), start=1)
        if result.status not in {Status.AC, Status.SKIPPED}
    ][:max_tests]
    for number, test, result in failures:
        parts.append(f"Test {number}: " + _failure(test, result, limits, max_chars // len(failures)))
    return "\n\n".join(parts)


def _count(verdict: Verdict) -> str:
    num_skipped = sum(result.status is Status.SKIPPED for result in verdict.tests)
    text = f"It passed {verdict.num_passed} of {len(verdict.tests)} public tests"
    return f"{text}; {num_skipped} not run after the first failure." if num_skipped else f"{text}."


def _failure(test: Test, result: TestResult, limits: Limits, max_chars: int) -> str:
    third = max_chars // 3
    match result.status:
        case Status.WA:
            return f"wrong answer.\n{describe_test(test, 2 * third)}{_actual(test, result, third)}"
        case Status.RE:
            return f"runtime error.\n{describe_test(test, third)}{_block(_error(result), 2 * third)}"
        case Status.TLE:
            reason = (
                f"time limit exceeded: stopped after {limits.cpu_s:g} s of CPU time or {limits.effective_wall_s:g} s."
            )
        case Status.MLE:
            reason = f"memory limit exceeded: it may use {limits.memory_mib} MiB."
        case Status.OLE:
            reason = f"output limit exceeded: it may print {limits.stdout_kib} KiB."
        case _:
            reason = f"not judged ({result.status})."
    return f"{reason}\n{describe_test(test, max_chars)}"


def _actual(test: Test, result: TestResult, max_chars: int) -> str:
    if isinstance(test, AssertTest) and not result.actual:
        return _block(_error(result), max_chars)
    kind = "output" if isinstance(test, StdioTest) else "result"
    return f"\nActual {kind}:\n{fenced(result.actual, max_chars)}"


def _error(result: TestResult) -> str:
    """Traceback lines inside the program, then "Type: message"."""
    headline = ": ".join(part for part in (result.error_type, result.error_message) if part)
    text = "\n".join(part for part in (result.traceback.strip("\n"), headline) if part)
    if text:
        return text
    if result.stderr.strip():
        return result.stderr.strip()
    if result.signal is not None:
        return f"killed by signal {result.signal}"
    return f"exit code {result.exit_code}" if result.exit_code else ""


def _call(test: CallTest) -> str:
    return f"{test.function}({', '.join(map(repr, test.args))})"


def _effect(test: CallTest) -> str:
    result = test.types[-1] if test.types else ""
    return f"change its argument {int(result) + 1} to" if result.isdecimal() else "return"


def _block(text: str, max_chars: int) -> str:
    return f"\nError:\n{fenced(text, max_chars)}" if text else ""
