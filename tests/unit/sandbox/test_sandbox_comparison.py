"""Comparison of outputs and values: the rules by example, and safety for any bytes."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.problem import NamedComparison
from mars2.sandbox.worker.supervisor.comparison import RULES, outputs_equal, values_equal
from mars2.sandbox.worker.supervisor.showing import brief, shorten

NAMES = get_args(NamedComparison)


def test_every_rule_says_whose_it_is() -> None:
    assert tuple(RULES) == NAMES
    for name in set(NAMES) - {"exact", "tolerant", "tokens", "unordered", "apps_wrapped"}:
        assert ".py" in RULES[name] or ".cc" in RULES[name]


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        ("3\n", "3", True),
        ("  3 \n\n", "3", True),
        ("1 2\n3\n", "1 2\n3", True),
        ("1  2", "1 2", True),
        ("1\n2", "1 2", False),  # lines count
        ("1\n\n2", "1\n2", False),
        ("0.50", "0.5", True),
        ("1e0", "1", True),
        ("1.0 x", "1 x", True),
        ("0.3333333", "0.33333333", False),  # no tolerance
        ("NaN", "NaN", True),  # the same text
        ("NaN", "nan", False),
        ("sNaN", "nan", False),
        ("inf", "Infinity", True),
        ("1_000", "1000", False),
        ("١", "1", False),
        ("YES", "yes", False),
        ("", "", True),
        ("", "0", False),
        ("1e999999999999999999", "2e999999999999999999", False),
        ("1e999999999", "1", False),
    ],
)
def test_the_exact_rule(actual: str, expected: str, equal: bool) -> None:
    assert outputs_equal(actual, expected, "exact") is equal


@pytest.mark.parametrize(
    ("actual", "expected", "comparison", "equal"),
    [
        ("0.3333333", "0.33333335", "tolerant", True),
        ("1000000.5", "1000000.9", "tolerant", True),  # relative
        ("1000000", "1000002", "tolerant", False),
        ("0.1 a", "0.1000001 a", "tolerant", True),
        ("0.000001", "0.0", "tolerant", True),
        ("0.0000011", "0.0", "tolerant", False),
        ("0.1 a", "0.1 b", "tolerant", False),
        ("inf", "1", "tolerant", False),
        ("1", "inf", "tolerant", False),
        ("1 2\n3", "1\n2 3", "tokens", True),
        ("1 2 3", "1 2", "tokens", False),
        ("b\na", "a\nb", "unordered", True),
        ("a\na\nb", "a\nb\nb", "unordered", False),
    ],
)
def test_other_rules(actual: str, expected: str, comparison: str, equal: bool) -> None:
    assert outputs_equal(actual, expected, comparison) is equal


BIG = "1" + "0" * 400


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        ("1000001", "1000000", False),  # 1e-6 of it, yet another integer
        ("1000001.0", "1000000", False),
        ("1000001", "1000000.0", False),
        ("1000000.0", "1000000", True),
        ("1e6", "1000000", True),
        ("1000000.4", "1000000", False),  # 4e-7 of it
        ("1000000.000009", "1000000", True),
        ("2.9999999", "3", True),
        ("-0.0", "0", True),
        ("1000000.0", "1000001.0", True),  # both are fractions by their form
        ("inf", BIG, False),
        ("9" * 310, BIG, False),
        (BIG[:-1] + "1", BIG, False),
        ("+0" + BIG, BIG, True),
        ("1e400", BIG, True),
        ("1.0000001e400", BIG, False),
        (BIG + ".5", BIG + ".25", True),
        ("inf", "inf", True),
        ("-inf", "inf", False),
        ("nan", "nan", True),
        ("nan", "1", False),
        ("1e999999999999999999", "2e999999999999999999", False),
        ("1e-999999999999999999", "0.0", True),
    ],
)
def test_a_tolerance_blurs_no_integers(actual: str, expected: str, equal: bool) -> None:
    assert outputs_equal(actual, expected, "tolerant") is equal
    assert outputs_equal(actual, expected, "apps") is equal  # its tolerance is wider, and the same holds


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        (" 1 2 \n3\n\n", "1 2\n3", True),
        ("1\n\n2", "1\n2", False),  # blank lines inside count
        ("a  b", "a b", False),  # text is compared as lines
        ("1   2.0", "1 2", True),  # lines of numbers are compared number by number
        ("1.0 x", "1 x", False),  # one token is not a number
        ("1_000 ١", "1000 1", True),  # `Decimal` reads these
        ("nan 1", "nan 1.0", False),  # no NaN equals another
        ("sNaN", "1", False),
        ("Inf", "Infinity", True),
        ("Yes", "YES", False),
        ("9007199254740993", "9007199254740992", False),
        ("3.141592654", "3.141592653589793", True),  # differs from the official rule: AtCoder's tolerance
        ("3.14160", "3.141592653589793", False),
    ],
)
def test_the_rule_of_livecodebench(actual: str, expected: str, equal: bool) -> None:
    assert outputs_equal(actual, expected, "livecodebench") is equal


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        ("a\nb\n", "a\n\nb\n", True),
        ("\n\na \n b\n", "a\nb", True),
        ("1   2", "1 2", True),
        ("12.56637061", "12.566370614359172", True),
        ("0.333333 x", "0.33333333 x", True),
        ("0.333", "0.33333333", False),  # the official script rounds to three decimals
        ("3.0", "3", True),
        ("Yes", "YES", False),
        ("YES", "NO", False),  # rllm's copy for TACO takes any two words for equal
        ("3 2 1", "1 2 3", False),  # the official script compares sets
        ("1\n1", "1", False),
        ("2\n1", "1\n2", False),
        ("1 2\n3", "1\n2 3", False),
        ("", "\n", True),
        ("", "0", False),
    ],
)
@pytest.mark.parametrize("rule", ["apps", "apps_wrapped"])
def test_the_rule_of_apps(actual: str, expected: str, equal: bool, rule: str) -> None:
    assert outputs_equal(actual, expected, rule) is equal


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        ("Yes", "YES", True),
        ("É", "é", False),  # ASCII letters only
        ("1 2\n3", "1\n2\t3\v", True),
        ("0.500003", "0.5", True),
        ("0.500015", "0.5", False),
        ("0.00001", "0.0", False),  # less than 1e-5, not as much
        ("1000000.5", "1000000.6", False),  # absolute, not relative
        ("3", "3.000001", True),
        ("3.0", "3", True),
        ("1e3", "1000", True),
        ("12", "13", False),
        ("9007199254740993", "9007199254740992", False),  # differs: equal as doubles
        ("1_000", "1000", False),
        ("INF", "inf", True),
        ("nan", "NaN", True),
        ("1 2", "1", False),
        ("a\fb", "a b", False),  # a form feed separates nothing
    ],
)
def test_the_rule_of_codecontests(actual: str, expected: str, equal: bool) -> None:
    assert outputs_equal(actual, expected, "codecontests") is equal


@pytest.mark.parametrize(
    ("actual", "expected", "rule", "equal"),
    [
        ((1, 2), [1, 2], "livecodebench", True),
        ([(1, 2)], [[1, 2]], "livecodebench", False),
        (1.6666666666666667, 1.66667, "livecodebench", True),  # differs from the official rule: LeetCode's tolerance
        ([1.6666666666666667], [1.66667], "livecodebench", True),
        (1.667, 1.66667, "livecodebench", False),
        (3.0, 3, "livecodebench", True),
        (True, 1, "livecodebench", True),
        ("1.0", 1, "livecodebench", False),
        (10**15 + 1, 10**15, "livecodebench", False),
        (1e15 + 1, 10**15, "livecodebench", False),
        ([(1, 2), (2, 3)], [[1, 2], [2, 3]], "apps", True),
        (1.6666666666666665, 1.6666666666666667, "apps", True),
        (1000001, 1000000, "apps", False),
        ([[1, 2]], [1, 2], "apps", False),
        ([[1, 2]], [1, 2], "apps_wrapped", True),
        ([1, 2], [1, 2], "apps_wrapped", True),
        (([1, 2],), [1, 2], "apps_wrapped", True),
        ([[[1, 2]]], [1, 2], "apps_wrapped", False),
        ([2], 2, "apps_wrapped", True),
        ([[(1, 2)]], [[1, 2]], "apps_wrapped", True),
        ([2, 2], 2, "apps_wrapped", False),
        ([None], None, "apps_wrapped", True),
        ({1: "a"}, {"1": "a"}, "apps", True),  # JSON has no other keys
        ({"1": "a"}, {1: "a"}, "apps", True),
        ({"1": "a"}, {1: "a"}, "livecodebench", False),
        ({10**19: 1}, {"1" + "0" * 19: 1}, "apps", True),
        ({10**20: 1}, {"1" + "0" * 20: 1}, "apps", False),
        ({"a": {"1": [2]}}, {"a": {1: [2.0000001]}}, "apps", True),
        ({"1": 1, "2": 2}, {1: 1}, "apps", False),
        ({"b": 1}, {"a": 1}, "apps", False),
        (1000001, 1000000, "tolerant", False),
        (1000001.0, 1000000, "tolerant", False),
        (1000001, 1000000.0, "tolerant", False),
        (1000000.4, 1000000, "tolerant", False),
        (2.9999999, 3, "tolerant", True),
        (float("inf"), 10**400, "tolerant", False),
        (float("nan"), 1.0, "tolerant", False),
        (float("inf"), float("inf"), "tolerant", True),
        (-0.0, 0, "tolerant", True),
    ],
)
def test_values_under_the_rules_of_sources(actual: Any, expected: Any, rule: str, equal: bool) -> None:
    assert values_equal(actual, expected, rule) is equal


@pytest.mark.parametrize(
    ("actual", "expected", "comparison", "equal"),
    [
        ((1, 2), [1, 2], "exact", True),  # a tuple counts as a list at the top level …
        ([(1, 2)], [[1, 2]], "exact", True),
        ({"x": (1, 2)}, {"x": [1, 2]}, "exact", True),
        (((1, 2), (3, 4)), [[3, 4], [1, 2]], "unordered", True),
        ([(1, 2)], [[1, 2.0000001]], "tolerant", True),
        ([[1, 2]], [(1, 2)], "exact", False),
        ([(1, 2), [3]], [(1, 2), (3,)], "exact", False),
        ([(1, 2)], [[1, 2]], "livecodebench", False),  # … only
        (1, True, "exact", True),  # as Python's ==
        (1.0, 1, "exact", True),
        (float("nan"), float("nan"), "exact", False),
        (0.1 + 0.2, 0.3, "exact", False),
        (0.1 + 0.2, 0.3, "tolerant", True),
        ({"a": [0.1 + 0.2]}, {"a": [0.3]}, "tolerant", True),
        ([3, 1, 2], [1, 2, 3], "unordered", True),
        ([[1], [2], [2]], [[2], [1], [1]], "unordered", False),
        ([{"a": [1]}, {2}], [{2}, {"a": [1]}], "unordered", True),
        (10**400, 1.0, "tolerant", False),
        (Fraction(1, 2), 0.5, "exact", True),
        (Decimal("1e999999999"), 1, "exact", False),
        (Decimal("sNaN"), 1, "exact", False),
    ],
)
def test_values(actual: Any, expected: Any, comparison: str, equal: bool) -> None:
    assert values_equal(actual, expected, comparison) is equal


@given(st.text(), st.text(), st.sampled_from(NAMES))
def test_any_text_compares_without_an_exception(actual: str, expected: str, comparison: str) -> None:
    assert outputs_equal(actual, actual, comparison)
    assert isinstance(outputs_equal(actual, expected, comparison), bool)


@given(st.lists(st.integers() | st.floats(allow_nan=False), max_size=8))
def test_unordered_ignores_order(items: list[Any]) -> None:
    assert values_equal(items[::-1], items, "unordered")


def test_hostile_sizes_stay_quick() -> None:
    start = time.process_time()
    assert not outputs_equal("9" * 2_000_000, "1", "exact")
    assert not outputs_equal("1 " * 500_000, "1", "tokens")
    for rule in NAMES:
        assert not outputs_equal("9" * 2_000_000, "1.5", rule)
        assert not outputs_equal("1e999999999", "1.5", rule)
        assert not outputs_equal("1e-999999999", "1.5", rule)
    assert not values_equal([i * (2**61 - 1) for i in range(50_000)], [1], "unordered")
    assert time.process_time() - start < 5


def test_brief_is_bounded_and_safe() -> None:
    assert brief([1, (2,), {"a": {3}}], 100) == "[1, (2,), {'a': {3}}]"
    assert len(brief(["x" * 1000] * 1000, 200)) < 400
    assert brief(1 << 100_000, 100) == "<integer of 100001 bits>"
    nested: list[Any] = []
    for _ in range(150):
        nested = [nested]
    assert len(brief(nested, 1000)) < 1100


def test_shorten_keeps_head_and_tail() -> None:
    assert shorten("abc", 3) == "abc"
    text = shorten("a" * 50 + "b" * 50, 20)
    assert text.startswith("a" * 10)
    assert text.endswith("b" * 10)
    assert "80 characters left out" in text


_COLLIDING_PAIRS = """
def f():
    # keys and items whose pairs have one hash: the last step of a tuple's hash, run backwards
    M, P1, P2, P5 = 2**64 - 1, 11400714785074694791, 14029467366897019727, 2870177450012600261
    inverse, pairs, key = pow(P2, -1, 2**64), {}, 1
    while len(pairs) < 20_000:
        lane = (P5 + key * P2) & M
        item = (12345678901234567 - ((lane << 31 | lane >> 33) & M) * P1) * inverse & M
        item -= (item >= 2**63) * 2**64
        if abs(item) < 2**61 - 1 and item != -1:
            pairs[key] = item
        key += 1
    return [pairs]
"""


def test_pairs_that_collide_take_no_quadratic_time() -> None:
    made: dict[str, object] = {}
    exec(_COLLIDING_PAIRS, made)
    value = made["f"]()  # type: ignore[operator]
    pairs = [*value[0].items()]
    assert len({*map(hash, pairs[:100])}) == 1
    start = time.process_time()
    assert not values_equal(value, [1], "unordered")
    assert time.process_time() - start < 2


def test_many_equal_elements_are_no_collision() -> None:
    assert values_equal([0] * 100, [0] * 100, "unordered")
    assert values_equal([0, 1] * 100, [1] * 100 + [0] * 100, "unordered")
    assert not values_equal([0] * 101 + [1] * 99, [0, 1] * 100, "unordered")
