"""The same public tests and seed give the same inputs from one version to the next: they decide which answer is chosen.

Where they are meant to change, so do figures of evaluations; say so in the changelog and record them again:

    python tests/unit/search/test_recorded_inputs.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mars2.core.problem import CallTest, StdioTest
from mars2.search.generated_inputs import generate_inputs

RECORDED = Path(__file__).with_name("recorded_inputs.json")
NUM = 40

CALLS: dict[str, list[tuple[Any, ...]]] = {
    "integers": [(1, 10), (7, 3), (0, -2), (100, 5)],
    "an integer that is never negative": [(1,), (5,), (12,), (1000,), (3,)],
    "floats and flags": [(0.5, True), (2.25, False), (-1.0, True)],
    "text": [("hello world",), ("Abc",), ("zz top 42",), ("a",)],
    "letters of few kinds": [("abba",), ("ab",), ("bbab",), ("a",)],
    "brackets": [("(())",), ("()()",), ("(",), ("())(",)],
    "names": [("red", 1), ("blue", 2), ("red", 3), ("blue", 4), ("red", 5), ("blue", 6)],
    "lists": [([3, 1, 2],), ([5],), ([9, 9, 9, 1],), ([],)],
    "ascending lists": [([1, 2, 5, 9, 12],), ([0, 4, 8, 10],), ([3, 7, 11, 20, 21],)],
    "permutations": [([1, 3, 2, 4, 5],), ([2, 1, 5, 4, 3],), ([4, 2, 3, 1],), ([1, 2, 3, 6, 5, 4],)],
    "distinct values": [([3, 1, 2, 9, 11],), ([5, 6, 1, 40, 2],), ([9, 8, 7, 1, 0, 3],)],
    "a list and its length": [([4, 2, 8], 3), ([1], 1), ([7, 7, 7, 7], 4), ([], 0)],
    "a list and a place in it": [([4, 2, 8], 1), ([1], 0), ([7, 6, 5, 7], 3)],
    "lists of one length": [([1, 2, 3], [4, 5, 6]), ([1], [2]), ([0, 9], [8, 8])],
    "matrices": [([[1, 2], [3, 4]],), ([[0]],), ([[1, 2, 3], [4, 5, 6], [7, 8, 9]],)],
    "wide matrices": [([[1, 2, 3], [3, 4, 5]],), ([[0, 1]],), ([[1, 2, 3, 4]],)],
    "ragged lists": [([[1], [2, 3]],), ([[], [4, 5, 6]],), ([[7]],)],
    "words": [(["aa", "b"],), (["cat", "dog", "cow"],), ([],)],
    "pairs": [([(1, "x"), (2, "y")],), ([(5, "z")],), ([(3, "xy"), (4, "w"), (9, "q")],)],
    "sets and tables": [({1, 2, 3}, {"a": 1}), ({5}, {"b": 2, "c": 3}), ({7, 8}, {})],
    "nothing or something": [(None, 1), ([1, 2], 2), (None, 3)],
    "large numbers": [(10**9, 10**18), (10**8, 3), (999_999_937, 10**12)],
}
TEXTS: dict[str, list[str]] = {
    "a number": ["5\n", "12\n", "1\n"],
    "two numbers": ["1 2\n", "30 4\n", "7 7\n"],
    "a counted list": ["3\n1 2 3\n", "1\n5\n", "5\n9 8 7 6 5\n"],
    "a counted permutation": ["4\n2 1 4 3\n", "5\n5 4 3 2 1\n", "6\n1 2 3 6 5 4\n"],
    "a counted word": ["3\nabc\n", "5\nzebra\n", "1\nq\n"],
    "bits": ["4\n0101\n", "3\n111\n", "6\n000110\n"],
    "edges": ["3 2\n1 2\n2 3\n", "4 3\n1 2\n1 3\n1 4\n", "2 1\n1 2\n"],
    "a matrix": ["2 3\n1 2 3\n4 5 6\n", "1 1\n7\n", "3 2\n1 2\n3 4\n5 6\n"],
    "a square": ["2\n1 2\n3 4\n", "3\n1 2 3\n4 5 6\n7 8 9\n", "1\n5\n"],
    "a grid": ["2 3\n.#.\n##.\n", "1 2\n..\n", "3 3\n#.#\n.#.\n#.#\n"],
    "cases of one line": ["2\n1 2\n3 4\n", "3\n5 6\n7 8\n9 1\n", "1\n4 4\n"],
    "cases of two lines": ["2\n3\n1 2 3\n1\n5\n", "1\n2\n9 9\n", "3\n1\n1\n2\n2 2\n3\n3 3 3\n"],
    "cases that differ": ["2\n1 3\n2 1 1 1\n", "1\n2\n", "2\n2 5\n9 8 7 6 5\n4 4\n1 2 3 4\n"],
    "commands": ["3\npush 1\npush 2\npop\n", "1\npush 9\n", "4\npush 3\npop\npush 4\npush 5\n"],
    "decimals": ["0.5 2.25\n", "1.0 3.75\n", "10.5 0.125\n"],
    "sentences": ["the cat sat\n", "a dog\n", "one two three four\n"],
    "no lines that fit": ["1\nx y\n", "hello\n", "3 4 5\n\n6\n"],
}


def made(name: str) -> list[str]:
    rng = np.random.default_rng([7, len(name)])
    if name in CALLS:
        calls = generate_inputs([CallTest("f", args, None) for args in CALLS[name]], NUM, rng)
        return [_stable(test.args) for test in calls if isinstance(test, CallTest)]
    return [t.input for t in generate_inputs([StdioTest(text, "") for text in TEXTS[name]], NUM, rng)]  # type: ignore[union-attr]


def _stable(value: object) -> str:
    """`repr`, with the items of sets in order."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_stable, value))) + "}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__}({', '.join(map(_stable, value))})"
    return repr(value)


@pytest.mark.parametrize("name", [*CALLS, *TEXTS])
def test_inputs_are_those_that_were_recorded(name: str) -> None:
    assert made(name) == json.loads(RECORDED.read_text(encoding="utf-8"))[name]


if __name__ == "__main__":
    inputs = {name: made(name) for name in (*CALLS, *TEXTS)}
    RECORDED.write_text(json.dumps(inputs, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
