"""MBPP rows as problems; resolving references; the published solutions against our tests where the file is given."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mars2.core.errors import ProblemError
from mars2.core.problem import AssertTest, CallTest, Problem
from mars2.problems import ReferenceSource, convert, load_problem, load_problems, read_jsonl, validate
from mars2.problems.loaded import RowFault
from mars2.problems.mbpp import MBPP, entry_point_of
from mars2.problems.reading import read_json_lines

ROW: dict[str, Any] = {
    "text": "Write a function to add.\r\n",
    "code": "def helper(a):\r\n    return a\r\ndef add(a, b):\r\n    return helper(a) + b",
    "task_id": 601,
    "test_setup_code": "",
    "test_list": ["assert add((1,), (2,)) == (1, 2)", "assert add(1, 1) == 2", "assert add(0, 0) == 0"],
    "challenge_test_list": ["assert add(-1, 1) == 0"],
}


def _problem(row: dict[str, Any]) -> Problem:
    return MBPP.to_problem(row, MBPP.row_id(row, 0))


def test_row() -> None:
    problem = _problem(ROW)
    assert problem.id == "mbpp/601"
    assert problem.statement == "Write a function to add."
    assert problem.entry_point == "add"
    assert problem.public_tests == (CallTest("add", ((1,), (2,)), (1, 2)),)
    assert problem.hidden_tests == tuple(
        AssertTest(code) for code in ("assert add(1, 1) == 2", "assert add(0, 0) == 0", "assert add(-1, 1) == 0")
    )


def test_setup_code_comes_before_each_assert() -> None:
    problem = _problem({**ROW, "test_setup_code": "root = Node(1)\r\n", "test_list": ["assert add(root, 1) == 2"]})
    assert problem.public_tests == (AssertTest("root = Node(1)\nassert add(root, 1) == 2"),)


def test_asserts_that_are_not_literal_stay_asserts() -> None:
    problem = _problem({**ROW, "test_list": ["assert set(add([1], [2])) == set([1, 2])"]})
    assert problem.public_tests == (AssertTest("assert set(add([1], [2])) == set([1, 2])"),)
    assert problem.entry_point == "add"


def test_sanitized_edition() -> None:
    row = {
        "prompt": "Add.",
        "task_id": 2,
        "test_imports": ["import math"],
        "test_list": ["assert math.isclose(f(1), 2)"],
    }
    problem = _problem(row)
    assert problem.public_tests == (AssertTest("import math\nassert math.isclose(f(1), 2)"),)
    assert problem.entry_point == "f"


@pytest.mark.parametrize(
    ("asserts", "code", "expected"),
    [
        (["assert f(1) == 2"], "", "f"),
        (["assert sorted(f(1)) == [2]"], "", "f"),
        (["assert g(f(1)) == 2"], "def f(x): ...", "f"),
        (["assert outer(Pair(1)) == 2"], "class Pair: ...\ndef outer(x): ...", "outer"),
        (["x == 1"], "", None),
        (["not python ("], "", None),
    ],
)
def test_entry_point_is_found_in_the_asserts(asserts: list[str], code: str, expected: str | None) -> None:
    assert entry_point_of(asserts, code) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"text": ""}, "missing field"), ({"test_list": []}, "no tests"), ({"test_list": [""]}, "no tests")],
)
def test_rows_that_cannot_be_used(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        _problem({**ROW, **change})
    assert caught.value.reason == reason


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mbpp.jsonl"
    rows = [ROW, {**ROW, "task_id": 602, "text": "Add two."}, {**ROW, "task_id": 603, "test_list": []}]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_what_was_dropped_is_counted(file: Path) -> None:
    loaded = load_problems(f"mbpp:{file}")
    assert [p.id for p in loaded.problems] == ["mbpp/601", "mbpp/602"]
    assert loaded.summary() == f"mbpp:{file}: kept 2 of 3 problems; dropped 1 (no tests)"


def test_references(file: Path, tmp_path: Path) -> None:
    assert load_problem(f"mbpp:{file}:602").statement == "Add two."
    assert load_problem(f"mbpp:{file}:mbpp/602").statement == "Add two."
    own = tmp_path / "own.jsonl"
    assert len(convert(load_problems(f"mbpp:{file}"), own).problems) == 2
    assert read_jsonl(own).problems == load_problems(f"mbpp:{file}").problems
    assert load_problem(f"{own}:mbpp/601").id == "mbpp/601"
    source = ReferenceSource(train=f"mbpp:{file}", test=f"mbpp:{file}:601")
    assert (len(source.load("train")), len(source.load("test"))) == (2, 1)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mbpp:FILE:603", "mbpp:FILE: mbpp/603 cannot be used: no tests"),
        ("mbpp:FILE:7", 'mbpp:FILE: no problem "mbpp/7"; it holds mbpp/601 to mbpp/603'),
        ("mbpp:FILE", "mbpp:FILE: names 2 problems, but one is needed; add its id, as in mbpp:FILE:601"),
        ("mbpp", "mbpp: needs a file, as in mbpp:PATH or mbpp:PATH:ID, or the Hub, as in hub:mbpp:SPLIT"),
        ("humanevl:3", 'humanevl:3: neither a benchmark nor a file; did you mean "humaneval"?'),
        ("nothing", "nothing: neither a benchmark nor a file; name a file, a folder or one of"),
        ("DIR/none.md", "DIR/none.md: no such file"),
        ("DIR", "DIR: holds no problem files"),
    ],
)
def test_references_that_name_nothing(file: Path, reference: str, message: str) -> None:
    with pytest.raises(ProblemError) as caught:
        load_problem(reference.replace("FILE", str(file)).replace("DIR", str(file.parent)))
    text = str(caught.value).replace(str(file), "FILE").replace(str(file.parent), "DIR")
    assert text.startswith(message)
    assert "\n" not in text


def test_validate_lists_every_fault(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("S\n```tests\npublic: [{input: a, output: b}]\n```\n")
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "c.yaml").write_text("a: [")
    (tmp_path / "a.tests.yaml").write_text("public: []")
    (tmp_path / "README.md").write_text("About these problems.")
    loaded = validate(str(tmp_path))
    assert [p.id for p in loaded.problems] == ["a"]
    assert [Path(d.id).name for d in loaded.dropped] == ["b.json", "c.yaml"]
    assert len(validate(str(tmp_path / "b.json")).dropped) == 1
    with pytest.raises(ProblemError):
        load_problems(str(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif("MARS2_MBPP" not in os.environ, reason="MARS2_MBPP does not name an mbpp.jsonl file")
async def test_published_solutions_are_accepted_by_the_sandbox() -> None:
    from mars2.sandbox import ZygoteSandbox

    path = Path(os.environ["MARS2_MBPP"])
    rows = {row["task_id"]: row for row in read_json_lines(path)}
    loaded = load_problems(f"mbpp:{path}")
    assert loaded.problems
    assert not loaded.dropped
    failures: list[object] = []
    async with ZygoteSandbox(workers=2, allow_unsafe=True) as sandbox:
        for problem in loaded.problems:
            tests = problem.public_tests + problem.hidden_tests
            program = rows[problem.metadata["task_id"]]["code"]
            verdict = await sandbox.judge(program, problem.suite(tests))
            if not verdict.accepted:
                failures.append((problem.id, verdict))
    assert not failures
