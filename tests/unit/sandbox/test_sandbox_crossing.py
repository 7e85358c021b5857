# ruff: noqa: E501 (whole tests on a line)
"""An exception of the program steers nothing in a test but the handlers that the test itself wrote for it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mars2.core.problem import AssertTest, Limits, Suite
from mars2.core.verdict import Status, TestResult
from mars2.sandbox import ZygoteSandbox

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.asyncio(loop_scope="module"),
]
LIMITS = Limits(cpu_s=2.0, wall_s=20.0, memory_mib=128, stdout_kib=1024)
HANDLED = "try:\n    f(1)\nexcept {0}:\n    pass\nelse:\n    assert False"


@pytest_asyncio.fixture(params=["batch", "hermetic"], scope="module", loop_scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(1, mode=request.param, allow_unsafe=True, cache_size=0) as made:
        yield made


async def judged(sandbox: ZygoteSandbox, error: str, test: str) -> TestResult:
    program = f"class E({error}): pass\ndef f(*a): raise {error}\ndef g(*a): raise E\n"
    (result,) = (await sandbox.judge(program, Suite((AssertTest(test),), LIMITS))).tests
    return result


@pytest.mark.parametrize(
    ("error", "test"),
    [
        ("StopIteration", "assert all(map(lambda x: f(x) == x, [1, 2]))"),
        ("StopIteration", "for got, want in zip(map(g, [1]), [2]): assert got == want"),
        ("StopIteration", "assert all(x == 1 for x in map(f, [1, 2]))"),
        ("StopIteration", "assert [*filter(f, [1, 2])] == []"),
        ("StopIteration", "assert next(map(f, [1]), None) is None"),
        ("StopIteration", "for x in iter(f, 5): assert x == 1"),
        ("StopIteration", "assert sum(map(f, [1])) == 0 and list(map(f, [1])) == [] and not any(map(f, [1]))"),
        ("StopIteration", "import itertools\nassert [*itertools.starmap(f, [(1,)])] == []"),
        ("StopIteration", "class I:\n    def __iter__(s): return s\n    def __next__(s): return f(1)\nassert [*I()] == []"),
        ("StopIteration", "try:\n    assert all(map(f, [1]))\nexcept ValueError:\n    pass"),
        ("StopIteration", "def h(x):\n    try: return f(x)\n    except ValueError: return 1\nassert all(map(h, [1]))"),
        ("StopIteration", "def h(x):\n    try: return f(x)\n    except StopIteration: raise\nassert all(map(h, [1]))"),
        (
            "StopIteration",
            "import contextlib\ndef h(x):\n    with contextlib.suppress(ValueError): return f(x)\nassert all(map(h, [1]))",
        ),
        ("IndexError", "class S:\n    def __getitem__(s, i): return f(i)\nfor x in S(): assert x == 1"),
        ("IndexError", "class S:\n    def __getitem__(s, i): return f(i)\nassert [*S()] == []"),
        ("KeyError", "from collections.abc import Mapping\nclass M(Mapping):\n    def __getitem__(s, k): return f(k)\n"
         "    def __iter__(s): return iter([])\n    def __len__(s): return 0\nassert M().get(1) is None"),
        ("AttributeError", "class A:\n    @property\n    def x(s): return f(1)\nassert not hasattr(A(), 'x')"),
        ("AttributeError", "class A:\n    @property\n    def x(s): return f(1)\nassert getattr(A(), 'x', 5) == 5"),
        ("TypeError", "class A:\n    def __len__(s): return f()\n    def __iter__(s): return iter([1])\nassert [*A()] == [1]"),
        ("ValueError", "def h():\n    try:\n        f(1)\n    finally:\n        return 1\nassert h() == 1"),
        ("ValueError", "for x in [1, 2]:\n    try:\n        assert f(x) == x\n    finally:\n        continue"),
        ("ValueError", "import threading\nt = threading.Thread(target=f)\nt.start()\nt.join()"),
        ("GeneratorExit", "def h():\n    try: yield 1\n    finally: f(1)\ni = h()\nnext(i)\ni.close()"),
        ("StopAsyncIteration", "import asyncio\nclass I:\n    def __aiter__(s): return s\n"
         "    async def __anext__(s): return f(1)\nasync def main():\n    async for x in I(): assert x == 1\n"
         "asyncio.run(main())"),
        ("SystemExit", "import unittest\nclass T(unittest.TestCase):\n    def test(s): s.assertEqual(f(1), 1)\n"
         "unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))"),
        ("AssertionError", "import contextlib\ntry:\n    f(1)\nexcept ValueError:\n    pass"),
    ],
)  # fmt: skip
async def test_what_no_handler_of_the_test_names_fails_it(sandbox: ZygoteSandbox, error: str, test: str) -> None:
    result = await judged(sandbox, error, test)
    assert result.status in (Status.RE, Status.WA)
    assert not result.weak


@pytest.mark.parametrize(
    ("error", "test"),
    [
        ("ValueError", HANDLED.format("ValueError")),
        ("ValueError", HANDLED.format("Exception")),
        ("ValueError", HANDLED.format("(TypeError, ValueError) as e")),
        ("ValueError", HANDLED.format("BaseException")),
        ("KeyError", HANDLED.format("LookupError")),
        ("StopIteration", HANDLED.format("StopIteration")),
        ("SystemExit", HANDLED.format("SystemExit")),
        ("ValueError", "try:\n    f(1)\nexcept:\n    pass\nelse:\n    assert False"),
        ("ValueError", "try:\n    f(1)\nexcept* ValueError:\n    pass\nelse:\n    assert False"),
        ("ValueError", "n = 0\nfor x in range(3):\n    try:\n        f(x)\n    except ValueError:\n        n += 1\n        continue\n    finally:\n        n += 1\nassert n == 6"),
        ("ValueError", "try:\n    try:\n        f(1)\n    except KeyError:\n        assert False\nexcept ValueError as e:\n    assert e.args == ()"),
        ("ValueError", "try:\n    try:\n        f(1)\n    except ValueError:\n        raise\nexcept ValueError:\n    pass"),
        ("ValueError", "try:\n    try:\n        f(1)\n    except ValueError as e:\n        raise KeyError from e\nexcept KeyError as e:\n    assert isinstance(e.__cause__, ValueError)"),
        ("ValueError", "try:\n    [f(x) for x in [1]]\nexcept ValueError:\n    pass\nelse:\n    assert 0"),
        ("ValueError", "def raises(kind, call, *a):\n    try:\n        call(*a)\n    except kind:\n        return True\n    return False\nassert raises(ValueError, f, 1) and raises(ValueError, lambda: g(1))"),
        ("ValueError", "import contextlib\nwith contextlib.suppress(ValueError):\n    f(1)\n    assert False"),
        ("KeyError", "class R:\n    def __enter__(s): return s\n    def __exit__(s, kind, error, tb): s.kind = kind; return issubclass(kind, KeyError)\nwith R() as r:\n    f(1)\nassert r.kind is KeyError"),
        ("ValueError", "import contextlib\n@contextlib.contextmanager\ndef raises(kind):\n    try:\n        yield\n    except kind:\n        return\n    assert False\nwith raises(ValueError):\n    f(1)"),
        ("StopIteration", "import unittest\nt = unittest.TestCase()\nwith t.assertRaises(StopIteration) as c:\n    f(1)\nassert isinstance(c.exception, StopIteration)"),
        ("ValueError", "import unittest\nt = unittest.TestCase()\nt.assertRaises(ValueError, f, 1)\nt.assertRaises(ValueError, lambda: f(1))"),
        ("ValueError", "import unittest\nclass T(unittest.TestCase):\n    def test(s):\n        with s.assertRaises(ValueError): f(1)\n        s.assertRaisesRegex(ValueError, '', f, 2)\n"
         "r = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))\nassert r.testsRun == 1 and r.wasSuccessful()"),
        ("ValueError", "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n    for x in [pool.submit(f, n) for n in range(9)]:\n        try:\n            x.result()\n        except ValueError:\n            pass\n        else:\n            assert False"),
        ("ValueError", "import asyncio\nasync def main():\n    try:\n        f(1)\n    except ValueError:\n        return 5\nassert asyncio.run(main()) == 5"),
    ],
)  # fmt: skip
async def test_what_a_handler_of_the_test_expects_is_given_to_it(sandbox: ZygoteSandbox, error: str, test: str) -> None:
    result = await judged(sandbox, error, test)
    assert (result.status, result.weak) == (Status.AC, False), result


async def test_the_line_of_a_failed_assertion_is_still_told(sandbox: ZygoteSandbox) -> None:
    test = "try:\n    x = 1\nexcept KeyError:\n    x = 2\nwith open('/dev/null') as h:\n    assert x == abs(5)\nabs(x)"
    (result,) = (await sandbox.judge("def f(): pass", Suite((AssertTest(f"f()\n{test}"),), LIMITS))).tests
    assert (result.status, result.error_message) == (Status.WA, "failed: assert x == abs(5)")
