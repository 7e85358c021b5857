"""Inputs made from public tests: well-formed, new, the same for the same seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.core.problem import AssertTest, CallTest, StdioTest, Test
from mars2.search.generated_inputs import calls_in, generate_inputs

NUM = 60


def texts(*public: str, seed: int = 0) -> list[str]:
    made = generate_inputs([StdioTest(text, "") for text in public], NUM, np.random.default_rng(seed))
    assert made
    return [test.input for test in made if isinstance(test, StdioTest)]


def arguments(*public: tuple[Any, ...], seed: int = 0) -> list[tuple[Any, ...]]:
    made = generate_inputs([CallTest("f", args, 0) for args in public], NUM, np.random.default_rng(seed))
    assert made
    return [test.args for test in made if isinstance(test, CallTest)]


def table(text: str) -> list[list[int]]:
    return [[int(token) for token in line.split()] for line in text.strip().split("\n")]


def counted_list(text: str) -> bool:
    (n,), values = table(text)
    return n == len(values)


def two_counts(text: str) -> bool:
    (n, m), first, second = table(text)
    return n == len(first) and m == len(second)


def edges(text: str) -> bool:
    (n, m), *pairs = table(text)
    return m == len(pairs) and all(len(pair) == 2 and all(1 <= v <= n for v in pair) for pair in pairs)


def matrix(text: str) -> bool:
    (n, m), *rows = table(text)
    return n == len(rows) and all(len(row) == m for row in rows)


def square(text: str) -> bool:
    (n,), *rows = table(text)
    return n == len(rows) and all(len(row) == n for row in rows)


def cases(text: str) -> bool:
    (number,), *lines = table(text)
    return len(lines) == 2 * number and all(
        head[0] == len(values) for head, values in zip(lines[::2], lines[1::2], strict=True)
    )


def ragged_cases(text: str) -> bool:
    (number,), *lines = table(text)
    for _ in range(number):
        size = lines[0][1]
        if not all(len(row) == 1 for row in lines[1 : 1 + size]):
            return False
        lines = lines[1 + size :]
    return not lines


def list_and_queries(text: str) -> bool:
    (n,), values, (q,), *queries = table(text)
    return n == len(values) and q == len(queries) and all(1 <= v <= n for query in queries for v in query)


def grid(text: str) -> bool:
    head, *rows = text.split("\n")[:-1]
    n, m = map(int, head.split())
    return n == len(rows) and all(len(row) == m and set(row) <= set(".#") for row in rows)


def counted_word(text: str) -> bool:
    n, word = text.split()
    return int(n) == len(word) and set(word) <= set("abc")


def permutation(text: str) -> bool:
    (n,), values = table(text)
    return sorted(values) == list(range(1, n + 1))


def json_lines(text: str) -> bool:
    first, second = (json.loads(line) for line in text.strip().split("\n"))
    return all(isinstance(item, int) for item in first) and isinstance(second, int)


@pytest.mark.parametrize(
    ("public", "is_valid"),
    [
        (["3\n1 2 3\n", "5\n5 1 4 2 9\n"], counted_list),
        (["4\n10 -2 3 7\n"], counted_list),
        (["3 2\n7 8 9\n4 4\n", "1 4\n7\n1 2 3 3\n"], two_counts),
        (["3 2\n1 2\n2 3\n", "5 4\n1 2\n1 5\n1 4\n3 2\n"], edges),
        (["2 3\n1 2 3\n4 5 6\n", "3 1\n1\n4\n7\n"], matrix),
        (["2\n1 2\n3 4\n", "3\n1 2 3\n4 5 6\n7 8 9\n"], square),
        (["2\n3\n1 2 3\n2\n5 6\n", "1\n4\n1 2 3 9\n"], cases),
        (["3\n3\n1 2 3\n2\n5 6\n1\n1\n"], cases),
        (["2\n9 2\n1\n4\n7 1\n6\n", "3\n5 1\n8\n6 3\n5\n3\n1\n2 1\n7\n"], ragged_cases),
        (["5\n2 3 1 5 4\n2\n1 3\n2 5\n", "3\n2 2 1\n1\n1 3\n"], list_and_queries),
        (["2 3\n..#\n#..\n", "1 2\n.#\n"], grid),
        (["3\nabc\n", "5\ncabca\n"], counted_word),
        (["4\n3 1 2 4\n", "5\n5 1 4 2 3\n"], permutation),
        (["[1, 2, 3]\n4\n", "[5]\n2\n"], json_lines),
    ],
)
def test_stdin_inputs_keep_the_shape_of_the_public_ones(public: list[str], is_valid: Callable[[str], bool]) -> None:
    made = [*texts(*public), *texts(*public, seed=1)]
    assert [text for text in made if not is_valid(text)] == []
    assert len(set(map(len, made))) > 2  # sizes change
    assert len(set(made)) > 15


def test_arguments_keep_what_the_public_ones_have_in_common() -> None:
    made = arguments(([3, 1, 2], 3, 2), ([1, 5], 2, 1), ([9], 1, 1))
    assert all(n == len(items) and 0 <= k <= n and all(i >= 1 for i in items) for items, n, k in made)
    assert len({len(items) for items, _, _ in made}) > 2
    assert all(sorted(items) == items for (items,) in arguments(([1, 2, 2, 5],), ([3, 4, 8, 9],)))
    assert not all(sorted(items) == items for (items,) in arguments(([1, 2, 3],), ([2, 7],)))  # sorted by chance
    assert all(len(set(items)) == len(items) for (items,) in arguments(([7, 2, 5, 1, 3],), ([3, 1, 6, 4, 2, 5],)))
    assert not all(len(set(items)) == len(items) for (items,) in arguments(([70, 2, 51],), ([3, 1],)))
    assert all(len({len(row) for row in rows}) == 1 for (rows,) in arguments(([[1, 2]],), ([[3, 1, 1], [2, 2, 2]],)))
    assert all(len(a) == len(b) for a, b in arguments(([1, 2], [5, 5]), ([3], [4]), ([1, 1, 1], [6, 5, 4])))
    assert all(len(pair) == 2 for (pairs,) in arguments(([(1, 2), (3, 4)],), ([(1, 9)],)) for pair in pairs)
    assert all(set(text) <= set("01") and text for (text,) in arguments(("0110",), ("1",)))
    assert {mode for mode, _ in arguments(("up", 1), ("down", 2), ("up", 3), ("down", 4))} == {"up", "down"}
    assert {type(flag) for flag, _ in arguments((True, 1.5), (False, 2.25))} == {bool}


def test_calls_are_read_out_of_assertions() -> None:
    check = "def check(candidate):\n    assert candidate([1], 2) == 3\n    assert abs(candidate([], 1) - 2) < 1e-6\n"
    assert calls_in([AssertTest(check)], "add") == [CallTest("add", ([1], 2), None), CallTest("add", ([], 1), None)]
    assert calls_in([AssertTest("assert g('a') == 'b'\nassert not g('c')")]) == [
        CallTest("g", ("a",), None),
        CallTest("g", ("c",), None),
    ]
    assert calls_in([AssertTest("assert set(f(1)) == {1}\nassert f(x) == g(2)")], "f") == [CallTest("f", (1,), None)]
    assert calls_in([AssertTest("assert abs(-1) == 1 and len('a') == 1")]) == []
    assert calls_in([AssertTest("assert ((")]) == []
    made = generate_inputs([AssertTest(check)], 5, np.random.default_rng(0), entry_point="add")
    assert {test.function for test in made if isinstance(test, CallTest)} == {"add"}


def test_inputs_are_new_distinct_and_a_function_of_the_seed() -> None:
    public = [StdioTest("2\n1 2\n", ""), CallTest("f", ([1, 2],), 1)]
    first, again, other = (generate_inputs(public, 30, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first == again != other
    assert len(set(map(repr, first))) == len(first) == 30
    assert not set(map(repr, first)) & {repr(StdioTest("2\n1 2\n", "")), repr(CallTest("f", ([1, 2],), None))}


def test_nothing_to_learn_from_gives_no_inputs() -> None:
    rng = np.random.default_rng(0)
    assert generate_inputs([], 4, rng) == ()
    assert generate_inputs([CallTest("f", (), 1), StdioTest("", "1"), AssertTest("assert f(g())")], 4, rng) == ()
    assert generate_inputs([StdioTest("x " * 10**6, ""), CallTest("f", ([0] * 10**6,), 1)], 4, rng) == ()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(st.integers() | st.text(), max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=15,
)
LINES = st.lists(st.lists(st.integers(0, 6) | st.sampled_from(["a", "1.5", "-3", "007", "#.#", "[1]"]), max_size=5))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(VALUES, max_size=3).map(tuple), min_size=1, max_size=4), st.integers(0, 9))
def test_any_call_tests_give_tests_of_the_same_types(public: list[tuple[Any, ...]], seed: int) -> None:
    made = generate_inputs([CallTest("f", args, None) for args in public], 5, np.random.default_rng(seed))
    types = {tuple(map(type, args)) for args in public}
    for test in made:
        assert isinstance(test, CallTest)
        assert tuple(map(type, test.args)) in types


@settings(max_examples=80, deadline=None)
@given(st.lists(LINES | st.text(), min_size=1, max_size=4), st.integers(0, 9))
def test_any_stdin_tests_give_text(public: list[Any], seed: int) -> None:
    inputs = [p if isinstance(p, str) else "\n".join(" ".join(map(str, line)) for line in p) for p in public]
    tests: list[Test] = [StdioTest(text, "") for text in inputs]
    made = generate_inputs(tests, 5, np.random.default_rng(seed))
    assert made == generate_inputs(tests, 5, np.random.default_rng(seed))
    assert all(isinstance(test, StdioTest) and test.input for test in made)
