"""A verdict shows itself in one line."""

from __future__ import annotations

import pytest

from mars2.core.verdict import Status, TestResult, Verdict

RIGHT = TestResult(Status.AC, actual="x" * 1000)


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (Verdict(Status.AC, (RIGHT, RIGHT)), "<Verdict AC: 2 of 2 tests passed>"),
        (Verdict(Status.CE, ()), "<Verdict CE: 0 of 0 tests passed>"),
        (
            Verdict(Status.WA, (RIGHT, TestResult(Status.WA, actual="41"), TestResult(Status.SKIPPED))),
            "<Verdict WA: 1 of 3 tests passed; test 1: WA, got '41'>",
        ),
        (
            Verdict(Status.RE, (TestResult(Status.RE, error_type="ValueError", error_message="a\nb"),)),
            "<Verdict RE: 0 of 1 tests passed; test 0: RE, ValueError: a b>",
        ),
        (Verdict(Status.TLE, (TestResult(Status.TLE),)), "<Verdict TLE: 0 of 1 tests passed; test 0: TLE>"),
    ],
)
def test_a_verdict_shows_itself_in_one_line(verdict: Verdict, shown: str) -> None:
    assert repr(verdict) == shown


def test_what_a_failed_test_said_is_shortened() -> None:
    assert len(repr(Verdict(Status.WA, (TestResult(Status.WA, actual="y" * 10_000),)))) < 200
