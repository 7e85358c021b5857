"""What every source of problems promises. A new benchmark is added to `ROWS` and passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mars2.core.errors import ProblemError
from mars2.core.problem import Limits, Problem
from mars2.core.protocols import ProblemSource
from mars2.lab.prompting import LabPrompter, show_call
from mars2.lab.tasks import LabProblems
from mars2.problems import ReferenceSource, read_jsonl, write_jsonl
from mars2.problems.resolve import FORMATS
from mars2.prompting.chat import ChatPrompter

HIDDEN = 7312845  # stands in hidden tests only

Row = dict[str, Any]


def _humaneval(n: int) -> Row:
    return {
        "task_id": f"HumanEval/{n}",
        "prompt": f'def f(x):\n    """Give back x + {n}.\n    >>> f(1)\n    {n + 1}\n    """\n',
        "entry_point": "f",
        "canonical_solution": f"    return x + {n}\n",
        "test": f"def check(candidate):\n    assert candidate({HIDDEN}) == {HIDDEN + n}\n",
    }


def _mbpp(n: int) -> Row:
    return {
        "task_id": n,
        "text": f"Write a function f that adds {n}.",
        "code": f"def f(x):\n    return x + {n}",
        "test_list": [f"assert f(1) == {n + 1}", f"assert f({HIDDEN}) == {HIDDEN + n}"],
        "test_setup_code": "",
        "challenge_test_list": [],
    }


def _humanevalplus(n: int) -> Row:
    """As the Hub has it."""
    return _humaneval(n) | {
        "test": "def assertion(out, exp, atol):\n    assert out == exp\n\ndef check(candidate):\n"
        f"    inputs = [[{HIDDEN}]]\n    results = [{HIDDEN + n}]\n"
        "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n        assertion(candidate(*inp), exp, 0)\n",
    }


def _mbppplus(n: int) -> Row:
    """As the Hub has it."""
    return _mbpp(n) | {
        "test_list": [f"assert f(1) == {n + 1}"],
        "test": "def assertion(out, exp, atol):\n    assert out == exp\n\n"
        f"inputs = [[{HIDDEN}]]\nresults = [{HIDDEN + n}]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion(f(*inp), exp, 0)\n",
    }


def _codeforces(n: int) -> Row:
    return {
        "id": f"{n}/A",
        "description": f"Read x, print x + {n}.",
        "examples": _pairs(n)[:1],
        "official_tests": _pairs(n),
    }


def _codecontestsplus(n: int) -> Row:
    return {"id": f"{n}_A", "description": _statement(n), "checker": "", "test_cases": _pairs(n)}


def _hardtests(n: int) -> Row:
    return {"pid": f"codeforces_{n}", "question_content": _statement(n), "test_cases": _pairs(n)}


def _bigcodebench(n: int) -> Row:
    return {
        "task_id": f"BigCodeBench/{n}",
        "complete_prompt": f'def task_func(x):\n    """Give back x + {n}."""\n',
        "instruct_prompt": f"Write task_func, which gives back x + {n}.",
        "test": "import unittest\nclass TestCases(unittest.TestCase):\n"
        f"    def test(self):\n        self.assertEqual(task_func({HIDDEN}), {HIDDEN + n})\n",
        "code_prompt": "def task_func(x):\n",
        "entry_point": "task_func",
        "libs": "[]",
    }


def _livecodebench(n: int) -> Row:
    return {
        "question_id": f"abc{n}",
        "question_content": f"Read x, print x + {n}.",
        "contest_date": "2024-01-01T00:00:00",
        "starter_code": "",
        "metadata": "{}",
        "public_test_cases": json.dumps([{"input": "1\n", "output": f"{n + 1}\n", "testtype": "stdin"}]),
        "private_test_cases": json.dumps([{"input": f"{HIDDEN}\n", "output": f"{HIDDEN + n}\n", "testtype": "stdin"}]),
    }


def _deepcoder(n: int) -> Row:
    return {"problem": f"Read x, print x + {n}.", "tests": json.dumps(_cases(n))}


def _apps(n: int) -> Row:
    return {
        "problem_id": n,
        "question": _statement(n),
        "input_output": json.dumps(_cases(n)),
        "starter_code": "",
        "difficulty": "easy",
    }


def _codecontests(n: int) -> Row:
    return {
        "name": f"contest_{n}",
        "description": f"Read x, print x + {n}.",
        "public_tests": {"input": ["1\n"], "output": [f"{n + 1}\n"]},
        "private_tests": {"input": [f"{HIDDEN}\n"], "output": [f"{HIDDEN + n}\n"]},
        "generated_tests": {"input": [], "output": []},
    }


def _cases(n: int) -> dict[str, list[str]]:
    return {"inputs": ["1\n", f"{HIDDEN}\n"], "outputs": [f"{n + 1}\n", f"{HIDDEN + n}\n"]}


def _pairs(n: int) -> list[dict[str, str]]:
    return [{"input": "1\n", "output": f"{n + 1}\n"}, {"input": f"{HIDDEN}\n", "output": f"{HIDDEN + n}\n"}]


def _statement(n: int) -> str:
    return f"Print x + {n}.\n\nExamples\n\nInput\n1\n\nOutput\n{n + 1}\n"


ROWS: dict[str, Callable[[int], Row]] = {
    "humaneval": _humaneval,
    "mbpp": _mbpp,
    "humanevalplus": _humanevalplus,
    "mbppplus": _mbppplus,
    "livecodebench": _livecodebench,
    "deepcoder": _deepcoder,
    "taco": _apps,
    "apps": _apps,
    "codecontests": _codecontests,
    "codecontestsplus": _codecontestsplus,
    "codeforces": _codeforces,
    "hardtests": _hardtests,
    "bigcodebench": _bigcodebench,
}
WITHOUT_EXAMPLES = ("bigcodebench/",)  # the statement says all
SPLITS: tuple[tuple[Any, range], ...] = (("train", range(1, 5)), ("test", range(5, 8)))


def benchmark(name: str, folder: Path) -> ProblemSource:
    for split, numbers in SPLITS:
        lines = [json.dumps(ROWS[name](n)) for n in numbers]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return ReferenceSource(f"{name}:{folder / 'train.jsonl'}", f"{name}:{folder / 'test.jsonl'}")


def own_data(n: int) -> Row:
    return {
        "id": f"plus-{n}",
        "statement": f"Read x, print x + {n}.",
        "tests": {
            "public": [{"input": "1\n", "output": f"{n + 1}\n"}],
            "hidden": [{"input": f"{HIDDEN}\n", "output": f"{HIDDEN + n}\n"}],
        },
        "limits": {"cpu_s": 1.5},
    }


def json_lines(folder: Path) -> ProblemSource:
    for split, numbers in SPLITS:
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(own_data(n)) + "\n" for n in numbers))
    return ReferenceSource(str(folder / "train.jsonl"), str(folder / "test.jsonl"))


def files(folder: Path) -> ProblemSource:
    for split, numbers in SPLITS:
        (folder / split).mkdir()
        for n in numbers:
            (folder / split / f"plus-{n}.json").write_text(json.dumps(own_data(n)))
    return ReferenceSource(str(folder / "train"), str(folder / "test"))


def lab(folder: Path) -> ProblemSource:
    return LabProblems(num_train=4, num_test=3, seed=1)


MAKERS: dict[str, Callable[[Path], ProblemSource]] = {
    **{name: (lambda folder, name=name: benchmark(name, folder)) for name in ROWS},
    "JSON lines": json_lines,
    "files": files,
    "lab": lab,
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ProblemSource]:
    """Makes the same source, each time anew."""
    made = iter(range(9))

    def new() -> ProblemSource:
        folder = tmp_path / str(next(made))
        folder.mkdir()
        return MAKERS[request.param](folder)

    return new


@pytest.fixture
def source(make: Callable[[], ProblemSource]) -> ProblemSource:
    return make()


def every(source: ProblemSource) -> list[Problem]:
    return [*source.load("train"), *source.load("test")]


def test_every_benchmark_is_in_this_suite() -> None:
    assert set(ROWS) == set(FORMATS)


def test_a_split_is_the_same_each_time_and_in_the_same_order(make: Callable[[], ProblemSource]) -> None:
    first, second = make(), make()
    for split, numbers in SPLITS:
        problems = first.load(split)
        assert len(problems) == len(numbers)
        assert list(first.load(split)) == list(problems)
        assert [p.statement for p in second.load(split)] == [p.statement for p in problems]
        assert [p.hidden_tests for p in second.load(split)] == [p.hidden_tests for p in problems]


def test_within_a_split_no_id_occurs_twice_and_no_problem_is_in_both_splits(source: ProblemSource) -> None:
    for split, _ in SPLITS:
        ids = [problem.id for problem in source.load(split)]
        assert all(ids)
        assert len(set(ids)) == len(ids)
    train, test = ({p.statement for p in source.load(split)} for split, _ in SPLITS)
    assert not train & test


def test_every_problem_can_be_asked_and_judged(source: ProblemSource) -> None:
    for problem in every(source):
        assert problem.statement.strip()
        assert problem.public_tests or problem.id.startswith(WITHOUT_EXAMPLES)
        assert problem.hidden_tests
        assert problem.limits.cpu_s > 0
        assert problem.limits.memory_mib > 0


def test_hidden_tests_are_not_among_the_public_ones_nor_in_what_an_agent_may_see(source: ProblemSource) -> None:
    for problem in every(source):
        assert not [test for test in problem.hidden_tests if test in problem.public_tests]
        seen = problem.visible()
        assert seen.public_tests == problem.public_tests
        assert not hasattr(seen, "hidden_tests")
        if not problem.id.startswith("lab/"):
            assert str(HIDDEN) in repr(problem.hidden_tests)
        assert str(HIDDEN) not in repr(seen)
        assert str(HIDDEN) not in repr(ChatPrompter().first_attempt(problem, ""))


def test_in_the_lab_no_prompt_shows_a_hidden_example() -> None:
    for problem in every(LabProblems(num_train=30, num_test=30, seed=0)):
        lines = LabPrompter().first_attempt(problem, "")[-1].content.splitlines()
        assert [show_call(test) for test in problem.public_tests] == lines[-len(problem.public_tests) :]
        assert not {show_call(test) for test in problem.hidden_tests} & set(lines)


def test_the_suites_carry_the_problems_limits_and_comparison(source: ProblemSource) -> None:
    limits = Limits(cpu_s=0.5, memory_mib=64)
    for problem in every(source):
        limited = problem.with_limits(limits)
        assert replace(limited, limits=problem.limits) == problem
        for suite, tests in ((limited.public, problem.public_tests), (limited.hidden, problem.hidden_tests)):
            assert (suite.tests, suite.limits, suite.comparison) == (tests, limits, problem.comparison)


def test_problems_written_as_json_lines_are_read_back_equal(source: ProblemSource, tmp_path: Path) -> None:
    problems = every(source)
    numbered = [replace(problem, id=f"{number}") for number, problem in enumerate(problems)]
    written = write_jsonl(numbered, tmp_path / "out.jsonl")
    assert written.dropped == ()
    assert list(read_jsonl(tmp_path / "out.jsonl").problems) == numbered


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_and_a_repeated_id_are_left_out_with_their_reasons_and_the_others_stay(name: str) -> None:
    rows = [ROWS[name](n) for n in (1, 2, 3)]
    alone = FORMATS[name].load("here", rows)
    loaded = FORMATS[name].load("here", [*rows, {"unknown": 1}])
    assert loaded.problems == alone.problems
    assert [bool(dropped.reason) for dropped in loaded.dropped] == [True]
    ids = {FORMATS[name].row_id(row, 0) for row in (rows[0], rows[0])}
    twice = FORMATS[name].load("here", [rows[0], rows[0], rows[1]])
    if FORMATS[name].join:  # rows of one id are parts of one problem
        assert (twice.problems, twice.dropped) == (alone.problems[:2], ())
    elif len(ids) == 1 and FORMATS[name].row_id(rows[0], 0) == FORMATS[name].row_id(rows[0], 1):
        assert [problem.id for problem in twice.problems] == [problem.id for problem in alone.problems[:2]]
        assert [dropped.reason for dropped in twice.dropped] == ["its id is used before"]


@pytest.mark.parametrize("reference", [*(f"{name}:no-such-file.jsonl" for name in ROWS), "no-such.jsonl", "no-such/"])
def test_a_source_that_is_not_there_is_one_line_that_names_it(reference: str) -> None:
    with pytest.raises(ProblemError, match="no-such") as refused:
        ReferenceSource(reference, reference).load("train")
    assert "\n" not in str(refused.value)
