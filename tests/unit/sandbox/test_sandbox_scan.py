"""Which programs may share a process between tests."""

from __future__ import annotations

import ast
import importlib
import time

import pytest

from mars2.core.problem import Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox
from mars2.sandbox.worker.program.compiling import compiled
from mars2.sandbox.worker.reuse import may_share
from mars2.sandbox.worker.reuse.words import CALLED, HIDDEN, MOST_ARGUMENTS, VALUES, is_inert


@pytest.mark.parametrize(
    "source",
    [
        "print(sum(map(int, input().split())))",
        "import sys\ninput = sys.stdin.readline\nsys.setrecursionlimit(10**6)",
        "from collections import *\nfrom math import gcd\nd = defaultdict(int)",
        "class A:\n    def __init__(self):\n        super().__init__()\n        self.x = 1\na = A()\na.x = 2",
        "n = open(0).read()",
        "class A:\n    def __step(self): self.__x = 1",
        "from math import *\nfrom itertools import *\nfrom math import sqrt\nprint(sqrt(4), [*product('ab', 'cd')])",
        "from functools import *\n@lru_cache(maxsize=None)\ndef f(n): return n\n@cache\ndef g(n): return f(n)",
        "from collections import Counter\nc = Counter('abc')\nprint(c.most_common(1), c['a'])",
        "class E(Exception): pass\nclass F(E): pass\ntry: raise F\nexcept (F, ValueError) as e: print(e)",
        "import re\np = input()\nprint(re.sub(r'a+', lambda m: m.group(0), re.findall(p, p)[0]))",
        "from __future__ import annotations\nimport typing\ndef f(a: typing.List[int]) -> list[int] | None: return a",
        "print(type(1) == type(''), type([]) in (list, tuple), type(1) is not str)",
        "import collections\nP = collections.namedtuple('P', ['x', 'y'], defaults=[0])\nprint(P(1)._replace(x=2).x)",
        "import heapq\nprint(heapq.nlargest(2, [1, 2, 3], key=lambda x: -x))",
        "class A:\n    def __init__(self, start, value): self.start, self.value = start, value\n    @property\n"
        "    def x(self): return self.start\n    @x.setter\n    def x(self, to): self.start = to",
        "import heapq as h\nh.heappush([], 1)",
        "if type(1) is int: print(type(1).__name__)",
        "from itertools import *\nfrom heapq import *",
        "print('{:.2f} {}'.format(1.5, 2))",
        "class A(dict):\n    __slots__ = ()\n    __repr__ = __str__ = str.upper\n    def __lt__(self, o): return 1",
        "class A:\n    def __init__(self): pass\nclass B(A):\n    def __init__(self): A.__init__(self)",
        "from typing import *\ndef f(a: List[int], b: Optional['A'] = None) -> Dict[str, 'A']: return {}",
        "from copy import deepcopy as d\nfrom collections import namedtuple\nd(namedtuple('A', 'x')(1)._replace(x=2))",
        "try: pass\nexcept ValueError as error: print(error)\ndef f(key): return dict(key=key)",
    ],
)
def test_plain_programs_may(source: str) -> None:
    assert may_share(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "import sys, os, io\nsys.stdout = io.StringIO()\nos.write(1, b'x')",
        "import atexit\natexit.register(print, 1)",
        "class Node: pass\nfrom typing import Optional\nx: Optional[Node] = None",
        "import os, sys\nprint(os.read(sys.stdin.fileno(), os.fstat(0).st_size))",
        "import bisect\nfrom bisect import *\nbisect.insort([], bisect_left([], 1))",
        "from math import *\nfrom cmath import *\nfrom math import sqrt\nprint(sqrt(4))",
        "import io\nfrom io import BufferedWriter, FileIO\nBufferedWriter(FileIO(1))\nio.BufferedReader(open(0, 'rb'))",
        "class Door:\n    def open(self): pass\n    def type(self): pass\nDoor().open()",
        "class A:\n    def __step(self): self.__x = 1\nmatch [1, 2]:\n    case [x, *rest]: print(x, rest)",
        "import os\nfrom io import IOBase\nclass F(IOBase):\n    def __init__(self, file): self._fd = file.fileno()\n"
        "    def read(self): return os.read(self._fd, 9)",
        "try: f()\nexcept: pass",
        "try: f()\nexcept Exception: pass",
        "try: f()\nexcept (ValueError, RecursionError): pass",
        "try: f()\nexcept RuntimeError: pass",
        "try: f()\nexcept MemoryError: pass",
        "E = Exception\ntry: f()\nexcept E: pass",
        "if 0:\n    class Exception: pass\ntry: f()\nexcept Exception: pass",
        "if 0: ValueError = 1\ntry: f()\nexcept ValueError: pass",
        "try: f()\nexcept* ValueError: pass",
        "try: f()\nfinally: print(1)",
        "with open(0) as f: print(f.read())",
        "def g(): yield from x",
        "async def g(): pass",
        "from typing import NamedTuple",
        "from collections import Counter\nd = defaultdict(Counter)",
        "from collections import Counter\nclass C(Counter): pass",
        "from collections import Counter\nprint(isinstance(1, Counter))",
        "import collections\nc = collections.Counter\nc.left = 1",
        "from functools import lru_cache\nf = lru_cache\nf.left = 1",
        "from functools import cache\n@cache\ndef f(): pass\nf.cache_info()",
        "import re\nre.compile('a', x)",
        "import re\nre.findall(*x)",
        "class A(str): pass",
        "class A(tuple): pass",
        "class A:\n    def __exit__(self, t, v, b): t.left = 1",
        "class A:\n    def __eq__(self, other): other.left = 1\ntype(x) == A()",
        "type(x) == y",
        "class A:\n    def __del__(self): print(1)",
        "match IOBase:\n    case object(register=r): r(int)",
        "memoryview(b'')",
        "try: f()\nexcept NameError: pass",
        "class E: pass\ntry: f()\nexcept E: pass",
        "class E(list): pass\nclass E(Exception): pass\ntry: f()\nexcept E: pass",
        "@f\nclass E(Exception): pass",
        "from collections import namedtuple\nnamedtuple('A', input())",
        "from collections import namedtuple\nnamedtuple(field_names=input(), typename='A')",
        "hasattr(x, 'y')",
        "print(__builtins__)",
        "print(__file__)",
        "open(0, 'w')",
        "open(0, opener=f)",
        "import sys\nsys.set_int_max_str_digits(0)",
        "from string import Formatter",
        "def f(): __builtins__ = 1",
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
        "o = open\no('/tmp/x')",
        "map(open, ['/tmp/x'])",
        "from io import FileIO\nFileIO('/tmp/x')",
        "from io import FileIO as F\nclass G(F): pass",
        "import sys\nsys.stdin.buffer.raw.__init__('/tmp/x')",
        "def super(): pass\nsuper().__init__('/tmp/x')",
        "A = 1\nclass A: pass\nA.__init__('/tmp/x')",
        "import os\nos.read(4, 9)",
        "import os\nr = os.read\nr(4, 9)",
        "from os import write as w\nfd = 4\nw(fd, b'')",
        "import os\nclass A: pass\na = A()\na._fd = 4\nos.read(a._fd, 9)",
        "import os\nclass A:\n    def fileno(self): return 4\nos.read(A().fileno(), 9)",
        "import os\nfrom collections import namedtuple\nos.read(namedtuple('A', 'fileno')(f).fileno(), 9)",
        "import os\nprint(os.fstat(0).st_mtime)",
        "type('A', (), {})",
        "t = type(type(1))",
        "class M(type): pass",
        "class A(metaclass=M): pass",
        "class A:\n    def __reduce_ex__(self, p): pass",
        "class A:\n    __match_args__ = ('__globals__',)",
        "class A:\n    def __init_subclass__(c): pass",
        "from typing import Iterable\nIterable.x = 1",
        "from typing import List\nList[int]",
        "x = 1\nfrom typing import List\ndef f(a: List[x]): pass",
        "import typing\nt = typing.List",
        "import __future__\n__future__.all_feature_names",
        "import math\nmath.nope",
        "from collections import Counter\nCounter.most_common.__name__ = 'x'",
        "'{0.__self__}'.format(print)",
        "s = '{0.__self__}'\ns.format(print)",
        "'{x}'.format_map({})",
        "id(1)",
        "import time\ntime.process_time()",
        "def g():\n    from math import sqrt as open\nopen('/tmp/x')",
        "def g():\n    from math import sqrt as type",
        "import math as super",
        "from os import read\ndef g():\n    from math import sqrt as read\nread(4, 9)",
        "from io import FileIO as F\ndef g():\n    from io import StringIO as F\nF('/tmp/x')",
        "import atexit\nfrom io import IOBase as atexit\natexit.register(int)",
        "from copy import deepcopy as d\ndef g():\n    from copy import copy as d\nd([], {})",
        "import sys as _A__s\nclass A:\n    def f(self): __s.n = 1",
        "from __future__ import annotations as f\nf.left = 1",
        "class A:\n    from functools import reduce as __reduce_ex__",
        "class A:\n    from __future__ import annotations as __getattr__",
        "class A:\n    match 1:\n        case __getattr__: pass",
        "class A:\n    match [1]:\n        case [*__getattr__]: pass",
        "class A:\n    match {}:\n        case {**__getattr__}: pass",
        "class A:\n    class __getattr__: pass",
        "class A:\n    try: pass\n    except ValueError as __getattr__: pass",
        "def f(__getattr__): pass",
        "dict(__getattr__=1)",
        "class A:\n    global __getattr__",
        "import atexit\ntry: pass\nexcept ValueError as atexit: pass",
        "import atexit\nmatch 1:\n    case atexit: pass",
        "match 1:\n    case open: pass",
        "try: pass\nexcept ValueError as type: pass",
        "def f(open): open('/tmp/x')",
        "import copy\ncopy.deepcopy([], {})",
        "import copy\ncopy.deepcopy([], memo={})",
        "import copy\ncopy.deepcopy(*[[], {}])",
        "from copy import deepcopy\nmap(deepcopy, [], [])",
        "from io import IOBase\nb = IOBase\nb._dump_registry()",
        "match x:\n    case object(_field_defaults=d): pass",
        "from io import BufferedReader\nBufferedReader(r)",
        "from io import BufferedReader\nBufferedReader(r())",
        "from io import BufferedReader\nclass B(BufferedReader): pass",
        "from io import BufferedWriter, FileIO\nclass FileIO: pass\nBufferedWriter(FileIO(0))",
        "from io import BufferedReader, FileIO\ndef f(FileIO): return BufferedReader(FileIO(0))",
        "from io import BufferedReader\nclass A:\n    def open(x): pass\n    BufferedReader(open(0))",
        "import os, sys\nclass A:\n    def __init__(self): self.__f = sys.stdin.fileno()\n"
        "    x = lambda self: os.read(self.__f, 9)",
        "if 0:\n    class property: pass\nproperty.__init__(1)",
        "if 0:\n    class OrderedDict: pass\nfrom collections import *\nOrderedDict.__init__(1)",
        f"0x{'f' * 5000} .format()",
    ],
)
def test_others_may_not(source: str) -> None:
    assert not may_share(ast.parse(source))


@pytest.mark.parametrize("module", VALUES)
def test_a_program_can_leave_nothing_in_what_it_may_use_freely(module: str) -> None:
    """Streams are new for each test."""
    imported = importlib.import_module(module)
    assert all(is_inert(getattr(imported, name)) for name in VALUES[module] if name[:3] != "std")


def test_what_may_only_be_called_is_there() -> None:
    assert all(hasattr(importlib.import_module(module), name) for module, names in CALLED.items() for name in names)
    assert all({*names} <= CALLED[module] for module, names in MOST_ARGUMENTS.items())


def test_attributes_that_lead_into_the_interpreter_are_hidden() -> None:
    assert {"gi_frame", "cr_code", "f_back", "tb_frame", "co_consts", "mro", "raw", "detach", "fileno"} <= HIDDEN
    assert {"cache_info", "scanner", "with_traceback", "throw", "obj"} <= HIDDEN
    assert not any(name[:1] == "_" and "__" in name[1:] and name[-2:] != "__" for name in HIDDEN), (
        "a class spells it so"
    )


def long_program(count: int) -> str:
    lines = [f"    s.append(s[-1] + x.get({i}, {i}) if s else min({i}, n))" for i in range(count)]
    return (
        "import sys\ndef f(n, x={}):\n    s = []\n" + "\n".join(lines) + "\n    return len(s)\nprint(f(int(input())))\n"
    )


def test_the_scan_takes_time_in_proportion_to_the_program() -> None:
    def seconds(count: int) -> float:
        tree = ast.parse(long_program(count))
        start = time.process_time()
        assert may_share(tree)
        return time.process_time() - start

    seconds(100)
    assert min(seconds(4_000) for _ in range(3)) < 12 * min(seconds(1_000) for _ in range(3))


@pytest.mark.parametrize(
    "kind", ["similar lines", "more lines", "annotations", "descriptors", "a long chain", "a long table"]
)
async def test_a_long_program_is_right_in_batch_too(kind: str) -> None:
    program = {
        "similar lines": long_program(1_000),
        "more lines": "x = input()\n" + "print(x) if x == '1' else None\n" * 5_000,
        "annotations": "from typing import List\n"
        + "".join(f"def f{i}(a: List[int]) -> List[List[int]]: return a\n" for i in range(1_500)),
        "descriptors": "import sys, os\nfd = sys.stdin.fileno()\n" + "x = fd if fd else sys.stdin.fileno()\n" * 3_000,
        "a long chain": "x = " + " + ".join(["1"] * 2_500) + "\n",
        "a long table": "x = [" + ", ".join(map(str, range(30_000))) + "]\n",
    }[kind]
    count, answer = {"similar lines": ("", "1000"), "more lines": ("print(x)\n", "7")}.get(
        kind, ("print(int(input()))\n", "7")
    )
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        verdict = await sandbox.judge(program + count, Suite((StdioTest("7\n", answer),) * 3, Limits(cpu_s=2)))
    assert verdict.status is Status.AC, verdict.tests


@pytest.mark.parametrize("source", ["x = " + "-" * 5_000 + "1", "#" * 70_000])
def test_a_program_that_the_scan_cannot_take_in_is_judged_without(source: str) -> None:
    plainly = compiled(source.encode(), scan=False)
    assert compiled(source.encode(), scan=True) == plainly


def test_a_fault_of_the_scan_is_not_the_program_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    assert compiled(b"print(3)", scan=True)[2] is True
    monkeypatch.setattr("mars2.sandbox.worker.reuse.scan.may_share", fail)
    assert compiled(b"print(3)", scan=True)[::2] == ("compiled", False)
