"""The project's JSONL: a round trip loses nothing; faults name their line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.core.errors import ProblemError
from mars2.core.problem import AssertTest, CallTest, Checker, Limits, NamedComparison, Problem, StdioTest
from mars2.problems.jsonl import check_jsonl, read_jsonl, write_jsonl
from mars2.problems.loaded import Loaded
from mars2.problems.schema import problem_from_data, problem_to_data
from mars2.problems.values import decode, encode, is_plain

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
KEYS = st.integers() | st.text(max_size=4) | st.tuples(st.integers(), st.text(max_size=2))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$tuple", "$set", "$dict", "a"]), inner, max_size=2)
        | st.sets(KEYS, max_size=3)
    ),
    max_leaves=10,
)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
TEXT = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
TESTS = (
    st.builds(StdioTest, st.text(max_size=10), st.text(max_size=10))
    | st.builds(CallTest, NAMES, st.lists(VALUES, max_size=3).map(tuple), VALUES)
    | st.builds(AssertTest, TEXT)
)
PROBLEMS = st.builds(
    Problem,
    id=TEXT,
    statement=TEXT,
    public_tests=st.lists(TESTS, min_size=1, max_size=3).map(tuple),
    hidden_tests=st.lists(TESTS, max_size=3).map(tuple),
    entry_point=st.none() | NAMES,
    starter_code=st.text(max_size=10),
    limits=st.builds(
        Limits, cpu_s=st.floats(0.1, 99), wall_s=st.none() | st.floats(0.1, 99), memory_mib=st.integers(1, 999)
    ),
    comparison=st.sampled_from(get_args(NamedComparison)) | st.just(Checker("def check(i, e, a): return 'ü' in a")),
    metadata=st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=2),
)


def _typed(value: Any) -> Any:
    """A value with its types, so that 1, 1.0 and True differ."""
    match value:
        case list() | tuple():
            return (type(value).__name__, [_typed(v) for v in value])
        case dict():
            return ("dict", [(_typed(k), _typed(v)) for k, v in value.items()])
        case set():
            return ("set", sorted(repr(_typed(v)) for v in value))
        case _:
            return (type(value).__name__, repr(value))


@given(VALUES)
def test_values_survive_json(value: Any) -> None:
    assert _typed(decode(json.loads(json.dumps(encode(value))))) == _typed(value)


@settings(max_examples=60)
@given(PROBLEMS)
def test_problems_survive_json(problem: Problem) -> None:
    back = problem_from_data(json.loads(json.dumps(problem_to_data(problem))), "here")
    assert back == problem
    assert back.metadata == problem.metadata


def test_values_that_json_cannot_hold() -> None:
    assert not is_plain(1j)
    assert not is_plain([b"bytes"])
    with pytest.raises(ValueError, match="pairs"):
        decode({"$dict": [1]})
    with pytest.raises(ValueError, match="cannot be in a set"):
        decode({"$set": [[1]]})


PLAIN = Problem("a", "S", (StdioTest("x", "ü\n"),), ())


def test_written_files_are_read_back(tmp_path: Path) -> None:
    problems = (PLAIN, Problem("b", "T", (), (AssertTest("assert f()"),), entry_point="f"))
    path = tmp_path / "p.jsonl"
    assert write_jsonl(problems, path) == Loaded(str(path), problems)
    assert read_jsonl(path).problems == problems
    assert [p.name for p in tmp_path.iterdir()] == ["p.jsonl"]


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(problem_to_data(PLAIN)).encode()))
    assert read_jsonl(path).problems == (PLAIN,)
    path.write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(ProblemError, match="cannot be read"):
        read_jsonl(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_jsonl([PLAIN], path)

    def interrupted() -> Iterator[Problem]:
        yield Problem("c", "S", (StdioTest("", "1"),), ())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(interrupted(), path)
    assert read_jsonl(path).problems == (PLAIN,)
    assert [p.name for p in tmp_path.iterdir()] == ["p.jsonl"]


DEEP: list[Any] = []
for _ in range(600):
    DEEP = [DEEP]
LOOP: dict[str, Any] = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "a"}, "its id is used before"),
        ({"id": "a\ud800"}, "not readable again"),
        ({"statement": "\ud800"}, "not readable again"),
        ({"entry_point": "f); import os #"}, "not readable again"),
        ({"entry_point": 5}, "not readable again"),
        ({"public_tests": (CallTest("f", (object(),), 1),)}, "not writable as JSON"),
        ({"public_tests": (CallTest("f", (DEEP,), 1),)}, "not writable as JSON"),
        ({"metadata": {"when": date(2024, 1, 1)}}, "not writable as JSON"),
        ({"metadata": {"raw": b"x"}}, "not writable as JSON"),
        ({"metadata": LOOP}, "not writable as JSON"),
        ({"metadata": {"title": "x"}}, None),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, change: dict[str, Any], reason: str | None) -> None:
    path = tmp_path / "p.jsonl"
    dropped = write_jsonl([PLAIN, replace(PLAIN, **{"id": "b"} | change)], path).dropped
    assert [d.reason for d in dropped] == [reason] * (reason is not None)
    assert len(read_jsonl(path).problems) == 2 - len(dropped)
    "".join(f"{d.id}: {d.detail}" for d in dropped).encode()


def test_faults_name_their_line(tmp_path: Path) -> None:
    good = json.dumps(problem_to_data(PLAIN))
    path = tmp_path / "p.jsonl"
    path.write_text(f'{good}\n\n{good}\n{{"id": "x"\n{{"id": "y", "statement": "S", "tests": {{}}}}\n')
    loaded = check_jsonl(path)
    assert loaded.problems == (PLAIN,)
    reasons = [d.reason.replace(str(path), "FILE") for d in loaded.dropped]
    assert reasons[0] == 'FILE: line 3: id: "a" is used on line 1; rename one'
    assert reasons[1].startswith("FILE: line 4, column 11: malformed JSON (Expecting ',' delimiter)")
    assert reasons[2] == "FILE: line 5: tests: the problem has no tests; add at least one under tests.public"
    with pytest.raises(ProblemError, match="line 3: id"):
        read_jsonl(path)


def test_unwritable_target(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="cannot be written"):
        write_jsonl([PLAIN], tmp_path / "no" / "p.jsonl")
