"""What is read from pasted statements, and what is left out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statement_corpus import CASES

from mars2.core.problem import Checker
from mars2.problems.statement import read_statement


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
