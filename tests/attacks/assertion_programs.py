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
