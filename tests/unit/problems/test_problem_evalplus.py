"""HumanEval+ and MBPP+: rows as the Hub has them (tools/*/to_original_fmt.py of EvalPlus writes them) and as the
release files have them (evalplus/data), judged with right and wrong programs."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import Judge
from mars2.core.errors import ProblemError
from mars2.core.problem import AssertTest, Problem
from mars2.problems import load_problem, load_problems
from mars2.problems.evalplus import plus_tests
from mars2.problems.evalplus_tests import INPUTS_PER_TEST
from mars2.problems.humaneval import HUMANEVAL, HUMANEVAL_PLUS
from mars2.problems.loaded import RowFault
from mars2.problems.mbpp import MBPP, MBPP_PLUS

HELPERS = """import numpy as np
from math import inf

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)) and x:
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False


def assertion(out, exp, atol):
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if out != exp and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp, f"out: {out}, exp: {exp}"

"""
SETS = HELPERS.replace("    if out != exp", "    out = set(out)\n    exp = set(exp)\n    if out != exp")


def humaneval_row(inputs: object, results: object = None, *, reference: str = "", **row: Any) -> dict[str, Any]:
    entry_point = row.get("entry_point", "f")
    head = f"    inputs = {inputs}\n"
    if reference:
        loop = f"    for i, inp in enumerate(inputs):\n        assertion(candidate(*inp), ref_func(*inp), 0)\n"  # noqa: F541
    else:
        head += f"    results = {results}\n"
        loop = "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n        assertion(candidate(*inp), exp, 0)\n"
    return {
        "task_id": "HumanEval/7",
        "prompt": f'def {entry_point}(x):\n    """ Something. """\n',
        "canonical_solution": "    return x\n",
        "entry_point": entry_point,
        "test": f"\n\n{HELPERS}{reference}\n\ndef check(candidate):\n{head}{loop}\n",
    } | row


def mbpp_row(inputs: object, results: object, *, name: str = "f", helpers: str = HELPERS, **row: Any) -> dict[str, Any]:
    loop = f"for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion({name}(*inp), exp, 0)\n"
    return {
        "task_id": 7,
        "code": f"\ndef {name}(x):\n    return x\n",
        "prompt": "Write a function.",
        "source_file": "x.ipynb",
        "test_imports": [],
        "test_list": [f"assert {name}(1) == 1"],
        "test": f"{helpers}\n\ninputs = {inputs}\nresults = {results}\n{loop}",
    } | row


def release_row(entry_point: str, solution: str, inputs: list[Any], **row: Any) -> dict[str, Any]:
    return {
        "task_id": "Mbpp/7",
        "prompt": f'"""\nWrite a function.\nassert {entry_point}(1) == 1\n"""\n',
        "contract": "",
        "canonical_solution": solution,
        "entry_point": entry_point,
        "base_input": inputs[:1],
        "plus_input": inputs[1:],
        "atol": 0,
    } | row


INEXACT = humaneval_row([[3.5], [10.25]], [0.5, 0.25])
LIST = humaneval_row([[3]], [[0.1, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("row", "program", "status"),
    [
        (INEXACT, "def f(x): return x - int(x)", "AC"),
        (INEXACT, "def f(x): return x - int(x) + 9e-7", "AC"),
        (INEXACT, "def f(x): return x - int(x) + 2e-6", "WA"),
        (INEXACT, "def f(x): return {3.5: 0.5}[x]", "RE"),
        (LIST, "def f(x): return [0.1, 0.2, 0.1 * 3]", "AC"),
        (LIST, "def f(x): return [0.1, 0.2]", "RE"),  # numpy: the shapes differ
        (LIST, "def f(x): return [0.1, 0.2, 0.4]", "WA"),
        (LIST, "def f(x): return [0.1, 0.2, float('nan')]", "WA"),
        (LIST, "def f(x): return None", "RE"),
        (humaneval_row([[1000000]], ["1000000"]), "def f(x): return str(x)", "AC"),
        (humaneval_row([[1000000]], [1000000]), "def f(x): return x + 1", "WA"),
        (humaneval_row([[1]], [(1, 2)]), "def f(x): return [1, 2]", "WA"),
        (humaneval_row([[float("inf")], [-float("inf")]], [float("inf"), 1.0]), "def f(x): return max(x, 1.0)", "AC"),
        (
            humaneval_row([[5], [100]], reference="def ref_func(n):\n    return list(range(n))\n"),
            "def f(n): return [*range(n)]",
            "AC",
        ),
        (
            humaneval_row([[5], [100]], reference="def ref_func(n):\n    return list(range(n))\n"),
            "def f(n): return [*range(min(n, 50))]",
            "WA",
        ),
        (humaneval_row([[n] for n in range(130)], [*range(130)]), "def f(x): return min(x, 128)", "WA"),
        (humaneval_row(f"[[{'7' * 6000}]]", f"[{'7' * 6000}]"), "def f(x): return x", "AC"),
        (humaneval_row(f"[[{'7' * 6000}]]", f"[{'7' * 6000}]"), "def f(x): return x + 1", "RE"),  # cannot be shown
        (mbpp_row([[3], [10]], [6, 20]), "def f(x): return {1: 2, 2: 4}[x]", "RE"),
        (mbpp_row([[3], [10]], [6, 20]), "def f(x): return 2 * x", "AC"),
        (mbpp_row([[3]], [6], name="check"), "def check(x): return 2 * x", "AC"),
        (mbpp_row([[3]], [6], name="Double"), "def Double(x): return 2 * x", "AC"),
        (mbpp_row([[[3, 4]]], [(4, 3)], helpers=SETS), "def f(x): return x", "AC"),
        (mbpp_row([[[3, 4]]], [(4, 3)], helpers=SETS), "def f(x): return x + [5]", "WA"),
        (mbpp_row([[{1: (2, {3})}]], [{1: (2, {3})}]), "def f(x): return x", "AC"),
        (mbpp_row([], [], test="assert f(3) == 6\nassert f(10) == 20\n"), "def f(x): return {1: 2, 3: 6}[x]", "RE"),
        (mbpp_row([], [], test="for x in range(5):\n    assert f(x) == 2 * x\n"), "def f(x): return 2 * x", "AC"),
        (mbpp_row([], [], test="for x in range(5):\n    assert f(x) == 2 * x\n"), "def f(x): return x", "WA"),
        (humaneval_row([], [], test="def check(g):\n    inputs = [3]\n    assert g(*inputs) == 6\n"), "f = len", "RE"),
    ],
)  # fmt: skip
def test_the_tests_of_a_row_of_the_hub_decide(judge: Judge, row: dict[str, Any], program: str, status: str) -> None:
    form = HUMANEVAL_PLUS if "entry_point" in row else MBPP_PLUS
    (problem,) = form.load("here", [row]).problems
    verdict = judge(problem, problem.hidden_tests, program)
    assert (verdict.status.value, [t.weak for t in verdict.tests if t.weak]) == (status, []), verdict


POLY = "def find_zero(xs):\n    return -xs[0] / xs[1]\n"
SIMILAR = "\ndef similar_elements(a, b):\n  return tuple(set(a) & set(b))\n"
MATCH = "\nimport re\ndef check_str(x):\n  return re.match('a', x)\n"


@pytest.mark.parametrize(
    ("row", "program", "status"),
    [
        (release_row("f", "def f(x):\n    return x / 3\n", [[1], [2]]), "def f(x): return x * (1 / 3)", "AC"),
        (
            release_row("f", "def f(x):\n    return [x / 3, ''] \n", [[1]]) | {"atol": 1e-4},
            "def f(x): return [x * 0.333333, '']",
            "RE",
        ),  # numpy takes no list with a text
        (release_row("f", "def f(x):\n    return x / 3\n", [[1], [2]]), "def f(x): return x / 3 + 1e-4", "WA"),
        (
            release_row("f", "def f(x):\n    return x / 3\n", [[1]], atol=1e-3),
            "def f(x): return x / 3 + 1e-4",
            "AC",
        ),
        (release_row("f", "def f(x):\n    return [x / 3]\n", [[1]]), "def f(x): return (x * (1 / 3) + 1e-9,)", "WA"),
        (release_row("f", "def f(x):\n    x.append(1)\n    return x\n", [[[2]]]), "def f(x): return x + [1]", "AC"),
        (release_row("f", "def f(n):\n    return n and f(n - 1) + n\n", [[9]]), "def f(n): return 45", "AC"),
        (release_row("f", "def f(n):\n    return n * 7\n", [[10**5000]]), "def f(n): return n * 7", "AC"),
        (
            release_row("find_zero", POLY, [[[3, 1]]], task_id="HumanEval/32", prompt="import math\n", atol=1e-4),
            "def find_zero(xs): return -3.00001",
            "AC",
        ),
        (
            release_row("find_zero", POLY, [[[3, 1]]], task_id="HumanEval/32", prompt="import math\n", atol=1e-4),
            "def find_zero(xs): return -3.1",
            "WA",
        ),
        (release_row("check_str", MATCH, [["a"], ["b"]]), "def check_str(x): return x == 'a'", "AC"),
        (release_row("check_str", MATCH, [["a"], ["b"]]), MATCH, "AC"),
        (release_row("check_str", MATCH, [["a"], ["b"]]), "def check_str(x): return 5", "WA"),
        (
            release_row("similar_elements", SIMILAR, [[[3, 4, 5], [5, 4]]], task_id="Mbpp/2"),
            "def similar_elements(a, b):\n    assert type(a) is tuple\n    return [5, 4]",
            "AC",
        ),
        (
            release_row("digit_distance_nums", "def digit_distance_nums(a, b):\n    return 0\n", [[1, 23]]),
            "def digit_distance_nums(a, b): return 4",
            "AC",
        ),
        (
            release_row("f", "def f(x):\n    return x.real\n", [["1+2j"]], task_id="Mbpp/252"),
            "def f(x): return x.real",
            "AC",
        ),
    ],
)
def test_the_reference_of_a_release_file_decides(judge: Judge, row: dict[str, Any], program: str, status: str) -> None:
    hidden = plus_tests(row, row["entry_point"], row["prompt"] + row["canonical_solution"])
    assert hidden
    verdict = judge(Problem("p", "s", (), hidden), hidden, program)
    assert (verdict.status.value, [t.weak for t in verdict.tests if t.weak]) == (status, []), verdict


@pytest.mark.parametrize(
    ("program", "status"),
    [
        (MATCH, "AC"),
        ("def check_str(x): return x == 'a'", "AC"),
        ("def check_str(x): return (x,)", "AC"),
        ("def check_str(x): return 0", "WA"),
        ("def check_str(x): return None", "WA"),
    ],
)
def test_an_assert_that_asks_for_a_match_takes_one(judge: Judge, program: str, status: str) -> None:
    row = mbpp_row([["a"]], [True], test_list=["assert check_str('a')"])
    problem = MBPP.to_problem({k: v for k, v in row.items() if k != "test"}, "x")
    verdict = judge(problem, problem.public_tests, program)
    assert (verdict.status.value, verdict.tests[0].weak) == (status, False), verdict


def test_integers_of_any_length_in_asserts_and_rows(judge: Judge, tmp_path: Path) -> None:
    row = mbpp_row([[1]], [1], test_list=[f"assert f({'7' * 6000}) == {'7' * 6000}"])
    (problem,) = MBPP.load("here", [{k: v for k, v in row.items() if k != "test"}]).problems
    assert judge(problem, problem.public_tests, "def f(x): return x").accepted
    path = tmp_path / "MbppPlus.jsonl"
    line = json.dumps(release_row("f", "def f(x): return x + 1\n", [[0]]))
    path.write_text(line.replace('"base_input": [[0]]', f'"base_input": [[{"7" * 6000}]]'))
    problem = load_problem(f"mbppplus:{path}:7")
    assert judge(problem, problem.hidden_tests, "def f(x): return x + 1").accepted


def test_ids_come_from_the_prefix_and_the_original_prefixes_take_these_rows_too() -> None:
    row, release = humaneval_row([[1]], [1]), release_row("f", "def f(x): return x\n", [[1]])
    assert [form.load("here", [row]).problems[0].id for form in (HUMANEVAL_PLUS, HUMANEVAL)] == [
        "humanevalplus/7",
        "humaneval/7",
    ]
    assert [form.load("here", [release]).problems[0].id for form in (MBPP_PLUS, MBPP)] == ["mbppplus/7", "mbpp/7"]


def test_a_test_holds_a_part_of_the_inputs_and_the_statement_of_a_release_file_no_asserts() -> None:
    (problem,) = MBPP_PLUS.load("here", [release_row("f", "def f(x): return x\n", [[n] for n in range(120)])]).problems
    assert len(problem.hidden_tests) == -(-120 // INPUTS_PER_TEST)
    assert problem.statement == "Write a function."
    assert problem.public_tests == MBPP.to_problem(mbpp_row([[1]], [1]), "x").public_tests
    assert problem.metadata["reference_solution"] == "def f(x): return x\n"


def test_inputs_whose_results_cannot_be_carried_are_left_out() -> None:
    name, solution = "starts_one_ends", "def starts_one_ends(n): return 18 * 10 ** (n - 2)\n"
    hidden = plus_tests(release_row(name, solution, [[5], [1_000_000]]), name, solution)
    assert hidden
    assert "1000000" not in "".join(test.code for test in hidden if isinstance(test, AssertTest))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (release_row("f", "def f(x): return x\n", []), "no tests"),
        (release_row("f", "def f(x) return x\n", [[1]]), "malformed field: canonical_solution: not valid Python"),
        (release_row("f", "def f(x): return x\n", [1]), "malformed field: base_input is not a list of lists"),
        (release_row("f", "def f(x): return x\n", [[1]], atol="0"), "malformed field: atol is not a number"),
        (
            release_row("f", "def f(x): return x\n", [[1]], task_id="Mbpp/106"),
            "malformed field: base_input: list index out of range",
        ),
        (mbpp_row("[[1]", "[1]"), "malformed tests: test: not valid Python"),
        (humaneval_row([], []) | {"entry_point": "g"}, "the prompt does not define the entry point: g"),
    ],
)
def test_a_malformed_row_is_dropped_by_name(row: dict[str, Any], fault: str) -> None:
    form = HUMANEVAL_PLUS if str(row["task_id"]).startswith("HumanEval") else MBPP_PLUS
    with pytest.raises(RowFault, match=fault):
        form.to_problem(row, "x")


def test_one_row_is_named_by_its_id_or_as_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "HumanEvalPlus-OriginFmt.jsonl.gz"
    rows = [humaneval_row([[1]], [1]), humaneval_row([[1]], [1], task_id="HumanEval/8", test=None)]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert load_problem(f"humanevalplus:{path}:7").id == "humanevalplus/7"
    with pytest.raises(ProblemError, match="humanevalplus/8 cannot be used: missing field: test"):
        load_problem(f"humanevalplus:{path}:8")
    with pytest.raises(ProblemError, match='no problem "humanevalplus/0"; it holds humanevalplus/7 to humanevalplus/8'):
        load_problem(f"humanevalplus:{path}:0")
    path.write_bytes(gzip.compress(json.dumps(rows[0]).encode()))
    assert load_problem(f"humanevalplus:{path}:0").id == "humanevalplus/7"
    assert load_problem(f"HumanEval+:{path}:7").id == load_problem(f"human_eval-plus:{path}").id == "humanevalplus/7"


def test_rows_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"evalplus/humanevalplus": humaneval_row([[1]], [1]), "evalplus/mbppplus": mbpp_row([[1]], [1])}

    def load_dataset(repository: str, configuration: str | None, *, split: str) -> list[dict[str, Any]]:
        assert (configuration, split) == (None, "test")
        return [rows[repository]]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    for name in ("humanevalplus", "mbppplus"):
        (problem,) = load_problems(f"hub:{name}:test").problems
        assert (problem.id, len(problem.hidden_tests)) == (f"{name}/7", 1)
