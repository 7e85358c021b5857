"""What a test comes to, from what came back: every branch of `decide`, without a process."""

from __future__ import annotations

from typing import Any

import pytest

from mars2.sandbox.worker.encoding import encode
from mars2.sandbox.worker.supervisor.verdicts import UNCHECKED, Ended, Outcome, Rules, Test, decide

STDIO: Test = ("stdio", "1 2\n", "3\n")
CALL: Test = ("call", "add", (1, 2), 3)
ASSERT: Test = ("assert", "assert add(1, 2) == 3")
RULES = Rules(cpu_s=2.0, wall_s=5.0, stdout_bytes=4096, comparison="exact")
CHECKED = Rules(2.0, 5.0, 4096, None)


def ended(
    report: Any = ("exit", 0), stdout: bytes = b"3\n", *, size: int | None = None, raw: bytes | None = None, **more: Any
) -> Ended:
    """A test that ended so; `report` None is a process that wrote none, `raw` are the bytes it wrote."""
    data = raw if raw is not None else None if report is None else encode(report)
    return Ended(data, stdout, len(stdout) if size is None else size, b"careful", 0.5, 0.75, **more)


def value(thing: Any) -> tuple[str, bytes]:
    return ("value", encode(thing))


@pytest.mark.parametrize(
    ("test", "how", "status"),
    [
        (STDIO, ended(), "AC"),
        (STDIO, ended(stdout=b"4\n"), "WA"),
        (STDIO, ended(("exit", 3)), "RE"),
        (STDIO, ended(value(3)), "RE"),
        (STDIO, ended(("done",)), "RE"),
        (CALL, ended(value(3)), "AC"),
        (CALL, ended(value(4)), "WA"),
        (CALL, ended(value("3")), "WA"),
        (CALL, ended(("exit", 0)), "RE"),
        (CALL, ended(("done",)), "RE"),
        (ASSERT, ended(("done",)), "AC"),
        (ASSERT, ended(("exit", 0)), "RE"),
        (ASSERT, ended(value(True)), "RE"),
        (ASSERT, ended(("error", "AssertionError", "failed: assert", "")), "WA"),
        (STDIO, ended(("error", "AssertionError", "", "")), "RE"),
        (CALL, ended(("error", "MemoryError", "", "")), "MLE"),
        (CALL, ended(("error", "OutputLimitExceeded", "", "")), "OLE"),
        (CALL, ended(("error", "ZeroDivisionError", "division by zero", "line 1")), "RE"),
        (ASSERT, ended(("error", "ValueError", "m", "t", "ValueError", b"")), "RE"),  # of a call by a tester
    ],
)
def test_a_report_is_judged_by_the_kind_of_its_test(test: Test, how: Ended, status: str) -> None:
    assert decide(test, how, RULES).status == status


@pytest.mark.parametrize("code", [256, -1, 10**400, True, None, "0", 0.0])
def test_an_exit_code_that_no_process_has_is_no_report(code: Any) -> None:
    outcome = decide(STDIO, ended(("exit", code)), RULES)
    assert (outcome.status, outcome.error_type, outcome.exit_code) == ("RE", "InvalidReport", None)


@pytest.mark.parametrize("raw", [b"\xff", b"t", b"l\x01\x00\x00\x00", b"i\xff\xff\xff\xff"])
def test_bytes_that_are_no_value_are_a_wrong_answer(raw: bytes) -> None:
    outcome = decide(STDIO, ended(raw=raw), RULES)
    assert (outcome.status, outcome.error_type) == ("WA", "EncodingError")
    inner = decide(CALL, ended(("value", raw)), RULES)
    assert (inner.status, inner.error_type) == ("WA", "EncodingError")


@pytest.mark.parametrize("report", [(), ("exit",), ("value", 3), ("error", 1, 2, 3), ("passed",), 7, "AC", None])
def test_a_value_that_is_no_report_is_a_runtime_error(report: Any) -> None:
    for test in (STDIO, CALL, ASSERT):
        outcome = decide(test, ended(raw=encode(report)), RULES)
        assert (outcome.status, outcome.error_type) == ("RE", "InvalidReport")


def test_an_assertion_test_is_only_passed_if_its_tester_says_so() -> None:
    assert decide(ASSERT, ended(("done",)), RULES, passed=False).status == "RE"
    assert decide(ASSERT, ended(("done",)), RULES, passed=True).status == "AC"


def test_what_was_printed_beyond_the_limit_comes_before_all_else() -> None:
    for how in (
        ended(size=4097),
        ended(limit="output"),
        ended(None, size=4097, limit="cpu"),
        ended(value(3), size=9999),
    ):
        outcome = decide(STDIO, how, RULES)
        assert (outcome.status, outcome.error_type) == ("OLE", "OutputLimitExceeded")
        assert outcome.error_message == "printed more than 4 KiB"  # 4096 / 1024
    assert decide(STDIO, ended(stdout=b"3\n", size=4096), RULES).status == "AC"


@pytest.mark.parametrize(
    ("limit", "message"), [("cpu", "ran longer than 2 s (cpu time)"), ("wall", "ran longer than 5 s (wall time)")]
)
def test_a_limit_comes_before_the_report(limit: str, message: str) -> None:
    for report in (("exit", 0), None, ("error", "MemoryError", "", "")):
        outcome = decide(STDIO, ended(report, limit=limit), RULES)
        assert (outcome.status, outcome.error_type, outcome.error_message) == ("TLE", "TimeLimitExceeded", message)


def test_a_process_that_leaves_without_a_report_is_judged_by_what_it_printed_and_its_code() -> None:
    assert decide(STDIO, ended(None, exit_code=0), RULES).status == "AC"  # os._exit(0)
    assert decide(STDIO, ended(None, b"4", exit_code=0), RULES).status == "WA"
    outcome = decide(STDIO, ended(None, exit_code=3), RULES)
    assert (outcome.status, outcome.error_type, outcome.exit_code) == ("RE", "ProcessDied", 3)
    assert outcome.error_message == "the process ended with exit code 3 before the test was over"
    for test in (CALL, ASSERT):  # a silent end passes nothing
        assert decide(test, ended(None, exit_code=0), RULES).status == "RE"


def test_a_process_that_is_killed_names_the_signal() -> None:
    outcome = decide(STDIO, ended(None, signal=11), RULES)
    assert (outcome.status, outcome.error_type, outcome.signal) == ("RE", "ProcessDied", 11)
    assert outcome.error_message == "the process ended with signal 11 before the test was over"
    assert decide(STDIO, ended(None, signal=24), RULES).status == "TLE"  # SIGXCPU, the kernel's own limit


def test_where_a_checker_decides_the_answer_is_kept_for_it() -> None:
    stdio = decide(STDIO, ended(stdout=b"x"), CHECKED)
    assert (stdio.status, stdio.answer) == (UNCHECKED, "x")
    call = decide(CALL, ended(value([1, 2])), CHECKED)
    assert (call.status, call.answer) == (UNCHECKED, [1, 2])
    assert decide(CALL, ended(None, exit_code=1), CHECKED).status == "RE"  # nothing to check
    assert "answer" not in stdio.fields()


def test_the_rule_of_the_problem_is_used() -> None:
    near = ended(stdout=b"3.0000001\n")
    assert decide(STDIO, near, RULES).status == "WA"
    assert decide(STDIO, near, Rules(2.0, 5.0, 4096, "tolerant")).status == "AC"  # within 1e-6


def test_what_is_shown_is_short_and_printable() -> None:
    outcome = decide(CALL, ended(("error", "E\x1b" + "x" * 999, "m" * 9_999, "t" * 99_999)), RULES)
    assert outcome.error_type.startswith("E\\x1b")
    assert len(outcome.error_type) < 120
    assert len(outcome.error_message) < 2_200
    assert len(outcome.traceback) < 8_200
    assert decide(CALL, ended(value([1, 2])), RULES).actual == "[1, 2]"


def test_the_facts_of_a_test_are_taken_over() -> None:
    outcome = decide(STDIO, ended(), RULES)
    assert outcome == Outcome("AC", cpu_s=0.5, wall_s=0.75, actual="3\n", stderr="careful", exit_code=0)
