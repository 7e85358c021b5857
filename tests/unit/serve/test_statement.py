"""Tests read from the examples of a plain statement."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mars2.core.problem import CallTest, StdioTest
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
