"""Which programs may share a process between tests."""

from __future__ import annotations

import ast
import copy
import functools
import importlib
import io
import re
from collections import Counter
from typing import Annotated

import pytest

from mars2.sandbox.worker.program.compiling import compiled
from mars2.sandbox.worker.reuse.scan import modules_if_stateless
from mars2.sandbox.worker.reuse.sentinels import PURE, Sentinels, in_reach


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
        "if type(1) is int: print(type(1).__name__)",
        "from itertools import *\nfrom heapq import *",
        "print('{:.2f} {}'.format(1.5, 2))",
        "class A(dict):\n    __slots__ = ()\n    __repr__ = __str__ = str.upper\n    def __lt__(self, o): return 1",
        "class A:\n    def __init__(self): pass\nclass B(A):\n    def __init__(self): A.__init__(self)",
        "from typing import *\ndef f(a: List[int], b: Optional['A'] = None) -> Dict[str, 'A']: return {}",
        "class Node: pass\nfrom typing import Optional\nx: Optional[Node] = None",
        "import os, sys\nprint(os.read(sys.stdin.fileno(), os.fstat(0).st_size))",
        "import bisect\nfrom bisect import *\nbisect.insort([], bisect_left([], 1))",
        "from math import *\nfrom cmath import *\nfrom math import sqrt\nprint(sqrt(4))",
        "from copy import deepcopy as d\nfrom collections import namedtuple\nd(namedtuple('A', 'x')(1)._replace(x=2))",
        "import io\nfrom io import BufferedWriter, FileIO\nBufferedWriter(FileIO(1))\nio.BufferedReader(open(0, 'rb'))",
        "class Door:\n    def open(self): pass\n    def type(self): pass\nDoor().open()",
        "class A:\n    def __step(self): self.__x = 1\nmatch [1, 2]:\n    case [x, *rest]: print(x, rest)",
        "try: pass\nexcept ValueError as error: print(error)\ndef f(key): return dict(key=key)",
        "import os\nfrom io import IOBase\nclass F(IOBase):\n    def __init__(self, file): self._fd = file.fileno()\n"
        "    def read(self): return os.read(self._fd, 9)",
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
        "x._field_defaults['n'] = 1",
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
    monkeypatch.undo()
    monkeypatch.setattr(Counter.most_common, "left", 1, raising=False)
    assert not sentinels.untouched()


def test_what_is_in_reach_holds_nothing_that_changes_in_place() -> None:
    """Sentinels compare attributes; a list among them could be filled unseen."""
    names = [(module, name) for module, names in PURE.items() if module not in ("sys", "typing") for name in names]
    things = in_reach(getattr(importlib.import_module(module), name, None) for module, name in names)
    assert len(things) > 30
    changeable = [
        (thing, name)
        for thing in things
        for name, value in thing.__dict__.items()
        if isinstance(value, (list, dict, set)) and not name.startswith("__")
    ]
    assert changeable == []


def test_private_attributes_of_library_classes_are_out_of_reach() -> None:
    """But for those that show what the object itself holds."""
    open_ones = {"_asdict", "_fields", "_keep_positive", "_make", "_replace"}  # of named tuples and of Counter
    open_ones |= {"_blksize", "_checkClosed", "_checkReadable", "_checkSeekable", "_checkWritable", "_CHUNK_SIZE"}
    kinds = [getattr(importlib.import_module(m), name, None) for m in {*PURE} - {"sys", "typing"} for name in PURE[m]]
    kinds += [functools._CacheInfo, re.Pattern, re.Match, type(functools.cache(len))]  # type: ignore[attr-defined]
    names = {name for kind in kinds for owner in (type(kind), kind) for name in dir(owner) if name[:1] == "_"}
    private = {name for name in names if not name.endswith("__")} - open_ones
    assert "_dump_registry" in private
    assert {name for name in private if modules_if_stateless(ast.parse(f"x.{name}")) is not None} == set()


def test_sentinels_notice_what_builtins_raise_and_functions_return(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = [ExceptionGroup, io.UnsupportedOperation, re.error, copy.Error, functools._CacheInfo]  # type: ignore[attr-defined]
    sentinels = Sentinels(frozenset({"re", "copy", "functools"}))
    for each in classes:
        sentinels.forget()
        assert sentinels.untouched()
        monkeypatch.setattr(each, "left", 1, raising=False)
        assert not sentinels.untouched()
        monkeypatch.undo()


@pytest.mark.parametrize("module", ["copy", "functools"])
def test_sentinels_notice_what_was_put_into_a_container(module: str) -> None:
    default = next(filter(lambda value: isinstance(value, list), copy.deepcopy.__defaults__ or ()), None)
    container = {"copy": default, "functools": functools._CacheInfo._field_defaults}[module]  # type: ignore[attr-defined]
    if container is None:
        pytest.skip("not in this Python")
    sentinels = Sentinels(frozenset({module}))
    assert sentinels.untouched()
    container.append(1) if isinstance(container, list) else container.update(n=1)
    assert not sentinels.untouched()
    container.clear()
    assert sentinels.untouched()


def test_caches_of_the_library_are_emptied() -> None:
    sentinels = Sentinels(frozenset({"re", "typing"}))
    for fill in (lambda: re.compile("left behind"), lambda: re.sub("a", r"\\", ""), lambda: Annotated[re.Match, 1]):
        fill()
        assert not sentinels.untouched()
        sentinels.forget()
        assert sentinels.untouched()
    assert not re._cache  # type: ignore[attr-defined]


def test_a_program_that_the_scan_cannot_take_in_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError

    source = b"print(3)"
    assert compiled(source, scan=True)[2] == ()
    monkeypatch.setattr("mars2.sandbox.worker.reuse.scan.modules_if_stateless", fail)
    assert compiled(source, scan=True)[::2] == ("compiled", None)
