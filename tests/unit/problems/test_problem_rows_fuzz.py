"""Whatever a row holds, a benchmark's loader makes a problem of it or says why not; it never crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.problems.resolve import FORMATS
from mars2.problems.schema import problem_from_data, problem_to_data

FIELDS = [
    *(
        "task_id",
        "prompt",
        "entry_point",
        "test",
        "text",
        "code",
        "test_list",
        "test_setup_code",
        "challenge_test_list",
    ),
    *("question_id", "question_content", "contest_date", "starter_code", "metadata", "public_test_cases"),
    *("private_test_cases", "problem", "tests", "question", "input_output", "description", "public_tests"),
    *("private_tests", "generated_tests", "time_limit", "memory_limit", "memory_limit_bytes"),
]
KEYS = st.sampled_from(
    ["input", "output", "inputs", "outputs", "fn_name", "testtype", "type", "func_name", "metadata", "seconds"]
)
WORDS = st.sampled_from(
    ["functional", "function_call", "stdin", "f", "1", "", "[1]", "2024-01-01", "def f(x):\n    pass\n"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
CELLS = JSON | JSON.map(json.dumps)
VALID = {
    "task_id": "X/1",
    "prompt": 'def f(x):\n    """f(1) == 2"""\n',
    "entry_point": "f",
    "test": "def check(c): pass",
    "test_list": ["assert f(1) == 2"],
    "contest_date": "2024-01-01",
} | dict.fromkeys(["text", "question_content", "problem", "question", "description"], "Statement.")


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), CELLS, max_size=6))
def test_rows_never_crash_a_loader(name: str, changes: dict[str, Any]) -> None:
    loaded = FORMATS[name].load("here", [{**VALID, **changes}])
    assert len(loaded.problems) + len(loaded.dropped) == 1
    for problem in loaded.problems:
        assert problem.public_tests or problem.hidden_tests
        problem_from_data(json.loads(json.dumps(problem_to_data(problem))), "here")


def test_a_row_without_an_id_is_dropped() -> None:
    loaded = FORMATS["humaneval"].load("here", [{**VALID, "task_id": ""}])
    assert [dropped.reason for dropped in loaded.dropped] == ["no id"]
