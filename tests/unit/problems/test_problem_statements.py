"""What is read from pasted statements, and what is left out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statement_corpus import CASES

from mars2.core.problem import Checker
from mars2.problems.demands import demands_of
from mars2.problems.statement import read_statement

SEVERAL_ANSWERS = (
    "If there are multiple answers, print any of them.",
    "If there are several solutions, output any.",
    "any valid answer will be accepted",
    "If the answer is not unique, print any.",
    '"aba" is also a valid answer.',
    "Return any such array.",
    "There may be multiple solutions.",
    "If multiple answers exist, return any.",
    'Explanation: "aba" is also correct',
    "[1,2] is also accepted",
    "One possible answer is [0,1]",
    "Another valid answer is [5], and it's also accepted",
    "If there are many ways, print any",
    "If multiple valid answers exist, you may output any",
    "If there is more than one such subset, return any of them.",
    "Any of the correct answers is accepted",
    "return the index to any of the peaks",
    "If there exist multiple answers, you may print any of them.",
    "you can output any of them",
    "If there is more than one solution, return any.",
    "If there are multiple such strings, print any",
)
ONE_ANSWER = (
    "It is also possible to move left.",
    "An empty string is also a valid password.",
    "Given several strings, find whether any of them is a palindrome.",
    "There can be several strings in the input.",
    "One possible way to do it is: 1, 2.",
    "Find any integer n such that",
    "n is any integer",
    "There are multiple test cases.",
    "Print any remaining digits",
    "It is guaranteed that there are many different solutions",
    "Does any valid string exist? Print YES or NO",
    "You may assume exactly one solution",
    "Return the number of ways. There are many ways.",
)


@pytest.mark.parametrize("sentence", [*SEVERAL_ANSWERS, *ONE_ANSWER])
def test_a_sentence_that_accepts_several_answers_is_told_from_others(sentence: str) -> None:
    assert demands_of(sentence).many_answers is (sentence in SEVERAL_ANSWERS)


@pytest.mark.parametrize("name", CASES)
def test_pasted_statements_are_read_rightly_or_not_at_all(name: str) -> None:
    case = CASES[name]
    found = read_statement(case.text)
    assert (found.kind, found.entry_point) == (case.kind, case.entry_point)
    assert found.tests == case.tests
    if found.tests:
        assert ("checker" if isinstance(found.comparison, Checker) else found.comparison) == case.comparison
    assert case.why in " ".join(left.why for left in found.left_out)


@pytest.mark.parametrize("name", CASES)
def test_reading_takes_time_linear_in_the_length(name: str) -> None:
    """150,000 characters take a tenth of a second on an idle core."""
    text = (CASES[name].text + "\n") * (150_000 // len(CASES[name].text) + 1)
    started_s = time.process_time()
    read_statement(text[:150_000])
    assert time.process_time() - started_s < 0.6


@given(
    name=st.sampled_from(sorted(CASES)),
    other=st.sampled_from(sorted(CASES)),
    cut=st.integers(0, 400),
    at=st.integers(0, 400),
    noise=st.text(max_size=30),
)
def test_no_statement_however_it_is_cut_and_mixed_raises(name: str, other: str, cut: int, at: int, noise: str) -> None:
    first, second = CASES[name].text, CASES[other].text
    found = read_statement(first[:cut] + noise + second[at:])
    found.to_dict()
    read_statement(second[at:] + noise + first[:cut], "Solution.f")
