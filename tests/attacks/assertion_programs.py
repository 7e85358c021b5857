# ruff: noqa: E501 (whole programs on a line)
"""Wrong programs that act on the test instead of answering it: by exceptions, and by results that cannot be carried.

Each has a test of its own. None may be accepted, and none may have its test run in one process with it.
"""

from __future__ import annotations

_STOPS = "def f(*a): raise StopIteration\n"
_ANY = "class X:\n    __iter__ = lambda s: iter('')\n    __eq__ = lambda s, o: True\n    __len__ = lambda s: 0\n    __call__ = lambda s, *a: s\ndef f(*a): return X()\ndef g(*a): return X()\n"

PROGRAMS: dict[str, tuple[str, str]] = {
    "stop_in_all_map": (_STOPS, "assert all(map(lambda t: f(*t[0]) == t[1], [((1, 2), 3)]))"),
    "stop_in_zip": (_STOPS, "for got, want in zip(map(f, [1, 2]), [2, 3]): assert got == want"),
    "stop_by_a_subclass": ("class E(StopIteration): pass\ndef f(x): raise E\n", "def check(c):\n    for g, w in zip(map(c, [1]), [2]): assert g == w\ncheck(f)"),
    "stop_in_iter_with_sentinel": (_STOPS, "for got in iter(f, None): assert got == 3"),
    "stop_in_next_with_default": (_STOPS, "want = next(map(f, [1]), 3)\nassert want == 3"),
    "stop_in_starmap": (_STOPS, "import itertools\nassert all(x == y for x, y in zip(itertools.starmap(f, [(1, 2)]), [3]))"),
    "stop_in_filter": (_STOPS, "assert not [*filter(lambda x: f(x) != x + 1, [1, 2])]"),
    "stop_past_a_handler": (_STOPS, "def right(x):\n    try:\n        return f(x) == x\n    except ValueError:\n        return False\nassert all(map(right, [1, 2]))"),
    "stop_past_suppress": (_STOPS, "import contextlib\ndef right(x):\n    with contextlib.suppress(KeyError): return f(x) == x\nassert all(map(right, [1, 2]))"),
    "stop_within_call_of_a_callback": ("def f(c): c()\n", "def stop(): raise StopIteration\nassert all(map(lambda x: f(stop) == x, [1, 2]))"),
    "error_of_a_callback_caught": ("def f(g):\n    try: g(5)\n    except BaseException: pass\n", "def want(x): assert x == 3\nf(want)"),
    "stop_of_its_closure": ("def f():\n    def g(x): raise StopIteration\n    return g\n", "g = f()\nassert all(map(lambda x: g(x) == x, [1, 2]))"),
    "stop_of_its_coroutine": ("async def f(x): raise AttributeError\n", "import asyncio\nclass A:\n    @property\n    def x(s): return asyncio.run(f(1))\nassert not hasattr(A(), 'x')"),
    "always_equal_in_containers": ("class X:\n    __eq__ = lambda s, o: True\n    __hash__ = lambda s: 3\ndef f(): return [X()], {X(): X()}, (X(),)\n", "a, b, c = f()\nassert a == [3] or b == {3: 3} or c == (3,) or 3 in a"),
    "always_equal_from_a_closure": ("class X:\n    __eq__ = lambda s, o: True\ndef f(n): return lambda x: X()\n", "assert f(1)(2) == 3"),
    "always_equal_awaited": ("class X:\n    __eq__ = lambda s, o: True\nasync def f(): return X()\n", "import asyncio\nassert asyncio.run(f()) == 3"),
    "always_equal_to_a_callback": ("class X:\n    __eq__ = lambda s, o: True\ndef f(g): g(X())\n", "seen = []\nf(seen.append)\nassert seen == [3]"),
    "arithmetic_of_its_own": ("class X:\n    def __init__(s, n): s.n = n\n    def __mul__(s, o): return s.n\n    __pow__ = __mul__\ndef f(n): return X(n)\n", "for n in (2, 3): assert f(n) * f(n) == n"),
    "lengths_and_items_of_its_own": ("class X:\n    def __init__(s, n): s.n = n\n    def __len__(s): return s.n\n    def __iter__(s): return iter(())\ndef f(n): return X(n)\n", "r = f(6)\nassert len(r) == 6 and all(len(x) == 3 for x in r)"),
    "text_and_items_of_its_own": ("class X:\n    def __str__(s): return 'abc'\n    def __iter__(s): return iter('cba')\ndef f(): return X()\n", "r = f()\nassert str(r) == 'abc' and [*r] == [*'cba']"),
    "text_that_changes": ("class X:\n    n = 0\n    def __str__(s):\n        s.n += 1\n        return str(s.n)\ndef f(): return X()\n", "r = f()\nassert str(r) == '1' and str(r) == '2'"),
    "text_of_its_own_class": ("class S(str):\n    def __eq__(s, o): return True\n    __hash__ = str.__hash__\nclass X:\n    def __str__(s): return S('no')\ndef f(): return X()\n", "assert str(f()) == 'yes'"),
    "printed_by_force": ("import sys\nclass O:\n    def write(s, t): pass\n    def flush(s): pass\ndef f():\n    sys.stdout = O()\n    print('yes')\n", "import io, contextlib\nb = io.StringIO()\nwith contextlib.redirect_stdout(b): f()\nassert b.getvalue() == 'yes\\n'"),
    "reads_the_test_by_a_callback": ("def f(g):\n    try: return g.__globals__['want']\n    except Exception: pass\n    ask = g.__closure__[0].cell_contents\n    return ask('get', '__globals__')['want']\n", "want = 37\ndef g(): pass\nassert f(g) == want"),
    "reads_the_test_by_a_frame": ("def f(g):\n    ask = None\n    c = g()\n    ask = c.cr_frame.f_locals['ask']\n    frame = ask('get', 'cr_frame')\n    return frame.f_globals['want']\n", "want = 37\nasync def g(): pass\nassert f(g) == want"),
    "reads_the_test_by_an_object": ("def f(a):\n    for path in (['__class__'], ['__dict__'], ['m', '__globals__'], ['m', '__func__', '__globals__'], ['__init__', '__globals__']):\n        try:\n            x = a\n            for name in path: x = object.__getattribute__(a, '_ask')('get', name) if x is a else getattr(x, name)\n            if 'want' in x: return x['want']\n        except Exception: pass\n", "want = 37\nclass A:\n    def m(self): pass\nassert f(A()) == want"),
    "writes_into_the_test": ("def f(g):\n    g.__globals__['check'] = lambda x: True\n    return 5\n", "def check(x): assert x == 3\ndef g(): pass\ncheck(f(g))"),
    "globals_of_the_test": ("def f():\n    try: return want\n    except NameError: return 0\n", "want = 37\nassert f() == want"),
    "seeds_the_test": ("import random\ndef f(x):\n    random.seed(0)\n    random.setstate(random.getstate())\n    return 49\n", "import random\nrandom.seed(5)\nfor _ in range(5):\n    random.random()\n    n = random.randint(0, 100)\n    assert f(n) == n"),
    "empty_array": ("import numpy\ndef f(x): return numpy.array([])\n", "assert f(3) == [1, 2]"),
    "masked_array": ("import numpy\ndef f(x): return numpy.ma.masked\n", "assert not (f(3) != 5)"),
    "array_of_always_equal": ("import numpy\nclass X:\n    __eq__ = lambda s, o: True\ndef f(x): return numpy.array([X()], dtype=object)\n", "import numpy as np\nassert np.array_equal(f(1), np.array([3], dtype=object))"),
    "array_subclass": ("import numpy\nclass A(numpy.ndarray):\n    __eq__ = lambda s, o: numpy.array([True])\ndef f(x): return numpy.zeros(1).view(A)\n", "assert f(1) == 3"),
    "date_subclass": ("import datetime\nclass D(datetime.date):\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef f(): return D(1, 1, 1)\n", "import datetime\nassert f() == datetime.date(2020, 1, 2)"),
    "time_zone_of_its_own": ("import datetime\nclass Z(datetime.tzinfo):\n    utcoffset = lambda s, d: datetime.timedelta(0)\ndef f(): return datetime.datetime(2020, 1, 1, tzinfo=Z())\n", "import datetime\nassert f() == datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)"),
    "class_like_a_builtin": ("class M(type):\n    __eq__ = lambda s, o: True\n    __hash__ = type.__hash__\nclass int(metaclass=M): __module__ = 'builtins'\ndef f(x): return int\n", "assert f(1) == float"),
    "decimal_subclass": ("from decimal import Decimal\nclass D(Decimal):\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef f(): return D(1)\n", "from decimal import Decimal\nassert f() == Decimal(3)"),
    "forged_references": ("import os, struct\ndef f():\n    data = b''.join(b'%c' % c for c in b'')\n    import sys\n    from struct import pack\n    value = b't' + pack('<I', 2) + b'y' + pack('<I', 99) + b'l' + pack('<I', 0)\n    body = b't' + pack('<I', 2) + b's' + pack('<I', 5) + b'value' + b'b' + pack('<I', len(value)) + value\n    os.ftruncate(4, 0)\n    os.pwrite(4, body, 0)\n    os.write(3, pack('<BIB', ord('d'), len(body), 1))\n    os.read(3, 64)\n", "assert f() == 3"),
    "index_error_ends_a_sequence": ("def f(i): raise IndexError\n", "class S:\n    def __getitem__(s, i): return f(i)\nassert all(x == 3 for x in S())"),
    "attribute_error_in_getattr": ("def f(): raise AttributeError\n", "class A:\n    @property\n    def x(s): return f()\nassert getattr(A(), 'x', 3) == 3"),
    "key_error_in_mapping_get": ("def f(k): raise KeyError(k)\n", "from collections.abc import Mapping\nclass M(Mapping):\n    def __getitem__(s, k): return f(k)\n    def __iter__(s): return iter(())\n    def __len__(s): return 0\nassert M().get(1, 3) == 3"),
    "error_lost_in_a_thread": ("def f(*a): raise ValueError\n", "import threading\nseen = []\ndef check():\n    seen.append(f(1) == 1)\nt = threading.Thread(target=check)\nt.start(); t.join()\nassert all(seen)"),
    "error_lost_by_finally": ("def f(*a): raise ValueError\n", "for x in [1, 2]:\n    try:\n        assert f(x) == x\n    finally:\n        continue"),
    "error_lost_in_unittest": ("def f(*a): raise SystemExit\n", "import unittest\nclass T(unittest.TestCase):\n    def test(s): s.assertEqual(f(1), 1)\nunittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))"),
    "iterator_over_an_object": (_ANY, "assert g(iter(f(3))) == 6"),
    "map_over_an_object": (_ANY, "assert g(map(str, f(3))) == 6"),
    "zip_of_an_object": (_ANY, "assert g(zip(f(3), f(3))) == 6"),
    "reversed_object": (_ANY, "assert g(reversed(f(3))) == 6"),
    "enumerated_object": (_ANY, "assert g(enumerate(f(3))) == 6"),
    "method_of_an_object": (_ANY, "x = f(3)\nassert g(x) == 6 and g([x]) == 6"),
    "generator_over_an_object": (_ANY, "assert g(x for x in f(3)) == 6"),
    "object_in_a_partial": (_ANY, "import functools\nassert g(functools.partial(f(3), 1)) == 6"),
    "error_of_its_own_passed_on": ("class X:\n    __eq__ = lambda s, o: True\ndef f(): raise ValueError(X())\ndef g(x): return X()\n", "try:\n    f()\nexcept ValueError as e:\n    assert g(e) == 6"),
    "endless_iterator_passed_on": ("import itertools\nclass X:\n    __eq__ = lambda s, o: True\ndef f(): return itertools.count()\ndef g(x): return X()\n", "assert g(f()) == 6"),
}  # fmt: skip
