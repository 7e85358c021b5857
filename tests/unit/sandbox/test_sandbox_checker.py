"""A problem's own checker: it decides, its transport fools nobody, and its faults are never a verdict."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mars2.core.errors import CheckerError, UserError
from mars2.core.problem import AssertTest, CallTest, Checker, Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.jobs.judge import judge_tasks
from mars2.sandbox import ZygoteSandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMITS = Limits(cpu_s=1.0, wall_s=3.0, memory_mib=128, stdout_kib=256)
PAIR = Checker(
    "def check(input, expected, actual):\n"
    "    n = int(input)\n"
    "    try:\n"
    "        a, b = map(int, actual.split())\n"
    "    except ValueError:\n"
    "        return False\n"
    "    return a > 0 and b > 0 and a + b == n\n",
    "two-summands",
)
TEST = (StdioTest("10\n", "3 7\n"),)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[ZygoteSandbox]:
    async with ZygoteSandbox(1, allow_unsafe=True) as made:
        yield made


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("n = int(input())\nprint(1, n - 1)", Status.AC),
        ("print(5)\nprint(5)", Status.AC),
        ("print(3, 8)", Status.WA),
        ("print('3 7 extra')", Status.WA),
        ("print(-1, 11)", Status.WA),
        ("pass", Status.WA),
        ("1 / 0", Status.RE),
        ("while True: pass", Status.TLE),
    ],
)
async def test_any_right_answer_is_accepted(sandbox: ZygoteSandbox, program: str, status: Status) -> None:
    verdict = await sandbox.judge(program, Suite(TEST, LIMITS, PAIR))
    assert verdict.status is status
    assert verdict.tests[0].peak_mib > 1


async def test_float_tolerance_of_the_problem_s_own(sandbox: ZygoteSandbox) -> None:
    checker = Checker("def check(input, expected, actual): return abs(float(actual) - float(expected)) < 0.05")
    tests = (StdioTest("", "3.14159"),)
    assert (await sandbox.judge("print(3.1)", Suite(tests, LIMITS, checker))).accepted
    assert (await sandbox.judge("print(3.0)", Suite(tests, LIMITS, checker))).status is Status.WA


async def test_calls_are_checked_by_exact_type(sandbox: ZygoteSandbox) -> None:
    source = (
        "def check(input, expected, actual):\n"
        "    (numbers,) = input\n"
        "    return type(input) is tuple and type(numbers) is list and type(actual) is type(expected) is set\n"
    )
    tests = (CallTest("f", ([1, 2],), {1}),)
    assert (await sandbox.judge("def f(x): return {9}", Suite(tests, LIMITS, Checker(source)))).accepted
    verdict = await sandbox.judge("def f(x):\n    x.clear()\n    return [9]", Suite(tests, LIMITS, Checker(source)))
    assert verdict.status is Status.WA
    liar = "class S(set):\n    def __eq__(s, o): return True\n    __hash__ = None\ndef f(x): return S()"
    equal = Checker("def check(input, expected, actual): return actual == expected")
    assert (await sandbox.judge(liar, Suite(tests, LIMITS, equal))).status is Status.WA
    thing = "class T:\n    def __eq__(s, o): return True\ndef f(x): return T()"
    assert (await sandbox.judge(thing, Suite(tests, LIMITS, equal))).status is Status.WA


async def test_stops_at_the_first_failure_and_checks_every_test_when_asked(sandbox: ZygoteSandbox) -> None:
    tests = tuple(StdioTest(f"{n}\n", "") for n in (3, 10, 3))
    program = "print(1, 2)"
    verdict = await sandbox.judge(program, Suite(tests, LIMITS, PAIR))
    assert [t.status for t in verdict.tests] == [Status.AC, Status.WA, Status.SKIPPED]
    verdict = await sandbox.judge(program, Suite(tests, LIMITS, PAIR), stop_at_first_failure=False)
    assert [t.status for t in verdict.tests] == [Status.AC, Status.WA, Status.AC]


async def test_assertions_decide_for_themselves(sandbox: ZygoteSandbox) -> None:
    never = Checker("def check(input, expected, actual): return False")
    tests = (AssertTest("assert f() == 1"), AssertTest("assert f() == 2"))
    verdict = await sandbox.judge("def f(): return 1", Suite(tests, LIMITS, never))
    assert [t.status for t in verdict.tests] == [Status.AC, Status.WA]
    mixed = (AssertTest("assert f() == 1"), CallTest("f", (), 1))
    assert (await sandbox.judge("def f(): return 1", Suite(mixed, LIMITS, never))).status is Status.WA


FORGED = "b't\\x02\\x00\\x00\\x00s\\x07\\x00\\x00\\x00checkedT'"
HOSTILE = {
    "the checker's own report": f"import sys\nsys.stdout.buffer.write({FORGED})",
    "words of success": "print('True'); print('checked True'); print('AC')",
    "bytes that are no text": "import sys\nsys.stdout.buffer.write(bytes(range(256)))",
    "null bytes": "print('\\0' * 1000)",
    "python": "print('__import__(\"os\")._exit(0)')",
    "writes into every descriptor": (
        "import os\n"
        "for fd in range(3, 200):\n"
        f"    try: os.write(fd, b'd\\x0c\\x00\\x00\\x00\\x01'); os.pwrite(fd, {FORGED}, 0)\n"
        "    except OSError: pass\n"
    ),
    "a file for the checker": "open('/tmp/check.py', 'w').write('x')\nprint('True')",
    "a patched library": "import builtins\nbuiltins.map = lambda f, x: (5, 5)\nprint('x y')",
    "silent exit": "import os\nos._exit(0)",
    "a long line": "print('1 ' * 100000)",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_output_is_only_an_answer(sandbox: ZygoteSandbox, name: str) -> None:
    verdict = await sandbox.judge(HOSTILE[name], Suite(TEST, LIMITS, PAIR))
    assert verdict.status in (Status.WA, Status.RE)
    assert (await sandbox.judge(f"print(4, 6)  # after {name}", Suite(TEST, LIMITS, PAIR))).accepted


async def test_the_candidate_never_sees_the_checker_or_what_is_expected(sandbox: ZygoteSandbox) -> None:
    """All memory that Python can name is searched, in a program judged after another one has been checked."""
    secret = "".join(("s3cr3t", "-0", "xyz"))
    checker = Checker(f"SECRET = {secret!r}\ndef check(input, expected, actual): return actual.strip() == 'clean'")
    program = (
        "import gc\n"
        "word = '-0'.join(('s3cr3t', 'xyz'))\n"
        "seen = [o for o in gc.get_objects() if type(o) in (dict, list, tuple) and any("
        "type(v) in (str, bytes) and (word if type(v) is str else word.encode()) in v "
        "and v is not word for v in (o.values() if type(o) is dict else o))]\n"
        "print('found' if seen else 'clean')\n"
    )
    verdict = await sandbox.judge(
        program, Suite((StdioTest("", secret),) * 3, LIMITS, checker), stop_at_first_failure=False
    )
    assert verdict.accepted, verdict


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return int(actual) == 1", r"test 1: raised ValueError: invalid literal .* \(line 1\)"),
        ("return 1", "returned int, not a bool"),
        ("return None", "returned NoneType, not a bool"),
        ("raise SystemExit", "raised SystemExit"),
        ("return check(input, expected, actual)", "raised RecursionError"),
        ("import os; os._exit(0)", "ended without an answer"),
        ("return [0] * 10**12 == []", "raised MemoryError"),
        ("open('/tmp/x', 'w').write(actual); raise KeyError(actual)", "raised"),
    ],
)
async def test_a_checker_s_fault_is_the_judge_s_and_names_the_problem(
    sandbox: ZygoteSandbox, body: str, why: str
) -> None:
    checker = Checker(f"def check(input, expected, actual): {body}", "p-17")
    with pytest.raises(CheckerError, match=f"problem p-17: checker: .*{why}") as caught:
        await sandbox.judge("print('x\\n\\x1b[31my')", Suite(TEST, LIMITS, checker))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert sandbox.num_worker_failures == 0
    assert (await sandbox.judge("print(4, 6)", Suite(TEST, LIMITS, PAIR))).accepted


async def test_a_checker_that_hangs_is_ended(sandbox: ZygoteSandbox) -> None:
    checker = Checker("def check(input, expected, actual):\n    while True: pass", "slow")
    with pytest.raises(CheckerError, match=r"problem slow: checker: test 1: did not end within its cpu limit"):
        await sandbox.judge("print(1)", Suite(TEST, LIMITS, checker))


async def test_another_checker_is_another_judgement(sandbox: ZygoteSandbox) -> None:
    yes = Checker("def check(input, expected, actual): return True", "a")
    no = Checker("def check(input, expected, actual): return False", "a")
    program = "print('the same')"
    assert (await sandbox.judge(program, Suite(TEST, LIMITS, yes))).accepted
    assert (await sandbox.judge(program, Suite(TEST, LIMITS, no))).status is Status.WA
    hits = sandbox.num_cache_hits
    assert (await sandbox.judge(program, Suite(TEST, LIMITS, yes))).accepted
    assert sandbox.num_cache_hits == hits + 1


async def test_batch_files_carry_checkers(sandbox: ZygoteSandbox) -> None:
    task = {"id": "t", "program": "print(6, 4)", "tests": {"kind": "stdio", "inputs": ["10"], "outputs": ["3 7"]}}
    lines = [json.dumps(task | {"checker": PAIR.source}), json.dumps(task)]
    answers = [a async for a in judge_tasks(lines, sandbox, at_once=2)]
    assert [a["verdict"] for a in answers] == ["AC", "WA"]
    both = json.dumps(task | {"checker": PAIR.source, "comparison": "exact"})
    with pytest.raises(UserError, match=r"line 1: .*both comparison and checker"):
        [a async for a in judge_tasks([both], sandbox, at_once=1)]
