"""APPS, TACO, DeepCoder and CodeContests rows, built as the published data sets have them; Parquet and the Hub."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mars2.core.errors import MissingPackage, ProblemError
from mars2.core.problem import CallTest, Limits, Problem, StdioTest
from mars2.problems import load_problem, load_problems
from mars2.problems.apps import APPS, TACO
from mars2.problems.codecontests import CODECONTESTS
from mars2.problems.deepcoder import DEEPCODER
from mars2.problems.implied import APPS_PREAMBLE, LIVECODEBENCH_PREAMBLE
from mars2.problems.loaded import RowFault, RowFormat

STATEMENT = "Print n squared.\n\nInput\n\nn\n\nExamples\n\nInput\n3\n\nOutput\n9\n\nInput\n5\n\nOutput\n25\n"
APPS_STDIO: dict[str, Any] = {
    "problem_id": 4000,
    "question": STATEMENT,
    "solutions": '["n = int(input())\\nprint(n * n)"]',
    "input_output": json.dumps({"inputs": ["2\n", "3\n", "5\n", "7\n"], "outputs": ["4\n", "9\n", "25\n", "49\n"]}),
    "difficulty": "interview",
    "url": "https://example.org/4000",
    "starter_code": "",
}
APPS_CALL = {
    **APPS_STDIO,
    "problem_id": 7,
    "input_output": json.dumps({"fn_name": "pad", "inputs": [["a", 2], ["b", 0]], "outputs": [["aa"], [""]]}),
    "starter_code": "\ndef pad(s, n):\n\t",
}
TACO_METHOD = {
    "question": "Return the indices.",
    "input_output": json.dumps(
        {"fn_name": "twoSum", "inputs": [[[2, 7], 9], [[3, 3], 6]], "outputs": [[0, 1], [0, 1]]}
    ),
    "starter_code": "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:",
    "difficulty": "EASY",
    "source": "leetcode",
    "name": None,
    "time_limit": None,
    "memory_limit": None,
}
TACO_STDIO = {
    "question": "Sum.",
    "input_output": {"inputs": [["2", "1 2"], "1\r\n5"], "outputs": [["3"], 5]},
    "starter_code": "",
    "time_limit": "8.0 seconds",
    "memory_limit": "1024.0 megabytes",
}
DEEPCODER_TACO = {"problem": "Sum.", "starter_code": None, "tests": json.dumps({"inputs": ["1 2"], "outputs": ["3"]})}
DEEPCODER_PRIME = {
    "problem": STATEMENT,
    "tests": json.dumps(
        [{"type": "stdin_stdout", "input": i, "output": o} for i, o in [("1", "1"), ("3", "9"), ("5", "25")]]
    ),
    "metadata": "{}",
}
DEEPCODER_PRIME_CALL = {
    "problem": "Implement f.",
    "tests": json.dumps([{"type": "function_call", "fn_name": "f", "input": [1, [2]], "output": [[3]]}]),
}
DEEPCODER_LCB = {
    "problem": "Implement.",
    "starter_code": "class Solution:\n    def f(self, a: List[int], s: str) -> bool:\n        ",
    "tests": json.dumps(
        [{"input": '[1]\n"x"', "output": "true", "testtype": "functional", "metadata": {"func_name": "f"}}] * 2
    ),
    "metadata": json.dumps({"func_name": "f"}),
}
DEEPCODER_CODEFORCES = {"problem": "Echo.", "tests": json.dumps([{"input": "1\r\n", "output": "1\r\n"}])}
CONTEST = {
    "name": "1575_A. Another Sorting Problem",
    "description": "Andi and Budi …",
    "public_tests": {"input": ["5 2\n"], "output": ["5 2 \n"]},
    "private_tests": {"input": [], "output": []},
    "generated_tests": {"input": ["1 2\n", "3 4\n"], "output": ["1 2\n", "3 4\n"]},
    "source": 2,
    "difficulty": 7,
    "cf_rating": 1100,
    "time_limit": {"seconds": 9, "nanos": 500000000},
    "memory_limit_bytes": 1024 << 20,
    "input_file": "",
    "output_file": "",
}


def _problem(rows_format: RowFormat, row: dict[str, Any]) -> Problem:
    return rows_format.to_problem(row, rows_format.row_id(row, 3))


def test_apps_examples_of_the_statement_are_public() -> None:
    problem = _problem(APPS, APPS_STDIO)
    assert problem.id == "apps/4000"
    assert problem.public_tests == (StdioTest("3\n", "9\n"), StdioTest("5\n", "25\n"))
    assert problem.hidden_tests == (StdioTest("2\n", "4\n"), StdioTest("7\n", "49\n"))


def test_apps_calls_are_unwrapped() -> None:
    problem = _problem(APPS, APPS_CALL)
    assert problem.entry_point == "pad"
    assert problem.public_tests + problem.hidden_tests == (
        CallTest("pad", ("a", 2), "aa"),
        CallTest("pad", ("b", 0), ""),
    )


def test_taco_method() -> None:
    problem = _problem(TACO, TACO_METHOD)
    assert (problem.id, problem.entry_point) == ("taco/3", "Solution.twoSum")
    assert problem.public_tests == (CallTest("twoSum", ([2, 7], 9), [0, 1]),)
    assert problem.hidden_tests == (CallTest("twoSum", ([3, 3], 6), [0, 1]),)
    assert problem.limits == Limits()


def test_taco_lines_numbers_and_wider_limits() -> None:
    problem = _problem(TACO, TACO_STDIO)
    assert problem.public_tests + problem.hidden_tests == (StdioTest("2\n1 2", "3"), StdioTest("1\n5", "5"))
    assert problem.limits == Limits(cpu_s=8.0, memory_mib=1024)


def test_integer_keys_that_json_made_text() -> None:
    row = {**APPS_CALL, "input_output": {"fn_name": "f", "inputs": [[{"1": 2}]], "outputs": [{"-3": "4", "5": "6"}]}}
    assert _problem(APPS, row).public_tests == (CallTest("f", ({1: 2},), {-3: "4", 5: "6"}),)


def test_an_integer_of_any_length_is_the_text_to_print() -> None:
    row = {**APPS_STDIO, "input_output": '{"inputs": [1], "outputs": [' + "9" * 5000 + "]}"}
    assert _problem(APPS, row).public_tests == (StdioTest("1", "9" * 5000),)


def test_tests_written_as_a_python_literal() -> None:
    tests = "[{'type': 'stdin_stdout', 'fn_name': None, 'input': '3\\n', 'output': '6\\n'}]"
    assert _problem(DEEPCODER, {"problem": "P", "tests": tests}).public_tests == (StdioTest("3\n", "6\n"),)


def test_a_function_named_with_its_class() -> None:
    row = {**TACO_METHOD, "input_output": {"fn_name": "Solution.f", "inputs": [[1]], "outputs": [[2]]}}
    problem = _problem(APPS, {**row, "problem_id": 17})
    assert (problem.entry_point, problem.public_tests) == ("Solution.f", (CallTest("f", (1,), 2),))


@pytest.mark.parametrize(
    ("rows_format", "row", "rule"),
    [
        (APPS, APPS_STDIO, "apps"),
        (APPS, APPS_CALL, "apps_wrapped"),
        (TACO, TACO_METHOD, "apps"),  # [0, 1] is no list around one result
        (TACO, TACO_STDIO, "apps"),
        (CODECONTESTS, CONTEST, "codecontests"),
        (DEEPCODER, DEEPCODER_TACO, "apps"),
        (DEEPCODER, DEEPCODER_PRIME, "apps"),
        (DEEPCODER, DEEPCODER_PRIME_CALL, "apps_wrapped"),
        (DEEPCODER, DEEPCODER_LCB, "livecodebench"),
        (DEEPCODER, {"problem": "P", "tests": '[{"input": "1", "output": "1", "testtype": "stdin"}]'}, "livecodebench"),
        (DEEPCODER, DEEPCODER_CODEFORCES, "apps"),
    ],
)
def test_each_row_has_the_rule_and_the_preamble_of_its_origin(
    rows_format: RowFormat, row: dict[str, Any], rule: str
) -> None:
    problem = _problem(rows_format, row)
    assert problem.comparison == rule
    preamble = {"livecodebench": LIVECODEBENCH_PREAMBLE, "codecontests": None}.get(rule, APPS_PREAMBLE)
    assert problem.metadata.get("implied_imports") == preamble


def test_deepcoder_rows_of_every_part() -> None:
    assert _problem(DEEPCODER, DEEPCODER_TACO).public_tests == (StdioTest("1 2", "3"),)
    prime = _problem(DEEPCODER, DEEPCODER_PRIME)
    assert prime.public_tests == (StdioTest("3", "9"), StdioTest("5", "25"))
    assert prime.hidden_tests == (StdioTest("1", "1"),)
    call = _problem(DEEPCODER, DEEPCODER_PRIME_CALL)
    assert (call.entry_point, call.public_tests) == ("f", (CallTest("f", (1, [2]), [3]),))
    text = [{"type": "function_call", "fn_name": "f", "input": ["ab"], "output": "12"}]  # no JSON: the text "12"
    assert _problem(DEEPCODER, {"problem": "P", "tests": text}).public_tests == (CallTest("f", ("ab",), "12"),)
    lcb = _problem(DEEPCODER, DEEPCODER_LCB)
    assert (lcb.entry_point, lcb.public_tests) == ("Solution.f", (CallTest("f", ([1], "x"), True),))
    assert _problem(DEEPCODER, DEEPCODER_CODEFORCES).public_tests == (StdioTest("1\n", "1\n"),)


def test_codecontests() -> None:
    problem = _problem(CODECONTESTS, CONTEST)
    assert problem.public_tests == (StdioTest("5 2\n", "5 2 \n"),)
    assert problem.hidden_tests == (StdioTest("1 2\n", "1 2\n"), StdioTest("3 4\n", "3 4\n"))
    assert problem.limits == Limits(cpu_s=9.5, memory_mib=1024)
    assert problem.comparison == "codecontests"
    listed = {**CONTEST, "public_tests": [{"input": "5 2\n", "output": "5 2 \n"}]}
    assert _problem(CODECONTESTS, listed) == problem


@pytest.mark.parametrize(
    ("rows_format", "row", "reason"),
    [
        (APPS, {**APPS_STDIO, "input_output": ""}, "no tests"),
        (APPS, {**APPS_STDIO, "input_output": '{"inputs": []}'}, "no tests"),
        (APPS, {**APPS_STDIO, "input_output": "{"}, "malformed JSON"),
        (APPS, {**APPS_STDIO, "input_output": "{'inputs': print(1)}"}, "malformed JSON"),
        (
            APPS,
            {**APPS_CALL, "input_output": '{"fn_name": "f", "inputs": [[1]], "outputs": [[' + "9" * 5000 + "]]}"},
            "malformed tests",
        ),
        (APPS, {**APPS_STDIO, "input_output": "[1]"}, "malformed tests"),
        (APPS, {**APPS_STDIO, "input_output": '{"inputs": ["1"], "outputs": []}'}, "malformed tests"),
        (APPS, {**APPS_CALL, "input_output": '{"fn_name": "f", "inputs": [1], "outputs": [1]}'}, "malformed tests"),
        (APPS, {**APPS_STDIO, "question": None}, "missing field"),
        (DEEPCODER, {"problem": "P", "tests": "[]"}, "no tests"),
        (DEEPCODER, {"problem": "P", "tests": '[{"input": "1", "output": null}]'}, "malformed tests"),
        (DEEPCODER, {"problem": "P", "tests": '["a"]'}, "malformed tests"),
        (
            DEEPCODER,
            {"problem": "P", "tests": '[{"input": "1", "output": "1", "testtype": "functional"}]'},
            "functional tests without func_name",
        ),
        (CODECONTESTS, {**CONTEST, "description": "See <image>."}, "the statement needs an image"),
        (CODECONTESTS, {**CONTEST, "input_file": "in.txt"}, "reads or writes files"),
        (CODECONTESTS, {**CONTEST, "public_tests": None, "generated_tests": None}, "no tests"),
        (CODECONTESTS, {**CONTEST, "public_tests": {"input": ["1"], "output": []}}, "malformed tests"),
    ],
)
def test_rows_that_cannot_be_used(rows_format: RowFormat, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        _problem(rows_format, row)
    assert caught.value.reason == reason


DEEP = "[" * 600 + "]" * 600


def _cases(**changes: Any) -> str:
    return json.dumps([{"input": "1", "output": "1"} | changes])


@pytest.mark.parametrize(
    ("rows_format", "row", "reason"),
    [
        (APPS, {**APPS_STDIO, "input_output": f'{{"inputs": [{DEEP}], "outputs": ["1"]}}'}, "malformed tests"),
        (
            APPS,
            {**APPS_CALL, "input_output": f'{{"fn_name": "f", "inputs": [[{DEEP}]], "outputs": [1]}}'},
            "malformed tests",
        ),
        (
            APPS,
            {**APPS_CALL, "input_output": '{"fn_name": "f g", "inputs": [[1]], "outputs": [1]}'},
            "malformed function name",
        ),
        (APPS, {**APPS_STDIO, "question": "half \ud800"}, "lone surrogates"),
        (APPS, {**APPS_STDIO, "url": b"x"}, "malformed metadata"),
        (APPS, {**APPS_STDIO, "url": date(2024, 1, 1)}, "malformed metadata"),
        (TACO, {**APPS_STDIO, "memory_limit": "9" * 400 + " megabytes"}, "malformed row"),
        (
            DEEPCODER,
            {"problem": "P", "tests": _cases(testtype="functional", metadata=5)},
            "functional tests without func_name",
        ),
        (
            DEEPCODER,
            {"problem": "P", "tests": _cases(testtype="functional", metadata={"func_name": 5})},
            "malformed function name",
        ),
        (DEEPCODER, {"problem": "P", "tests": _cases(type="function_call", fn_name=5)}, "malformed tests"),
        (CODECONTESTS, {**CONTEST, "public_tests": {"input": ["\ud800"], "output": ["1"]}}, "lone surrogates"),
    ],
)
def test_one_bad_row_does_not_end_a_file(rows_format: RowFormat, row: dict[str, Any], reason: str) -> None:
    good = {APPS: APPS_STDIO, TACO: APPS_STDIO, DEEPCODER: {"problem": "P", "tests": _cases()}, CODECONTESTS: CONTEST}
    loaded = rows_format.load("here", [row, good[rows_format]])
    assert [dropped.reason for dropped in loaded.dropped] == [reason]
    assert len(loaded.problems) == 1


def test_a_repeated_id_is_dropped() -> None:
    row = {**APPS_STDIO, "problem_id": 7}
    loaded = APPS.load("here", [row, row])
    assert [(dropped.id, dropped.reason) for dropped in loaded.dropped] == [("apps/7", "its id is used before")]


def test_files_of_every_kind(tmp_path: Path) -> None:
    rows = [CONTEST, {**CONTEST, "description": "<image>"}]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "c.json").write_text(json.dumps(rows))
    for name in ("c.jsonl", "c.json"):
        loaded = load_problems(f"codecontests:{tmp_path / name}")
        assert loaded.summary().endswith("kept 1 of 2 problems; dropped 1 (the statement needs an image)")
    assert load_problem(f"codecontests:{tmp_path / 'c.json'}:0").id == "codecontests/0"
    (tmp_path / "d.json").write_text("{}")
    with pytest.raises(ProblemError, match="must be a list of objects"):
        load_problems(f"apps:{tmp_path / 'd.json'}")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `benchmarks`)")
    from pyarrow import parquet

    path = tmp_path / "c.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([CONTEST]), path)
    assert load_problems(f"codecontests:{path}").problems == (CODECONTESTS.to_problem(CONTEST, "codecontests/0"),)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(ProblemError, match="malformed Parquet"):
        load_problems(f"codecontests:{path}")


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"pip install 'mars2\[benchmarks\]'"):
        load_problems(f"codecontests:{tmp_path / 'c.parquet'}")


def test_hub_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None, str]] = []

    def load_dataset(repository: str, configuration: str | None, *, split: str) -> list[dict[str, Any]]:
        asked.append((repository, configuration, split))
        return [DEEPCODER_TACO, {"problem": "P", "tests": "[]"}]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    loaded = load_problems("hub:deepcoder:test")
    assert [p.id for p in loaded.problems] == ["deepcoder/0", "deepcoder/2"]
    assert loaded.summary() == "hub:deepcoder:test: kept 2 of 4 problems; dropped 2 (no tests)"
    repository = "agentica-org/DeepCoder-Preview-Dataset"
    assert asked == [(repository, "codeforces", "test"), (repository, "lcbv5", "test")]


def test_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=fail))
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=fail))
    for reference in ("hub:mbpp:test", "hub:livecodebench:v6", "hub:apps:train"):
        with pytest.raises(ProblemError, match=r"cannot be loaded \(no route\); give a local file"):
            load_problems(reference)


def test_hub_without_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingPackage, match=r"pip install 'mars2\[benchmarks\]'"):
        load_problems("hub:mbpp:test")


def test_hub_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps(APPS_STDIO))

    def download(repository: str, name: str, *, repo_type: str) -> str:
        assert (repository, repo_type) == ("codeparrot/apps", "dataset")
        return str(tmp_path / name)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))
    assert [p.id for p in load_problems("hub:apps:train").problems] == ["apps/4000"]
