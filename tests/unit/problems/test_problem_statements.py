"""What is read from pasted statements, and what is left out."""

from __future__ import annotations

import pytest
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
