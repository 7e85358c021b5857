"""Programs that are right (or wrong) by the rule of their source, judged for real as rows of the published formats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mars2.build.sandbox import Mode
from mars2.core.verdict import Status
from mars2.jobs.judge import judge_async
from mars2.problems.apps import APPS
from mars2.problems.codecontests import CODECONTESTS
from mars2.problems.deepcoder import DEEPCODER
from mars2.problems.livecodebench import livecodebench
from mars2.problems.loaded import RowFormat
from mars2.sandbox import ZygoteSandbox

LIVECODEBENCH = livecodebench()
DEEP = """class Solution:
    def depth(self, parent: List[int]) -> int:
        kids = defaultdict(list)
        for i, p in enumerate(parent):
            kids[p].append(i)
        def dfs(v):
            return 1 + max((dfs(k) for k in kids[v]), default=0)
        return dfs(0)
"""
HELPER = "def total(a, memo): return sum(a)\nclass Solution:\n    def total(self, a: List[int]): return total(a, {})\n"
AREA = "r = float(input())\nprint(f'{3.14159265358979 * r * r:.9f}')\n"
YES_OR_NO = "print('Yes' if int(input()) % 2 else 'No')\n"


def _apps(output: Any, given: Any, function: str | None = None) -> tuple[RowFormat, dict[str, Any]]:
    tests = {"inputs": [given], "outputs": [output]} | ({"fn_name": function} if function else {})
    return APPS, {"question": "Q", "input_output": json.dumps(tests)}


def _contest(output: str) -> tuple[RowFormat, dict[str, Any]]:
    return CODECONTESTS, {"description": "Q", "public_tests": {"input": ["1\n"], "output": [output]}}


def _lcb(given: str, output: str, method: str = "") -> tuple[RowFormat, dict[str, Any]]:
    case = {"input": given, "output": output, "testtype": "functional" if method else "stdin"}
    row = {
        "question_content": "Q",
        "contest_date": "2024-09-01T00:00:00",
        "starter_code": f"class Solution:\n    def {method}(self, a: List[int]) -> int:\n        " if method else "",
        "public_test_cases": json.dumps([case]),
        "metadata": json.dumps({"func_name": method} if method else {}),
    }
    return LIVECODEBENCH, row


def _deepcoder(case: dict[str, Any]) -> tuple[RowFormat, dict[str, Any]]:
    return DEEPCODER, {"problem": "Q", "tests": json.dumps([case])}


ROWS: tuple[tuple[tuple[RowFormat, dict[str, Any]], str, str], ...] = (
    (_apps("12.566370614359172\n", "2\n"), "print('%.8f' % (math.pi * float(input()) ** 2))", "AC"),
    (_apps([[[1, 2], [2, 3]]], [[1, 2]], "pairs"), "def pairs(xs): return [(x, x + 1) for x in xs]", "AC"),
    (_apps([1.6666666666666667], [[1, 2, 2]], "avg"), "def avg(xs): return sum(x / len(xs) for x in xs)", "AC"),
    (_apps([2], [[1, 2]], "evens"), "def evens(xs): return [x for x in xs if x % 2 == 0]", "AC"),
    (_apps([2], [[1, 2]], "evens"), "def evens(xs): return [[x] for x in xs if x % 2 == 0]", "WA"),
    (_apps("a\n\nb\n", "2\n"), "print('a'); print('b')", "AC"),
    (_apps("1000000\n", "2\n"), "print(1000001)", "WA"),
    (_apps([{"a": 2, "b": 1}], ["aab"], "count"), "def count(a): return Counter(a)", "AC"),
    (_contest("YES\n"), YES_OR_NO, "AC"),
    (_contest("NO\n"), YES_OR_NO, "WA"),
    (_contest("0.500000\n"), "print('%.6f' % 0.500003)", "AC"),
    (_lcb(json.dumps([*range(-1, 5999)]), "6000", "depth"), DEEP, "AC"),
    (_lcb("20000\n", "20000\n"), "def f(n): return n and 1 + f(n - 1)\nprint(f(int(input())))", "AC"),
    (_lcb("[1, 2]", "3", "total"), HELPER, "AC"),
    (_lcb("a b\n", "b a\n"), "a, b = stdin.readline().split()\nprint(b, a)", "AC"),
    (_lcb("9\n", "9\n"), "a = [0] * 90_000_000\na[9] = int(input())\nprint(a[9])", "AC"),
    (_lcb("2\n", "12.566370614359172\n"), AREA, "AC"),
    (_lcb("2\n", "12.567\n"), AREA, "WA"),
    (_deepcoder({"type": "function_call", "fn_name": "f", "input": [3], "output": [[3, 4]]}),
     "def f(x): return x, x + 1", "AC"),
    (_deepcoder({"input": "3", "output": "6 0.5\n", "testtype": "stdin"}), "print(6, 0.5000001)", "AC"),
    (_deepcoder({"input": "3", "output": "a  b", "testtype": "stdin"}), "print('a b')", "WA"),
    (_deepcoder({"input": "3", "output": "a  b"}), "print('a b')", "AC"),
)  # fmt: skip
"""(row, program, verdict)."""


@pytest.mark.parametrize("mode", ["batch", "hermetic"])
async def test_programs_are_judged_by_the_rule_of_their_source(mode: Mode) -> None:
    unlike: list[tuple[str, Status, str]] = []
    async with ZygoteSandbox(1, mode=mode, allow_unsafe=True) as sandbox:
        for (rows_format, row), program, status in ROWS:
            verdict = await judge_async(program, rows_format.to_problem(row, "row"), sandbox=sandbox)
            if verdict.status is not Status(status):
                unlike.append((program, verdict.status, str(verdict.tests[0].actual)))
    assert unlike == []
