"""LiveCodeBench rows, built as the official files are: JSON cells, and base64 + zlib + pickle for private tests."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import sys
import time
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.errors import ProblemError
from mars2.core.problem import CallTest, Limits, Problem, StdioTest
from mars2.problems import livecodebench as module
from mars2.problems import load_problem, load_problems
from mars2.problems.hub import livecodebench_files
from mars2.problems.implied import APPS_PREAMBLE
from mars2.problems.livecodebench import livecodebench
from mars2.problems.loaded import RowFault
from mars2.problems.plain_pickle import ForbiddenPickle, loads
from mars2.prompting import ChatPrompter


def _packed(cases: list[dict[str, str]]) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


STDIN: dict[str, Any] = {
    "question_title": "A. Short Sort",
    "question_content": "There are three cards with letters a, b, c …\r\n",
    "platform": "codeforces",
    "question_id": "1873_A",
    "contest_id": "1873",
    "contest_date": "2023-08-21T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "1\nabc\n", "output": "YES\n", "testtype": "stdin"}]),
    "private_test_cases": json.dumps([{"input": "1\nbca\n", "output": "NO\n", "testtype": "stdin"}]),
    "metadata": "{}",
}
FUNCTIONAL: dict[str, Any] = {
    **STDIN,
    "question_id": "3702",
    "platform": "leetcode",
    "contest_date": "2025-01-04T18:30:00",
    "starter_code": "class Solution:\n    def maxLength(self, nums: List[int], k: str) -> int:\n        ",
    "public_test_cases": json.dumps([{"input": '[1, 2, 1]\n"a"', "output": "5", "testtype": "functional"}]),
    "private_test_cases": _packed([{"input": '[]\n"b\\n"', "output": "null", "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "maxLength"}),
}


def _problem(row: dict[str, Any], since: date | None = None, until: date | None = None) -> Problem:
    rows_format = livecodebench(since, until)
    return rows_format.to_problem(row, rows_format.row_id(row, 0))


def test_standard_input_row() -> None:
    problem = _problem(STDIN)
    assert problem.id == "livecodebench/1873_A"
    assert problem.statement == "There are three cards with letters a, b, c …"
    assert problem.public_tests == (StdioTest("1\nabc\n", "YES\n"),)
    assert problem.hidden_tests == (StdioTest("1\nbca\n", "NO\n"),)
    assert problem.entry_point is None
    assert (problem.limits, problem.comparison) == (Limits(cpu_s=6.0, memory_mib=4096), "livecodebench")
    assert problem.metadata["contest_date"] == "2023-08-21"


def test_functional_row_with_packed_private_tests() -> None:
    problem = _problem(FUNCTIONAL)
    assert problem.entry_point == "Solution.maxLength"
    assert problem.public_tests == (CallTest("maxLength", ([1, 2, 1], "a"), 5),)
    assert problem.hidden_tests == (CallTest("maxLength", ([], "b\n"), None),)
    cases = [{"input": '[1]\n"a"\n', "output": "5", "testtype": "functional"}]  # a line end after the last argument
    ended = _problem({**FUNCTIONAL, "private_test_cases": _packed(cases)})
    assert ended.hidden_tests == (CallTest("maxLength", ([1], "a"), 5),)


def test_implied_imports_exist_and_reach_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _problem(FUNCTIONAL)
    monkeypatch.setattr(sys, "setrecursionlimit", lambda _: None)
    for preamble in (problem.metadata["implied_imports"], APPS_PREAMBLE):
        exec(preamble, {})  # every name exists
    answer = (
        "```python\nclass Solution:\n    def maxLength(self, nums: List[int], k: str) -> int:\n"
        "        return sum(Counter(nums).values()) + 2\n```"
    )
    program = ChatPrompter().parse(answer, problem)
    assert program is not None
    namespace: dict[str, Any] = {}
    exec(program, namespace)
    (test,) = problem.public_tests
    assert isinstance(test, CallTest)
    assert namespace["Solution"]().maxLength(*test.args) == test.expected


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_packed_with_any_protocol(protocol: int) -> None:
    text = json.dumps([{"input": "é" * 300, "output": "", "testtype": "stdin"}])
    cell = base64.b64encode(zlib.compress(pickle.dumps(text, protocol=protocol))).decode()
    assert _problem({**STDIN, "private_test_cases": cell}).hidden_tests == (StdioTest("é" * 300, ""),)


class _Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    cell = base64.b64encode(zlib.compress(pickle.dumps(_Evil(str(tmp_path / "pwned")), protocol=protocol))).decode()
    with pytest.raises(RowFault, match="malformed private tests"):
        _problem({**STDIN, "private_test_cases": cell})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value", [(1, 2), {1}, b"bytes", 1j, date(2020, 1, 1), Path, [date(2020, 1, 1)], frozenset(), bytearray(b"x")]
)
def test_only_plain_data_is_unpickled(value: object) -> None:
    with pytest.raises(ForbiddenPickle):
        loads(pickle.dumps(value))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_plain_data_is_unpickled(value: object) -> None:
    assert loads(pickle.dumps(value)) == value


@given(st.binary(max_size=60))
def test_noise_is_refused_or_plain(data: bytes) -> None:
    with contextlib.suppress(ForbiddenPickle):  # any other exception fails the test
        json.dumps(loads(data))


def test_a_memo_index_cannot_claim_memory() -> None:
    with pytest.raises(ForbiddenPickle):
        loads(b"\x80\x04]r\xff\xff\xff\x7f.")


def test_a_pickle_of_many_parts_is_refused() -> None:
    started_s = time.process_time()
    with pytest.raises(ForbiddenPickle, match="more than 100000 parts"):
        loads(b"\x80\x04(" + b"]" * 5_000_000 + b".")
    assert time.process_time() - started_s < 2


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TESTS_BYTES", 1000)
    with pytest.raises(RowFault, match="too large"):
        _problem({**STDIN, "private_test_cases": _packed([{"input": "a" * 5000, "output": "", "testtype": "stdin"}])})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question_content": " "}, "missing field"),
        ({"contest_date": "soon"}, "malformed contest_date"),
        ({"private_test_cases": "!!"}, "malformed private tests"),
        ({"private_test_cases": "é"}, "malformed private tests"),
        ({"private_test_cases": base64.b64encode(b"xx").decode()}, "malformed private tests"),
        ({"public_test_cases": "[{"}, "malformed JSON"),
        ({"public_test_cases": "[1]"}, "malformed tests"),
        ({"public_test_cases": '[{"input": 1, "output": "2", "testtype": "stdin"}]'}, "malformed tests"),
        ({"public_test_cases": "[]", "private_test_cases": "[]"}, "no tests"),
        (
            {"public_test_cases": '[{"input": "1", "output": "2", "testtype": "functional"}]'},
            "functional tests without func_name",
        ),
    ],
)
def test_rows_that_cannot_be_used(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        _problem({**STDIN, **change})
    assert caught.value.reason == reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test.jsonl").write_text(json.dumps(STDIN) + "\n")
    (tmp_path / "test2.jsonl").write_text(json.dumps(FUNCTIONAL) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("window", "kept"),
    [
        ("", ["1873_A", "3702"]),
        ("@2023-08-21..2025-01-04", ["1873_A", "3702"]),
        ("@2023-08-22..", ["3702"]),
        ("@..2025-01-03", ["1873_A"]),
        ("@2025-01-05..2025-12-31", []),
    ],
)
def test_date_windows_include_both_days(folder: Path, window: str, kept: list[str]) -> None:
    loaded = load_problems(f"livecodebench:{folder}{window}")
    assert [p.id for p in loaded.problems] == [f"livecodebench/{name}" for name in kept]
    assert len(loaded.problems) + len(loaded.dropped) == 2
    assert {d.reason for d in loaded.dropped} <= {"outside the date window"}


def test_one_file_and_one_problem(folder: Path) -> None:
    assert len(load_problems(f"livecodebench:{folder}/test2.jsonl").problems) == 1
    assert load_problem(f"livecodebench:{folder}:3702").entry_point == "Solution.maxLength"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("livecodebench:DIR@2023-13-01..", "month must be in 1..12"),
        ("mbpp:DIR/test.jsonl@2023-01-01..", "only livecodebench knows contest dates"),
        ("livecodebench:DIR/none.jsonl", "no such file"),
        ("hub:livecodebench:v9", 'unknown version "v9"'),
        ("hub:nothing:test", 'unknown benchmark "nothing"'),
        ("hub:taco:train", "not known on the Hub"),
        ("hub:mbpp:trian", 'no split "trian"'),
    ],
)
def test_references_that_name_nothing(folder: Path, reference: str, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        load_problems(reference.replace("DIR", str(folder)))
    assert "\n" not in str(caught.value)


def test_versions() -> None:
    assert livecodebench_files("release_v4") == [1, 2, 3, 4]
    assert livecodebench_files("v6") == [6]
    assert livecodebench_files("v4_v6") == [4, 5, 6]
    for wrong in ("v0", "v7", "release_v1_v2", "v6_v4", "", "latest"):
        with pytest.raises(ProblemError):
            livecodebench_files(wrong)


def test_version_and_months_choose_files_and_contests(tmp_path: Path) -> None:
    def row(id_: str, day: str) -> str:
        cases = json.dumps([{"input": "1", "output": "1", "testtype": "stdin"}])
        return json.dumps(
            {"question_id": id_, "question_content": "x", "public_test_cases": cases, "contest_date": f"{day}T00:00:00"}
        )

    (tmp_path / "test.jsonl").write_text(row("a", "2024-08-31") + "\n" + row("b", "2024-09-01") + "\n")
    (tmp_path / "test2.jsonl").write_text(row("c", "2025-02-28") + "\n" + row("d", "2025-03-01") + "\n")

    def ids(query: str) -> list[str]:
        return [p.id.removeprefix("livecodebench/") for p in load_problems(f"livecodebench:{tmp_path}{query}").problems]

    assert ids("?version=release_v2") == ["a", "b", "c", "d"]
    assert ids("?version=v2") == ["c", "d"]
    assert ids("?from=2024-09&to=2025-02") == ["b", "c"]
    assert ids("?version=release_v2&to=2024-08-31") == ["a"]
    assert ids("/test2.jsonl?from=2025-03") == ["d"]


@pytest.mark.parametrize("name", [5, ["f"], "f); import os #", "f\n"])
def test_a_function_name_that_is_none_drops_its_row(name: Any) -> None:
    row = {**STDIN, "metadata": json.dumps({"func_name": name})}
    loaded = livecodebench().load("here", [row, {**STDIN, "question_id": "other"}])
    assert [dropped.reason for dropped in loaded.dropped] == ["malformed function name"]
    assert len(loaded.problems) == 1
