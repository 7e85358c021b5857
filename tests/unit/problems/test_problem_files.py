"""The project's own formats: what they read, and the one-line errors for what they refuse."""

# ruff: noqa: E501 (tables of whole messages, one line each as the user sees them)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mars2.core.errors import ProblemError
from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest
from mars2.problems.file import load_file
from mars2.problems.resolve import load_problems

EXAMPLES = Path(__file__).parents[3] / "examples" / "problems"

MARKDOWN = """---
id: add
entry_point: add
comparison: tolerant
limits: {cpu_s: 2, memory_mib: 64}
---
# Add

Return a + b.

```tests
public:
  - {args: [1, 2], expected: 3}
hidden:
  - {args: [5, {"$tuple": [1]}], expected: null}
  - {code: "assert add(0, 0) == 0"}
  - {input: "1\\n", output: "2\\n"}
```

Thank you.
"""


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _error(path: Path) -> str:
    with pytest.raises(ProblemError) as caught:
        load_file(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    return message.replace(str(path), "FILE").replace(str(path.parent), "DIR")


def test_markdown(tmp_path: Path) -> None:
    problem = load_file(_write(tmp_path, "p.md", MARKDOWN))
    assert problem.id == "add"
    assert problem.statement == "# Add\n\nReturn a + b.\n\n\nThank you."
    assert problem.public_tests == (CallTest("add", (1, 2), 3),)
    assert problem.hidden_tests == (
        CallTest("add", (5, (1,)), None),
        AssertTest("assert add(0, 0) == 0"),
        StdioTest("1\n", "2\n"),
    )
    assert problem.limits == Limits(cpu_s=2.0, memory_mib=64)
    assert problem.comparison == "tolerant"


def test_markdown_without_front_matter_takes_its_id_from_the_name(tmp_path: Path) -> None:
    problem = load_file(_write(tmp_path, "echo.md", "Echo.\n\n```tests\npublic: [{input: a, output: a}]\n```\n"))
    assert problem.id == "echo"
    assert problem.statement == "Echo."


def test_windows_file_with_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    path.write_bytes(b"\xef\xbb\xbf" + MARKDOWN.replace("\n", "\r\n").encode())
    assert load_file(path) == load_file(_write(tmp_path, "q.md", MARKDOWN))


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_sibling_file_with_tests(tmp_path: Path, kind: str) -> None:
    tests = {"public": [{"input": "a\n", "output": "b\n"}], "hidden": []}
    _write(tmp_path, f"p.tests.{kind}", json.dumps(tests))
    problem = load_file(_write(tmp_path, "p.md", f"---\ntests: p.tests.{kind}\n---\nStatement.\n"))
    assert problem.public_tests == (StdioTest("a\n", "b\n"),)


def test_tests_block_in_json(tmp_path: Path) -> None:
    text = 'Echo.\n~~~tests json\n{"public": [{"input": "\\t", "output": ""}]}\n~~~\n'
    assert load_file(_write(tmp_path, "p.md", text)).public_tests == (StdioTest("\t", ""),)


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml"])
def test_whole_problem_as_data(tmp_path: Path, suffix: str) -> None:
    data = {"statement": "S", "tests": {"public": [{"code": "assert f()"}]}, "metadata": {"source": "me"}}
    problem = load_file(_write(tmp_path, f"whole.{suffix}", json.dumps(data)))
    assert (problem.id, problem.metadata) == ("whole", {"source": "me"})


def test_method_of_class_solution(tmp_path: Path) -> None:
    data = {"statement": "S", "entry_point": "Solution.twice", "tests": {"public": [{"args": [1], "expected": 2}]}}
    assert load_file(_write(tmp_path, "m.json", json.dumps(data))).public_tests == (CallTest("twice", (1,), 2),)


def test_shipped_examples_load() -> None:
    loaded = load_problems(str(EXAMPLES))
    assert {p.id for p in loaded.problems} == {"goldbach", "roman", "two-sum", "word-count"}
    assert loaded.summary().endswith("kept 4 of 4 problems")


SOLUTIONS = {
    "goldbach": """
def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))
n = int(input())
p = next(p for p in range(n - 2, 1, -1) if is_prime(p) and is_prime(n - p))  # not the pairs that the tests show
print(p, n - p)
""",
    "two-sum": """
def two_sum(numbers, target):
    return next([i, j] for i, a in enumerate(numbers) for j, b in enumerate(numbers) if i < j and a + b == target)
""",
    "word-count": """
import collections, sys
for word, n in sorted(collections.Counter(sys.stdin.read().split()).items(), key=lambda pair: (-pair[1], pair[0])):
    print(word, n)
""",
    "roman": """
UNITS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
         (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
def to_roman(n):
    for value, sign in UNITS:
        if n >= value:
            return sign + to_roman(n - value)
    return ""
def from_roman(text):
    for value, sign in UNITS:
        if text.startswith(sign):
            return value + from_roman(text[len(sign):])
    return 0
""",
}


@pytest.mark.slow
async def test_shipped_examples_can_be_solved() -> None:
    from mars2.sandbox import ZygoteSandbox

    async with ZygoteSandbox(workers=1, allow_unsafe=True) as sandbox:
        for problem in load_problems(str(EXAMPLES)).problems:
            tests = problem.public_tests + problem.hidden_tests
            for program, status in (
                (SOLUTIONS[problem.id], "AC"),
                ("def two_sum(*_): pass\nto_roman = from_roman = two_sum", "WA"),
            ):
                verdict = await sandbox.judge(program, problem.suite(tests))
                assert verdict.status == status, (problem.id, verdict)


DEEP: list[Any] = []
for _ in range(600):
    DEEP = [DEEP]


def _data(**changes: object) -> str:
    data: dict[str, object] = {"statement": "S", "tests": {"public": [{"input": "a", "output": "b"}]}}
    data.update(changes)
    return json.dumps(data)


def _public(test: object) -> str:
    return _data(tests={"public": [test]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_public({"input": "a", "outptu": "b"}), 'FILE: tests.public[0].outptu: unknown key; did you mean "output"?'),
        (_public({"input": "a"}), "FILE: tests.public[0].output: missing; add it"),
        (_public({"input": 5, "output": "b"}), "FILE: tests.public[0].input: must be text, got 5; put it in quotes"),
        (_public({"arg": [1], "expected": 2}), 'FILE: tests.public[0].arg: unknown key; did you mean "args"?'),
        (_public({"args": 1, "expected": 2, "function": "f"}), "FILE: tests.public[0].args: must be a list, got 1"),
        (_public({"code": ""}), "FILE: tests.public[0].code: must not be empty"),
        (
            _public({"args": [1], "expected": 2}),
            "FILE: tests.public[0].function: missing, and the problem has no entry_point; set one of them",
        ),
        (
            _public({"args": [1], "expected": 2, "function": "a.b"}),
            "FILE: tests.public[0].function: must be a function's name, or Solution.METHOD for a method of class Solution, "
            "got 'a.b'",
        ),
        (
            _public({"args": [{"$set": 1}], "expected": 2, "function": "f"}),
            'FILE: tests.public[0]: "$set" must hold a list',
        ),
        (
            _public("abc"),
            "FILE: tests.public[0]: a test must be a mapping with input and output, args and expected, or code, got 'abc'",
        ),
        (_data(tests={}), "FILE: tests: the problem has no tests; add at least one under tests.public"),
        (_data(tests={"public": [], "hidden": []}), "FILE: tests: the problem has no tests; add at least one under tests.public"),
        (_data(tests={"pubic": []}), 'FILE: tests.pubic: unknown key; did you mean "public"?'),
        (_data(tests=[]), "FILE: tests: must be a mapping with public, hidden, got []"),
        (json.dumps({"statement": "S"}), "FILE: tests: missing; add it"),
        (_data(statement=" "), "FILE: statement: empty; say what the program must do"),
        (_data(statement=""), "FILE: statement: must not be empty"),
        (_data(id=17), "FILE: id: must be text, got 17; put it in quotes"),
        (_data(entrypoint="f"), 'FILE: entrypoint: unknown key; did you mean "entry_point"?'),
        (_data(zzz=1), "FILE: zzz: unknown key; use one of id, statement, tests, entry_point, starter_code, comparison, checker, limits, metadata"),
        (_data(limits={"cpu": 1}), 'FILE: limits.cpu: unknown key; did you mean "cpu_s"?'),
        (_data(limits={"cpu_s": -1}), "FILE: limits.cpu_s: must be > 0, got -1"),
        (_data(limits={"memory_mib": "1G"}), "FILE: limits.memory_mib: input should be a valid integer, got '1G'"),
        (_data(checker="def check("), "FILE: checker: not Python (line 1: '(' was never closed)"),
        (
            _data(checker="def judge(a): return True"),
            "FILE: checker: defines no check; write `def check(input, expected, actual):`",
        ),
        (
            _data(checker="def check(i, e, a): return True", comparison="exact"),
            "FILE: checker: given beside comparison; keep one",
        ),
        (
            _data(comparison="fuzzy"),
            "FILE: comparison: must be one of 'exact', 'tolerant', 'tokens', 'unordered', 'livecodebench', ",
        ),
        ("[1]", "FILE: a problem must be a mapping with id, statement and tests, got [1]"),
        ('{"a": 1,}', "FILE: line 1, column 9: malformed JSON (Expecting property name enclosed in double quotes); check quotes and commas"),
        ("", "FILE: the file is empty; see docs/problem-format.md for what to write in it"),
        ("[" * 100_000, "FILE: nested too deeply; flatten the data"),
        (_public({"args": [DEEP], "expected": 2, "function": "f"}), "FILE: tests.public[0]: nested more than 200 deep"),
        (
            _public({"args": ["\ud800"], "expected": 2, "function": "f"}),
            "FILE: tests.public[0]: '\\ud800' holds half a character (a lone surrogate); write the whole character",
        ),
        (_data(checker="x = " + "-" * 200_000 + "1"), "FILE: checker: not Python (nested too deeply)"),
        (_data(checker="x = 1\0"), "FILE: checker: not Python"),
        (_public({"input": "\ud800", "output": "b"}), "FILE: tests.public[0].input: '\\ud800' holds half a character"),
        (_public({"input": "a", "output": "\ud800"}), "FILE: tests.public[0].output: '\\ud800' holds half a character"),
        (_public({"code": "\ud800"}), "FILE: tests.public[0].code: '\\ud800' holds half a character"),
        (_data(starter_code="\ud800"), "FILE: starter_code: '\\ud800' holds half a character"),
        (_data(checker="\ud800"), "FILE: checker: '\\ud800' holds half a character"),
        (_data(id="\ud800"), "FILE: id: '\\ud800' holds half a character"),
        (_data(metadata={"a": "\ud800"}), "FILE: metadata: holds half a character (a lone surrogate)"),
        (_data(tests="a.json"), "FILE: tests: must be a mapping with public, hidden, got 'a.json'"),
    ],
)  # fmt: skip
def test_errors_in_json(tmp_path: Path, text: str, message: str) -> None:
    assert _error(_write(tmp_path, "p.json", text)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("statement: [a", "FILE: line 1, column 14: malformed YAML (expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3\n", "FILE: line 3, column 1: malformed YAML (key 'a' given twice)"),
        ("a: b: c", "FILE: line 1, column 5: malformed YAML (mapping values are not allowed here)"),
        ("a: \x01", "FILE: malformed YAML"),
        ("x: !!python/object/apply:os.system [echo]", "FILE: line 1, column 4: malformed YAML (could not determine"),
        (
            "statement: S\nentry_point: f\ntests: {public: [{args: [2020-01-01], expected: 1}]}",
            "FILE: tests.public[0]: datetime.date(2020, 1, 1) is a date; put it in quotes if it is meant as text",
        ),
        ("statement: S\ntests: {public: [{input: no, output: a}]}", "FILE: tests.public[0].input: must be text, got False"),
        ("just text", "FILE: a problem must be a mapping with id, statement and tests, got 'just text'"),
        (
            "statement: S\nentry_point: f\ntests: {public: [{args: &x [*x], expected: 1}]}",
            "FILE: tests.public[0]: nested more than 200 deep; flatten the data",
        ),
        (
            "statement: S\nmetadata: {when: 2024-01-01}\ntests: {public: [{input: a, output: b}]}",
            "FILE: metadata: a date is not JSON; put it in quotes if it is meant as text",
        ),
        ("statement: S\nmetadata: &x {a: *x}\ntests: {public: [{input: a, output: b}]}", "FILE: metadata: holds itself"),
    ],
)  # fmt: skip
def test_errors_in_yaml(tmp_path: Path, text: str, message: str) -> None:
    assert _error(_write(tmp_path, "p.yaml", text)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\nid: a\nStatement", "FILE: the front matter is not closed; end it with a line ---"),
        ("---\nid: a\nlimits: [\n---\nS", "FILE: line 3, column 10: malformed YAML"),
        ("---\njust text\n---\nS", "FILE: the front matter must be `key: value` lines, got 'just text'"),
        ("---\nstatement: S\n---\nS", "FILE: statement: belongs in the body"),
        ("---\nid: a\n---\n", "FILE: statement: empty; write it below the front matter"),
        ("A statement.", "FILE: tests: the problem has no tests; add a ```tests block or name a file in `tests:`"),
        ("S\n```tests\npublic: []\n", "FILE: line 2: the ```tests block is not closed; end it with ```"),
        ("S\n```tests\n```\n```tests\n```", "FILE: line 4: a second ```tests block; put all tests in one"),
        ("S\n```tests\n```", "FILE: tests: the problem has no tests; add at least one under tests.public"),
        ("S\n```tests\npublic:\n - {input: a\n```", "FILE: line 4, column 13: malformed YAML"),
        ("---\nid: a\n---\nS\n```tests\npublic:\n  - input: a\n   output: b\n```", "FILE: line 8, column 4: malformed YAML"),
        ("---\ntests: x.json\n---\nS\n```tests\n```", "FILE: tests: given both in the front matter and in a ```tests block"),
        ("---\ntests: x.json\n---\nS", "DIR/x.json: no such file; check the path"),
        ('---\ntests: "a\\0b"\n---\nS', "DIR/a\0b: cannot be read (embedded null byte); check the file"),
    ],
)  # fmt: skip
def test_errors_in_markdown(tmp_path: Path, text: str, message: str) -> None:
    assert _error(_write(tmp_path, "p.md", text)).startswith(message)


def test_missing_file_names_a_near_one(tmp_path: Path) -> None:
    _write(tmp_path, "two-sum.md", MARKDOWN)
    assert _error(tmp_path / "twosum.md") == 'FILE: no such file; did you mean "DIR/two-sum.md"?'
    assert _error(tmp_path / "no" / "x.md") == "FILE: no such file; the folder DIR does not exist"


def test_wrong_bytes_and_wrong_kinds(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes("é".encode("latin-1"))
    assert _error(tmp_path / "latin.md") == "FILE: not UTF-8 (byte 0xe9 at offset 0); save it as UTF-8"
    assert _error(tmp_path / "p.toml").startswith("FILE: unknown kind of problem file; its name must end in one of .md")
    (tmp_path / "folder.md").mkdir()
    assert _error(tmp_path / "folder.md") == "FILE: is a folder; name a file in it"
