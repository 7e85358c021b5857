"""Roles, completing a program from starter code, shortening."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.errors import ConfigError
from mars2.prompting import complete_program, load_role, role_names
from mars2.prompting.shortening import fenced, shorten

STARTER = '''from typing import List
import math

def helper(x):
    """Given."""
    return x + 1

def solve(xs: List[int]) -> int:
'''


def test_at_least_six_roles_that_differ() -> None:
    names = role_names()
    assert {"generalist", "planner", "debugger", "edge-case-hunter", "optimizer", "simplifier"} <= set(names)
    texts = [load_role(name) for name in names]
    assert len(set(texts)) == len(names)
    assert all(50 < len(text) < 1000 for text in texts)


def test_no_role() -> None:
    assert load_role("") == ""


def test_own_role_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("You are terse.\n", encoding="utf-8")
    assert load_role(str(path)) == "You are terse."


def test_unknown_role_names_the_near_one_and_all() -> None:
    with pytest.raises(
        ConfigError, match=r'no role named "debuger"; did you mean "debugger"\? use one of .*simplifier'
    ):
        load_role("debuger")


def test_bad_role_files(tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "latin.md").write_bytes(b"\xff\xfe")
    for name, words in [("missing.md", "No such file"), ("empty.md", "empty"), ("latin.md", "UTF-8")]:
        with pytest.raises(ConfigError, match=words) as caught:
            load_role(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_missing_imports_and_helpers_come_back() -> None:
    program = complete_program("def solve(xs: List[int]) -> int:\n    return helper(math.floor(xs[0]))\n", STARTER)
    namespace: dict[str, object] = {}
    exec(program, namespace)
    assert namespace["solve"]([1.5]) == 2  # type: ignore[operator]


def test_what_the_program_binds_is_left_alone() -> None:
    program = (
        "from typing import List\nimport math\ndef helper(x):\n    return 7\ndef solve(xs):\n    return helper(xs)\n"
    )
    assert complete_program(program, STARTER) == program


def test_the_function_to_write_is_never_added() -> None:
    assert "def solve" not in complete_program("x = 1\n", STARTER)


def test_future_imports_stay_first() -> None:
    program = complete_program("from __future__ import annotations\ndef solve(xs):\n    return math.pi\n", STARTER)
    compile(program, "p", "exec")
    assert program.startswith("from __future__")


@pytest.mark.parametrize("starter", ["", "def (", "class Solution:\n    def f(self, x: int) -> int:\n        "])
def test_nothing_to_add(starter: str) -> None:
    assert complete_program("def f(x):\n    return x\n", starter) == "def f(x):\n    return x\n"


IMPLIED = "import math, re\nfrom typing import List, Optional\nfrom collections import deque"


@pytest.mark.parametrize(
    ("program", "added"),
    [
        ("def f(x: List[int]):\n    return math.pi\n", "import math\nfrom typing import List\n\n"),
        ("from typing import List\ndef f(x: List[int]):\n    return 1\n", ""),
        ("def f(deque):\n    return deque\n", ""),
        ("def f(x):\n    return x.re\n", ""),
        ("def f(x):\n    return undefined\n", ""),
    ],
)
def test_implied_imports_come_back_only_where_read(program: str, added: str) -> None:
    assert complete_program(program, "", IMPLIED) == added + program


STARS = (
    "from datetime import *\nfrom re import *\nfrom math import *\nfrom itertools import *\nfrom operator import *\n"
    "from sys import *\nfrom builtins import *\nfrom typing import *\nimport datetime\nimport sys\n"
    "sys.setrecursionlimit(50000)"
)
DEEP = "import sys\nsys.setrecursionlimit(50000)\n\n"


@pytest.mark.parametrize(
    ("program", "added"),
    [
        ("print(maxsize, sqrt(4))\n", "from math import sqrt\nfrom sys import maxsize\n\n"),
        ("for l in stdin: print(findall('a', l))\n", "from re import findall\nfrom sys import stdin\n\n"),
        ("print(sub(3, 1))\n", "from operator import sub\n\n"),  # the last of re's and operator's
        ("print(pow(2, 3), open(0))\n", ""),  # builtins come after math, operator and io
        ("print(datetime.date(2024, 1, 1))\n", "import datetime\n\n"),  # the module comes after the class
        ("path = input()\nprint(path)\n", ""),  # its own name, not that of sys
        ("def f(n):\n    return f(n - 1)\n", DEEP),  # recursion needs a function
        ("f = lambda n: n and f(n - 1)\n", DEEP),
        ("import sys\nsys.setrecursionlimit(10**6)\ndef f(): f()\n", DEEP),  # the program's own comes later
        ("x: List[int] = []\n", "from typing import List\n\n"),
        ("def f(count): return count\ndef g(): return count(1)\n", "from itertools import count\n" + DEEP),
        ("def f():\n    global count\n    count = 1\ndef g(): return count\n", DEEP),
        ("print([count for count in range(3)], next(count(1)))\n", "from itertools import count\n\n"),
        ("class A:\n    e = 1\n    def f(self): return e\n", "from math import e\n" + DEEP),
        ("return sqrt(4)\n", "from math import sqrt\n\n"),  # parses, and does not compile
    ],
)
def test_what_a_harness_runs_in_front_comes_as_far_as_it_is_needed(program: str, added: str) -> None:
    assert complete_program(program, "", STARS) == added + program


def test_only_standard_modules_are_imported_to_read_their_names() -> None:
    assert complete_program("print(fly)\n", "", "from antigravity import *") == "print(fly)\n"
    assert "antigravity" not in sys.modules


def test_starter_code_and_implied_imports_together() -> None:
    program = complete_program("def solve(xs):\n    return helper(deque(xs)[0])\n", STARTER, IMPLIED)
    namespace: dict[str, object] = {}
    exec(program, namespace)
    assert namespace["solve"]([4]) == 5  # type: ignore[operator]


def test_an_invalid_program_is_left_alone() -> None:
    assert complete_program("def solve(", STARTER) == "def solve("


@given(st.text(max_size=400), st.integers(0, 300))
def test_shortened_text_fits_and_keeps_both_ends(text: str, limit: int) -> None:
    short = shorten(text, limit)
    if len(text) <= limit:
        assert short == text
    elif limit >= 60:
        assert len(short) <= limit
        assert short.startswith(text[:5])
        assert short.endswith(text[-5:])
    else:
        assert "left out" in short


@given(st.text(alphabet="`a\n", max_size=30))
def test_a_fence_is_longer_than_any_inside(text: str) -> None:
    if text.strip("\n"):
        opening, *body, closing = fenced(text, 100).split("\n")
        assert opening == closing
        assert opening not in "\n".join(body)
