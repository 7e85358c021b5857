"""Tests read from the examples of a plain statement."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.problem import CallTest, StdioTest
from mars2.problems.examples import MAX_TESTS
from mars2.problems.statement import read_statement

HUMANEVAL = '''from typing import List


def add(a: int, b: int) -> int:
    """Add two numbers.
    >>> add(2, 3)
    5
    """
'''


def test_a_function_stub_gives_its_name_its_code_and_its_doctests() -> None:
    found = read_statement(HUMANEVAL)
    assert (found.entry_point, found.tests) == ("add", (CallTest("add", (2, 3), 5),))
    assert found.starter_code.startswith("from typing import List")


def test_a_stub_in_a_fence_is_found_among_prose() -> None:
    text = f"Please complete this:\n```python\n{HUMANEVAL}```\nThanks. Note add(1, 1) == 2."
    found = read_statement(text)
    assert found.entry_point == "add"
    assert found.starter_code.rstrip() == HUMANEVAL.rstrip()
    assert CallTest("add", (2, 3), 5) in found.tests


def test_samples_become_stdio_tests() -> None:
    text = """Print the sum.

Input
The first line has n.

Output
One number.

Sample Input 1
```
2
1 2
```
Sample Output 1
```
3
```

**Example input:**
1
7

**Example output:**
7

That is all.
"""
    found = read_statement(text)
    assert found.entry_point is None
    assert StdioTest("2\n1 2\n", "3\n") in found.tests
    assert StdioTest("1\n7\n", "7\n") in found.tests


def test_prose_has_no_tests() -> None:
    assert read_statement("Write a parser. Input is text. Output is a tree.").tests == ()


@given(st.text(alphabet="Sample Input\nOutput: 12`>def f(x):\t\"'*#", max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    read_statement(text)
    read_statement(text, "f")


CODEFORCES = """Divide w kilos into two even parts.

Input
The first (and the only) input line contains integer number w (1 ≤ w ≤ 100).

Output
Print YES, or NO in the opposite case.

Examples
Input
8
Output
YES
Note
For example, the boy and his friend may divide it.
"""
TACO = """Given n numbers.

-----Input-----

First line n.

-----Output-----

The sum.

-----Examples-----
Input
3
1 2 3

Output
6

Input
1
5

Output
5

-----Note-----

Nothing.
"""
ATCODER = """Constraints

Input

The input is given from Standard Input in the following format:

N

Output

Print the answer.

Sample Input 1

2

ab

Sample Output 1

ok

Two is even, so the answer is ok.

Sample Input 2

4

Sample Output 2

no
"""
LEETCODE = """Given an array of integers nums and an integer target, return indices.

Example 1:

Input: nums = [2,7,11,15], target = 9
Output: [0,1]
Explanation: Because nums[0] + nums[1] == 9, we return [0, 1].

Example 2:

Input: nums = [3,2,4], target = 6
Output: [1,2]

class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
"""
INLINE = "Print the double.\n\nExample:\nInput: 4\nOutput: 8\nExplanation: 4 + 4\n"
BOLD = "Print the sum.\n\n**Input:**\n```\n1 2\n\n3\n```\n**Output:**\n```text\n6\n```\n"
PROSE = "Input\nOne line with two integers a and b.\n\nOutput\nPrint their sum on one line.\n"
PROSE_INLINE = "Input: one line with two integers.\nOutput: their sum on a line.\n"


@pytest.mark.parametrize(
    ("statement", "pairs"),
    [
        (CODEFORCES, [("8", "YES")]),
        (TACO, [("3\n1 2 3", "6"), ("1\n5", "5")]),
        (ATCODER, [("2\n\nab", "ok"), ("4", "no")]),
        (INLINE, [("4", "8")]),
        (BOLD, [("1 2\n\n3", "6")]),
        (PROSE, []),
        (PROSE_INLINE, []),
    ],
    ids=["Codeforces", "TACO", "AtCoder", "inline", "bold", "prose", "prose inline"],
)
def test_examples_of_contests_and_nothing_else_become_tests(statement: str, pairs: list[tuple[str, str]]) -> None:
    found = read_statement(statement)
    assert found.entry_point is None
    assert found.tests == tuple(StdioTest(given + "\n", wanted + "\n") for given, wanted in pairs)


def test_a_method_of_class_solution_is_called_with_the_examples() -> None:
    found = read_statement(LEETCODE)
    assert found.entry_point == "Solution.twoSum"
    assert found.starter_code.startswith("class Solution:\n    def twoSum(")
    assert found.tests == (CallTest("twoSum", ([2, 7, 11, 15], 9), [0, 1]), CallTest("twoSum", ([3, 2, 4], 6), [1, 2]))


STUB = "def f(x): pass\n"
HOSTILE = {
    "spaces after a heading": "input" + " " * 190_000 + "x",
    "spaces after a colon": "input:" + " " * 190_000 + "x",
    "headings": "input\n1\noutput\n2\n" * 10_000,
    "open brackets": STUB + "f(" * 90_000,
    "open definitions": "def f(\n" * 27_000,
    "a long value": STUB + "f(1) == " + "1 " * 90_000,
    "open values": STUB + "f(1) == [" * 20_000,
    "doctests": STUB + ">>> f(1)\n2\n" * 17_000,
    "distinct doctests": STUB + "".join(f">>> f({i})\n{i}\n" for i in range(10_000)),
    "open fences": STUB + "```x\n" * 39_000,
    "fences with half a function": "```\ndef f(\n```\n" * 13_000,
    "calls with deep values": STUB + "".join(f"f({i}) == {'(-' * 190}\n" for i in range(450)),
    "values that go on": STUB + "".join(f"f({i}) == {'1,' * 150}/ x\n" for i in range(600)),
    "distinct samples": "".join(f"Input {i}:\n{i}\nOutput {i}:\n{i}\n" for i in range(5_000)),
    "spaces after For": STUB + "As is: For x" + " " * 190_000,
    "many Fors": STUB + "For " * 47_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_statement_takes_bounded_time(name: str) -> None:
    started_s = time.process_time()
    found = read_statement(HOSTILE[name])
    assert time.process_time() - started_s < 2
    assert len(found.tests) <= MAX_TESTS


def test_only_the_first_examples_become_tests() -> None:
    calls = read_statement(STUB + "".join(f">>> f({i})\n{i}\n" for i in range(50)))
    assert calls.tests == tuple(CallTest("f", (i,), i) for i in range(MAX_TESTS))
    samples = read_statement("".join(f"Input {i}:\n{i}\nOutput {i}:\n{i}\n" for i in range(50)))
    assert samples.tests == tuple(StdioTest(f"{i}\n", f"{i}\n") for i in range(MAX_TESTS))


def test_a_value_is_read_whole_or_not_at_all() -> None:
    text = (
        "f(1) == 1, 2, 3/4\nf(2) == 1e-5 as it is\nf(3) = 8 - 1 = 7\nf(4) == set()\n"
        "f(5) == 'a b' 'c', then\nf(6) == -2."
    )
    wanted = {2: 1e-5, 3: 7, 4: set[int](), 5: "a bc", 6: -2}
    found = {test.args[0]: test.expected for test in read_statement(STUB + text).tests if isinstance(test, CallTest)}
    assert found == wanted
