"""Which programs may share a process between tests."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from mars2.sandbox.worker.scan import modules_if_stateless
from mars2.sandbox.worker.sentinels import Sentinels


@pytest.mark.parametrize(
    "source",
    [
        "print(sum(map(int, input().split())))",
        "import sys\ninput = sys.stdin.readline\nsys.setrecursionlimit(10**6)",
        "import sys, os, io\nsys.stdout = io.StringIO()\nos.write(1, b'x')",
        "from collections import *\nfrom math import gcd\nd = defaultdict(int)",
        "class A:\n    def __init__(self):\n        super().__init__()\n        self.x = 1\na = A()\na.x = 2",
        "n = open(0).read()",
        "import heapq as h\nh.heappush([], 1)",
        "import atexit\natexit.register(print, 1)",
        "if type(1) is int: print(1)",
    ],
)
def test_plain_programs_may(source: str) -> None:
    assert modules_if_stateless(ast.parse(source)) is not None


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "import threading",
        "import builtins",
        "from .x import y",
        "import sys\nsys.n = 1",
        "import sys\nsys.path.append('')",
        "import sys\nsys.modules['a'] = 1",
        "import sys\ns = sys\ns.n = 1",
        "import sys\ndef f(m=sys): pass",
        "import sys\ndel sys.stdin",
        "import os\nos.environ['A'] = 'b'",
        "import os\nos.dup2(0, 9)",
        "from os import environ",
        "from collections import *\nprint(UserDict)",
        "from sys import *",
        "import math\nmath.pi = 3",
        "from collections import Counter\nCounter.n = 1",
        "().__class__.__base__",
        "(lambda: 0).__globals__",
        "f = (i for i in ())\nf.gi_frame",
        "eval('1')",
        "getattr(1, 'x')",
        "setattr(1, 'x', 2)",
        "globals()",
        "__builtins__",
        "open('/tmp/x', 'w')",
        "open(3)",
        "from typing import Sequence\nSequence.register(int)",
        "from operator import attrgetter",
        "match 1:\n    case object(__class__=c): pass",
        "x = type(a)\nx.n = 1",
        "import math\ndef math(): pass",
    ],
)
def test_others_may_not(source: str) -> None:
    assert modules_if_stateless(ast.parse(source)) is None


def test_it_names_the_modules_in_reach() -> None:
    assert modules_if_stateless(ast.parse("import sys\nfrom math import pi")) == {"sys", "math"}


def test_sentinels_notice_an_attribute_left_on_a_library_class(monkeypatch: pytest.MonkeyPatch) -> None:
    sentinels = Sentinels(frozenset({"collections"}))
    assert sentinels.untouched()
    monkeypatch.setattr(Counter, "left", 1, raising=False)
    assert not sentinels.untouched()
    monkeypatch.undo()
    assert sentinels.untouched()
    monkeypatch.setattr(Counter, "update", Counter.subtract)
    assert not sentinels.untouched()
