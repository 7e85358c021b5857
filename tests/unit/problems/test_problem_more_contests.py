"""Rows of open-r1/codeforces, CodeContests+ and HardTests (fields as on their dataset cards) and of BigCodeBench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Judge
from mars2.core.errors import ProblemError
from mars2.core.problem import StdioTest
from mars2.problems import load_problem, load_problems
from mars2.problems.bigcodebench import BIGCODEBENCH
from mars2.problems.codecontests import CODECONTESTS
from mars2.problems.codecontests_plus import CODECONTESTS_PLUS
from mars2.problems.codeforces import CODEFORCES
from mars2.problems.hardtests import HARDTESTS
from mars2.problems.loaded import Row, RowFault, RowFormat

SUM_CHECKER = """import sys

def main():
    input_path, expected_path, output_path = sys.argv[1:4]
    with open(input_path) as f:
        n = int(f.readline())
    with open(output_path, 'r') as f:
        numbers = list(map(int, f.read().split()))
    print(1 if len(numbers) == 2 and sum(numbers) == n else 0)

if __name__ == "__main__":
    main()
"""
OWN_CHECKER = "def check(input, expected, actual):\n    return int(actual) > 0\n"
CODEFORCES_ROW: Row = {
    "id": "900/A",
    "contest_id": "900",
    "title": "Split",
    "description": "Write n as a sum of two integers.",
    "input_format": "One integer n.",
    "output_format": "Two integers.",
    "interaction_format": None,
    "note": None,
    "examples": [{"input": "3\n", "output": "1 2\n"}],
    "official_tests": [{"input": "3\n", "output": "1 2\n"}, {"input": "10\n", "output": "5 5\n"}],
    "official_tests_complete": True,
    "input_mode": "stdio",
    "generated_checker": SUM_CHECKER,
    "time_limit": 1.0,
    "memory_limit": 1024.0,
    "executable": True,
}
PLUS_ROW: Row = {
    "source": "Codeforces",
    "id": "900_A",
    "title": "Twice",
    "description": "Print 2n.\n\nExample input\n3\nExample output\n6",
    "time_limit": 20000,
    "memory_limit": 256,
    "checker": "",
    "correct_submissions": [
        {"code": "int main(){}", "language": "cpp"},
        {"code": "print(2 * int(input()))", "language": "py3"},
    ],
    "test_cases": [{"input": "3", "output": "6"}, {"input": "4", "output": "8"}],
}  # fmt: skip
HARD_PROBLEM: Row = {
    "pid": "codeforces_900_A",
    "question_title": "Split",
    "question_content": "Write n as a sum of two integers.",
    "starter_code": "",
    "solutions": [{"code": "print(1, int(input()) - 1)", "language": "python3", "source": "x"}],
}
HARD_TESTS: Row = {
    "pid": "codeforces_900_A",
    "test_cases_kit": {
        "output_judging_function": (
            "def output_judging_function(input_str: str, candidate_output: str, reference_output: str) -> bool:\n"
            "    return sum(map(int, candidate_output.split())) == int(input_str)\n"
        )
    },
    "mapping": {},
    "test_cases": [{"input": "3", "output": "1 2"}, {"input": "10", "output": "5 5"}],
}
BIG_ROW: Row = {
    "task_id": "BigCodeBench/7",
    "complete_prompt": (
        "import random\nimport statistics\n\ndef task_func(n):\n    '''\n    Mean of n random numbers.\n    '''\n"
    ),
    "instruct_prompt": "Mean of n random numbers.",
    "canonical_solution": (
        "    if n < 0:\n        raise ValueError\n    return statistics.mean(random.random() for _ in range(n))\n"
    ),
    "code_prompt": "import random\nimport statistics\ndef task_func(n):\n",
    "test": (
        "import unittest\nfrom unittest.mock import patch\n\n"
        "class TestCases(unittest.TestCase):\n"
        "    @patch('random.random', return_value=0.5)\n"
        "    def test_patched(self, mock):\n        self.assertEqual(task_func(3), 0.5)\n"
        "    def test_error(self):\n        with self.assertRaises(ValueError):\n            task_func(-1)\n"
        "    def test_names_of_the_program(self):\n        self.assertTrue(statistics.mean([1]) == 1)\n"
    ),
    "entry_point": "task_func",
    "doc_struct": "{}",
    "libs": "['random', 'statistics']",
}


@pytest.mark.parametrize(
    ("form", "row", "program", "status"),
    [
        (CODEFORCES, CODEFORCES_ROW, "print(0, int(input()))", "AC"),
        (CODEFORCES, CODEFORCES_ROW, "print(0, 5)", "WA"),
        (CODEFORCES, CODEFORCES_ROW, "print('no')", "WA"),  # the checker raises: no 1 is printed
        (CODEFORCES, CODEFORCES_ROW, "print()", "WA"),
        (CODEFORCES, CODEFORCES_ROW | {"generated_checker": None}, "n = int(input())\nprint(n // 2, n - n // 2)", "AC"),
        (CODEFORCES, CODEFORCES_ROW | {"generated_checker": None}, "print(0, int(input()))", "WA"),
        (CODEFORCES, CODEFORCES_ROW | {"generated_checker": SUM_CHECKER + "    exit()"}, "print(0, input())", "AC"),
        (CODECONTESTS_PLUS, PLUS_ROW, "print(2 * int(input()))", "AC"),
        (CODECONTESTS_PLUS, PLUS_ROW, "print(6)", "WA"),
        (CODECONTESTS_PLUS, PLUS_ROW | {"checker": OWN_CHECKER}, "print(7)", "AC"),
        (CODECONTESTS_PLUS, PLUS_ROW | {"checker": OWN_CHECKER}, "print(-7)", "WA"),
        (HARDTESTS, HARD_PROBLEM | HARD_TESTS, "print(0, int(input()))", "AC"),
        (HARDTESTS, HARD_PROBLEM | HARD_TESTS, "print(0, 3)", "WA"),
        (HARDTESTS, HARD_PROBLEM | HARD_TESTS | {"test_cases_kit": None}, "print(0, int(input()))", "WA"),
        (BIGCODEBENCH, BIG_ROW, BIG_ROW["complete_prompt"] + BIG_ROW["canonical_solution"], "AC"),
        (BIGCODEBENCH, BIG_ROW, "import statistics\ndef task_func(n): return 0.5", "WA"),
        (BIGCODEBENCH, BIG_ROW | {"test": "import unittest\nclass TestCases(unittest.TestCase): pass"}, "x = 1", "WA"),
    ],
)  # fmt: skip
def test_right_and_wrong_programs(judge: Judge, form: RowFormat, row: Row, program: str, status: str) -> None:
    (problem,) = form.load("here", [row]).problems
    verdict = judge(problem, (*problem.public_tests, *problem.hidden_tests), program)
    assert verdict.status.value == status, verdict


@pytest.mark.parametrize(
    ("form", "row", "change", "fault"),
    [
        (CODEFORCES, CODEFORCES_ROW, {"interaction_format": "Ask with ?"}, "interactive"),
        (CODEFORCES, CODEFORCES_ROW, {"input_mode": "file"}, "reads or writes files: input_mode is file"),
        (CODEFORCES, CODEFORCES_ROW, {"executable": False}, "not executable"),
        (CODEFORCES, CODEFORCES_ROW, {"generated_checker": "#include <testlib.h>\nint main() {"}, "malformed checker"),
        (CODEFORCES, CODEFORCES_ROW, {"examples": [], "official_tests": []}, "no tests"),
        (CODEFORCES, CODEFORCES_ROW, {"official_tests": [3]}, "malformed tests: official_tests is not a list"),
        (CODEFORCES, CODEFORCES_ROW, {"time_limit": 10**400}, "malformed field: time_limit"),
        (CODECONTESTS_PLUS, PLUS_ROW, {"checker": '#include "testlib.h"\nint main() {}'}, "its checker is not Python"),
        (CODECONTESTS_PLUS, PLUS_ROW, {"test_cases": None}, "no tests: the parts 1x to 5x"),
        (HARDTESTS, HARD_PROBLEM, {}, "no tests: join the rows of sigcp/hardtests_tests by pid"),
        (
            HARDTESTS,
            HARD_PROBLEM | HARD_TESTS,
            {"test_cases_kit": {"output_judging_function": "def f("}},
            "malformed checker",
        ),
        (BIGCODEBENCH, BIG_ROW, {"libs": "['pandas', 'numpy', 'requests']"}, "not in the judge: pandas, requests"),
        (BIGCODEBENCH, BIG_ROW, {"test": "import faker\n" + BIG_ROW["test"]}, "not in the judge: faker"),
        (BIGCODEBENCH, BIG_ROW, {"libs": "pandas"}, "malformed field: libs"),
        (BIGCODEBENCH, BIG_ROW, {"test": "assert task_func(1)"}, "malformed tests: test: no class TestCases"),
        (BIGCODEBENCH, BIG_ROW, {"test": "class TestCases("}, "malformed field: test: not valid Python"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused_by_name(form: RowFormat, row: Row, change: Row, fault: str) -> None:
    with pytest.raises(RowFault, match=fault):
        form.to_problem(row | change, "x")


def test_what_a_problem_of_codeforces_is() -> None:
    (problem,) = CODEFORCES.load("here", [CODEFORCES_ROW]).problems
    assert problem.id == "codeforces/900/A"
    assert problem.statement == (
        "Split\n\nWrite n as a sum of two integers.\n\nInput\n\nOne integer n.\n\nOutput\n\nTwo integers."
    )
    assert (problem.public_tests, problem.hidden_tests) == (
        (StdioTest("3\n", "1 2\n"),),
        (StdioTest("10\n", "5 5\n"),),
    )
    assert (problem.limits.cpu_s, problem.limits.memory_mib) == (6.0, 1024)


def test_the_two_data_sets_of_hardtests_are_joined_by_pid(tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text(json.dumps(HARD_PROBLEM) + "\n" + json.dumps(HARD_PROBLEM | {"pid": "b"}))
    (tmp_path / "tests.jsonl").write_text(json.dumps(HARD_TESTS))
    loaded = load_problems(f"hardtests:{tmp_path}")
    assert [p.id for p in loaded.problems] == ["hardtests/codeforces_900_A"]
    assert [(d.id, d.reason) for d in loaded.dropped] == [("hardtests/b", "no tests")]
    problem = load_problem(f"hardtests:{tmp_path}:codeforces_900_A")
    assert problem.metadata["reference_solution"] == ["print(1, int(input()) - 1)"]
    with pytest.raises(ProblemError, match="hardtests/b cannot be used: no tests"):
        load_problem(f"hardtests:{tmp_path}:b")


def test_only_programs_in_python_3_are_references() -> None:
    solutions = {
        "language": [2, 3, 3, 3, 1],
        "solution": ["int main(){}", "print 1", "print(1)", "print(2)", "print 3"],
    }
    row = {"description": "d", "public_tests": {"input": ["1"], "output": ["1"]}, "solutions": solutions}
    assert CODECONTESTS.to_problem(row, "x").metadata["reference_solution"] == ["print(1)", "print(2)"]
    plus: Any = CODECONTESTS_PLUS.to_problem(PLUS_ROW, "x")
    assert plus.metadata["reference_solution"] == ["print(2 * int(input()))"]
    assert (plus.limits.cpu_s, plus.public_tests) == (20.0, (StdioTest("3", "6"),))
