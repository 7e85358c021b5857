"""Assertion tests that run apart agree with plain Python, or fail; and their limits are on the whole test."""

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
LIMITS = Limits(cpu_s=1.0, wall_s=20.0, memory_mib=128, stdout_kib=1024)
SHORT = Limits(cpu_s=1.0, wall_s=1.0, memory_mib=128, stdout_kib=1024)


@pytest_asyncio.fixture(params=["batch", "hermetic"], scope="module", loop_scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(1, mode=request.param, allow_unsafe=True, cache_size=0) as made:
        yield made


async def judged(sandbox: ZygoteSandbox, program: str, test: str, limits: Limits = LIMITS) -> TestResult:
    (result,) = (await sandbox.judge(program, Suite((AssertTest(test),), limits))).tests
    return result


FALSE = "class N:\n    def __bool__(s): return False\ndef f(*a): return N()"
PLAIN = "def f(*a): return object()"


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("def f(n): return range(n % 2)", "assert f(4)"),
        ("def f(n): return {}.keys()", "assert f(4)"),
        ("from collections import deque\ndef f(n): return deque()", "assert f(4)"),
        (FALSE, "assert f(4)"),
        (FALSE, "assert f(4) or True"),
        (FALSE, "try:\n    assert f(4)\nexcept BaseException:\n    pass"),
        ("class N:\n    def __ne__(s, o): return False\ndef f(n): return N()", "assert f(4) != 5"),
        (PLAIN, "assert not f(4) == 5"),
        (PLAIN, "assert 5 not in [f(4)]"),
        (PLAIN, "assert len({f(1), f(2)}) == 2"),
        (PLAIN, "assert not isinstance(f(1), int)"),
        (PLAIN, "assert not hasattr(f(1), 'x')"),
        (PLAIN, "try:\n    f(1) + 1\nexcept TypeError:\n    pass"),
        (PLAIN, "try:\n    for x in f(1): pass\nexcept TypeError:\n    pass"),
        ("def f(n): return {object()}", "assert 5 not in f(1)"),
        ("import numpy as np\ndef f(n): return np.array([False])", "assert f(1)"),
        ("from collections import defaultdict\ndef f(n): return defaultdict(lambda: 7)", "assert f(1)['z'] == 0"),
        ("def f(n):\n    while True: yield 0", "assert all(x == 0 for x in f(1))"),
        ("def f(n): return 1 << 1_200_000", "try:\n    f(1)\nexcept ValueError:\n    pass"),
    ],
)
async def test_not_passed(sandbox: ZygoteSandbox, program: str, test: str) -> None:
    result = await judged(sandbox, program, test)
    assert result.status in (Status.WA, Status.RE), result
    assert not result.weak


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
        ("def f(n):\n    while True:\n        yield n", "assert next(f(3)) == 3"),
        ("import itertools\ndef f(n): return itertools.count(n)", "it = f(3)\nassert [next(it), next(it)] == [3, 4]"),
        ("def f(n): return range(n)", "assert f(3) == range(3) and list(f(3)) == [0, 1, 2]"),
        ("def f(n): return map(str, [n])", "assert list(f(3)) == ['3']"),
        ("def f(n): return zip([n], [n])", "assert list(f(3)) == [(3, 3)]"),
        ("def f(n): return reversed([1, n])", "assert list(f(3)) == [3, 1]"),
        ("from collections import deque\ndef f(n): return deque([1, n], 2)", "assert f(3).pop() == 3"),
        ("def f(n): return {n: 1}.keys()", "assert f(3) == {3}"),
        ("def f(n): return {n: 1}.items()", "assert sorted(f(3)) == [(3, 1)]"),
        ("def f(n): return {n: 1}.values()", "assert list(f(3)) == [1]"),
        ("from collections import Counter\ndef f(n): return Counter('aab')", "assert f(3)['z'] == 0"),
        ("from collections import defaultdict\ndef f(n): return defaultdict(int)", "assert f(3)['z'] == 0"),
        ("from collections import OrderedDict\ndef f(n): return OrderedDict(a=1)", "f(3).move_to_end('a')"),
        ("def f(n): raise KeyError(n)", "try:\n    f(3)\nexcept KeyError as e:\n    assert e.args == (3,)"),
        (
            "class E(KeyError): pass\ndef f(n): raise E('k')",
            "try:\n    f(1)\nexcept KeyError as e:\n    assert repr(e) == \"E('k')\"\nelse:\n    assert 0",
        ),
        (
            "class E(Exception):\n    def __str__(s): return 'told'\ndef f(n): raise E(1, 2)",
            "try:\n    f(1)\nexcept Exception as e:\n    assert str(e) == 'told'\nelse:\n    assert 0",
        ),
        ("def f(x): x.append(1)", "x = []\nf(x=x)\nassert x == [1]"),
        ("def f(x): return x", "x = [1]\nassert f(x) is x"),
        ("def f(x, y): return x is y", "x = [1]\nassert f(x, x) and not f(x, [1])"),
        ("def f(x): x[0].append(1)", "a = []\nx = [a]\nf(x)\nassert a == [1] and x[0] is a"),
        ("def f(x): x.reverse()", "a, b = [1], [2]\nx = [a, b]\nf(x)\nassert x[0] is b and b == [2]"),
        ("def f(x): x['k'].add(2)", "x = {'k': {1}}\nf(x)\nassert x == {'k': {1, 2}}"),
        ("def f(x): x[0] = True", "x = [1]\nf(x)\nassert x[0] is True"),
        ("def f(x): return len(x), len(x[0]), x[0] is x", "x = []\nx.append(x)\nassert f(x) == (1, 1, True)"),
        ("def f(x): return sum(x)", "assert f(range(4)) == f(iter([1, 2, 3])) == f(n for n in range(4)) == 6"),
        (
            "def f(x): return x['z'] + x.default_factory()",
            "import collections\nassert f(collections.defaultdict(int)) == 0",
        ),
        ("def f(n): return object()", "assert f(1) is not None"),
        (
            "def f(x): x.appendleft(1); return x",
            "import collections\nx = collections.deque()\nassert f(x) is x and x[0] == 1",
        ),
    ],
)
async def test_right_programs_pass(sandbox: ZygoteSandbox, program: str, test: str) -> None:
    result = await judged(sandbox, program, test)
    assert (result.status, result.weak) == (Status.AC, False), result


@pytest.mark.parametrize(
    "value",
    [
        "range(3)",
        "deque([1])",
        "Counter('a')",
        "OrderedDict(a=1)",
        "defaultdict(int)",
        "defaultdict(lambda: 1)",
        "OrderedDict(a=1).keys()",
        "OrderedDict(a=1).values()",
        "OrderedDict(a=1).items()",
        "{1: 2}.keys()",
        "{1: 2}.values()",
        "{1: 2}.items()",
        "iter([1])",
        "(x for x in [1])",
        "count()",
        "object()",
        "[object(), {1: object()}]",
        "bytearray(b'x')",
    ],
)
async def test_no_returned_value_makes_a_test_weak(sandbox: ZygoteSandbox, value: str) -> None:
    program = f"from collections import *\nfrom itertools import count\ndef f(): return {value}\ndef g(x): return 0"
    result = await judged(sandbox, program, "assert g(f()) == 1")
    assert (result.status, result.weak) == (Status.WA, False)


@pytest.mark.parametrize("argument", ["e", "[e]"])
@pytest.mark.parametrize(("returned", "status"), [("1", Status.AC), ("2", Status.WA), ("X()", Status.WA)])
async def test_no_exception_makes_a_test_weak(
    sandbox: ZygoteSandbox, argument: str, returned: str, status: Status
) -> None:
    test = f"try:\n    f()\nexcept ValueError as e:\n    assert g({argument}) == 1"
    program = "class X:\n    def __eq__(s, o): return True\n"
    result = await judged(sandbox, f"{program}def f(): raise ValueError\ndef g(x): return {returned}", test)
    assert (result.status, result.weak) == (status, False)


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("import datetime\ndef f(y): return datetime.date(y, 1, 1)", "assert f(2020).year == 2020"),
        ("from contextlib import contextmanager\n@contextmanager\ndef f(): yield 3", "with f() as x: assert x == 3"),
        ("def f(x): return x", "from solution import f\nassert f(1) == 1"),
        ("def sum(a, b): return a * b", "assert sum(10, 15) == 150"),
    ],
)
async def test_what_needs_the_candidates_object_is_run_together(
    sandbox: ZygoteSandbox, program: str, test: str
) -> None:
    result = await judged(sandbox, program, test)
    assert (result.status, result.weak) == (Status.AC, True), result


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("def f(x): return lambda y: 0", "try:\n    f(1)(2)\n    raise KeyError\nexcept TypeError:\n    pass"),
        ("def sum(a, b): return 42", "assert sum([1, 2]) == 3"),
    ],
)
async def test_a_wrong_program_does_not_pass_for_want_of_its_object(
    sandbox: ZygoteSandbox, program: str, test: str
) -> None:
    assert (await judged(sandbox, program, test)).status is not Status.AC


async def test_a_function_named_like_a_module_is_called(sandbox: ZygoteSandbox) -> None:
    assert (await judged(sandbox, "def string(n): return 'x' * n", "assert string(3) == 'xxx'")).status is Status.AC


async def test_tester_and_candidate_share_the_wall_limit(sandbox: ZygoteSandbox) -> None:
    program = "import time\ntime.sleep(1.8)\ndef f(x): return 1.8"
    limits = Limits(cpu_s=1.0, wall_s=2.0, memory_mib=128, stdout_kib=1024)
    result = await judged(sandbox, program, "import time\ntime.sleep(f(1))\nassert f(1) == 1.8", limits)
    assert (result.status, result.error_message) == (Status.WA, "the test did not come to an end")


async def test_a_test_that_catches_everything_still_fails(sandbox: ZygoteSandbox) -> None:
    test = "try:\n    r = f(lambda: 1)\nexcept BaseException:\n    r = 1\nassert r == 1"
    result = await judged(sandbox, "def f(x): return 2", test)
    assert (result.status, result.weak) == (Status.WA, False)


async def test_a_right_answer_changed_in_place_is_shown(sandbox: ZygoteSandbox) -> None:
    result = await judged(sandbox, "def f(x):\n    x.append(2)\n    return x", "x = [1]\nassert f(x) == [1]")
    assert (result.status, result.actual) == (Status.WA, "[1, 2]")


SLOW = "import time\ndef f(x):\n    time.sleep(0.4)\n    return x\n"


@pytest.mark.parametrize(
    ("program", "test"),
    [
        (SLOW, "for i in range(20):\n    assert f(i) == i"),
        (f"import atexit\n{SLOW}time.sleep(0.4)\natexit.register(time.sleep, 0.4)", "assert f(1) == 1"),
        (f"import atexit\n{SLOW}atexit.register(time.sleep, 100)", "assert f(1) == 1"),
        ("import atexit\ndef e():\n    while True: pass\natexit.register(e)\ndef f(x): return x", "assert f(1) == 1"),
        ("def f(x):\n    for _ in range(10**6): pass\n    return x", "for i in range(10**4): assert f(i) == i"),
    ],
)
async def test_limits_are_on_the_whole_test(sandbox: ZygoteSandbox, program: str, test: str) -> None:
    result = await judged(sandbox, program, test, SHORT)
    assert (result.status, result.error_type) == (Status.TLE, "TimeLimitExceeded")
    assert result.cpu_s < 3


async def test_the_tester_is_bounded_too(sandbox: ZygoteSandbox) -> None:
    test = "while True:\n    for _ in range(10**5): pass\n    assert f(1) == 1"
    result = await judged(sandbox, "def f(x): return x", test, SHORT)
    assert (result.status, result.error_message) == (Status.WA, "the test did not come to an end")


async def test_sleeping_within_the_limit_is_allowed(sandbox: ZygoteSandbox) -> None:
    assert (await judged(sandbox, SLOW, "assert f(1) == f(1) == 1")).status is Status.AC


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
async def test_death_at_the_end_is_an_error(sandbox: ZygoteSandbox, end: str) -> None:
    program = f"import atexit, os\natexit.register(lambda: {end})\ndef f(x): return x"
    result = await judged(sandbox, program, "assert f(1) == 1")
    assert (result.status, result.error_type) == (Status.RE, "ProcessDied")


async def test_output_at_the_end_counts(sandbox: ZygoteSandbox) -> None:
    program = "import atexit\natexit.register(lambda: print('x' * 2**21))\ndef f(x): return x"
    assert (await judged(sandbox, program, "assert f(1) == 1")).status is Status.OLE


async def test_an_assertion_finds_nothing_in_a_class_that_the_one_before_was_given(sandbox: ZygoteSandbox) -> None:
    program = "def f(c):\n    try: return c.left\n    except AttributeError: c.left = 2\n    return 1"
    tests = tuple(AssertTest(f"from collections import Counter\nassert f(Counter) == {left}") for left in (1, 2))
    verdict = await sandbox.judge(program, Suite(tests, LIMITS))
    assert [str(test.status) for test in verdict.tests] == ["AC", "WA"], verdict.tests


async def test_what_one_test_sets_is_not_set_for_the_next(sandbox: ZygoteSandbox) -> None:
    program = "import os, sys\ndef f(): return N if 'N' in globals() else os.environ.get('X'), sys.argv[-1]\n"
    sets = "import os, sys\nN = 3\nos.environ['X'] = 'y'\nsys.argv = ['a']\nassert f() == (3, 'a')"
    unset = "assert f() == (None, 'solution.py')"
    verdict = await sandbox.judge(program, Suite((AssertTest(sets), AssertTest(unset)), LIMITS))
    assert verdict.accepted, verdict
    fed = "import io, sys\nsys.stdin = io.StringIO('5')\nassert f() == '5'"
    verdict = await sandbox.judge("def f(): return input()", Suite((AssertTest(fed), AssertTest(fed)), LIMITS))
    assert verdict.accepted, verdict
