"""Equal behaviour is what the judge would call equal."""

from __future__ import annotations

import pytest

from mars2.core.errors import SandboxUnavailable
from mars2.core.problem import CallTest, NamedComparison, StdioTest, Test
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.search.behaviour import behaviour_of, informative

STDIN, CALL = StdioTest("", ""), CallTest("f", (), None)


def outputs(test: Test, comparison: NamedComparison, *actual: str) -> set[str | None]:
    verdict = Verdict(Status.WA, tuple(TestResult(Status.WA, actual=text) for text in actual))
    return set(behaviour_of(verdict, [test] * len(actual), comparison))


@pytest.mark.parametrize(
    ("test", "comparison", "alike", "other"),
    [
        (STDIN, "exact", ["1 2\n", "1 2", " 1  2 \n", "1.0 2", "+1 2e0"], "1\n2"),
        (STDIN, "tokens", ["1 2\n", "1\n2"], "2 1"),
        (STDIN, "unordered", ["a b\nc", "c\na  b"], "c\nb a"),
        (STDIN, "tolerant", ["0.3333333", "0.33333331"], "0.3334"),
        (STDIN, "tolerant", ["1000000", "1e6", "1000000.0"], "1000001"),
        (STDIN, "apps", ["1 2\n\nx", "1  2\nx\n", "1.0 2\nx"], "1 2 x"),
        (STDIN, "codecontests", ["Yes 0.3333333", "YES\n0.3333333001"], "No 0.3333333"),
        (STDIN, "livecodebench", ["0.3333333", "0.33333331"], "0.3334"),
        (CALL, "apps", ["[(1, 2)]", "[[1, 2]]", "([1, 2.0],)"], "[1, 2]"),
        (CALL, "tolerant", ["1000000", "1000000.0"], "1000001"),
        (CALL, "exact", ["[1, 2]", "(1, 2)", "[1.0, 2]", "[True, 2]"], "[2, 1]"),
        (CALL, "unordered", ["[1, 2]", "[2, 1]"], "[2, 2]"),
        (CALL, "tolerant", ["{'a': 0.1}", "{'a': 0.10000000001}"], "{'a': 0.11}"),
        (CALL, "exact", ["{'b', 'a'}", "{'a', 'b'}"], "['a', 'b']"),
        (CALL, "exact", ["<Node object>"], "<Tree object>"),
        (CALL, "exact", ["'1'"], "1"),
    ],
)
def test_outputs_are_equal_where_the_rule_says_so(
    test: Test, comparison: NamedComparison, alike: list[str], other: str
) -> None:
    assert len(outputs(test, comparison, *alike)) == 1
    assert len(outputs(test, comparison, *alike, other)) == 2


def test_failures_are_none_and_accepted_by_chance_counts_as_output() -> None:
    verdict = Verdict(
        Status.RE,
        (
            TestResult(Status.AC, actual=""),
            TestResult(Status.RE, actual="1"),
            TestResult(Status.TLE, actual="1"),
            TestResult(Status.WA, actual="1", error_type="EncodingError"),
        ),
    )
    assert behaviour_of(verdict, [STDIN] * 4, "exact") == ("", None, None, None)
    assert behaviour_of(Verdict(Status.CE, ()), [STDIN] * 2, "exact") == (None, None)


def test_the_judges_own_fault_is_no_behaviour() -> None:
    with pytest.raises(SandboxUnavailable):
        behaviour_of(Verdict(Status.IE, (TestResult(Status.IE),)), [STDIN], "exact")


def test_inputs_on_which_all_fail_are_dropped() -> None:
    assert informative({1: ("a", None, None), 2: (None, None, "b")}) == {1: ("a", None), 2: (None, "b")}
    assert informative({}) == {}
