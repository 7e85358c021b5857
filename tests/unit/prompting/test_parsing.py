"""The parser against a corpus of real-looking answers, and against noise."""

from __future__ import annotations

import ast
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.prompting.fences import fenced_blocks
from mars2.prompting.parsing import extract_program, read_answer
from mars2.prompting.python_source import parse_python
from mars2.prompting.reasoning import without_reasoning

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One answer: "@@@ name | entry point", the answer, "@@@ expected", the program or "(none)"."""

    name: str
    answer: str
    entry_point: str | None
    expected: str | None


def _cases() -> list[Case]:
    cases: list[Case] = []
    for path in sorted(CORPUS.glob("*.txt")):
        parts = path.read_text(encoding="utf-8").split("@@@ ")[1:]
        for answer, expected in zip(parts[::2], parts[1::2], strict=True):
            title, _, text = answer.partition("\n")
            name, _, entry_point = title.partition(" | ")
            marker, _, program = expected.partition("\n")
            assert marker == "expected", f"{path.name}: {name} has no expected program"
            wanted = None if program.strip() == "(none)" else program
            cases.append(Case(f"{path.stem}: {name}", text, entry_point or None, wanted))
    return cases


CASES = _cases()
corpus = pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])


def test_the_corpus_is_large_and_its_cases_have_distinct_names() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 300
    assert len({case.answer for case in CASES}) == len(CASES)


@corpus
def test_corpus(case: Case) -> None:
    reading = read_answer(case.answer, case.entry_point)
    assert reading.program == case.expected
    assert reading.reason


@corpus
def test_windows_line_ends_change_nothing(case: Case) -> None:
    assert extract_program(case.answer.replace("\n", "\r\n"), case.entry_point) == case.expected


def test_a_program_put_in_a_block_comes_back() -> None:
    """The fixed point that makes "program graded = program fed back" hold over many refinements."""
    for case in CASES:
        program = case.expected
        if program is not None and parse_python(program) is not None and "```" not in program:
            assert extract_program(f"```python\n{program}```", case.entry_point) == program, case.name


def test_unpaired_reasoning_tags() -> None:
    assert without_reasoning("thought</think>answer") == "answer"
    assert without_reasoning("<think>thought") == ""
    assert without_reasoning("a<think>b</think>c").split() == ["a", "c"]
    assert without_reasoning("no tags") == "no tags"


def test_warnings_about_model_code_stay_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert extract_program('```python\nx = "\\d" is 1\nprint(x)\n```') == 'x = "\\d" is 1\nprint(x)\n'


FRAGMENTS = [
    "```python\n", "```\n", "~~~\n", "```", "`", "def f(x):\n", "    return x\n", "\t", "<think>", "</think>",
    "import os\n", "print(1)\n", "class A:\n", "prose. ", "\n", '"""', "(", "{", "\\", "\x00", "\ud800", "é", "if 1:\n",
    ">>> ", "&lt;", "[THINK]", "<code>", "</code>", "“", "    ", "%magic\n", "1 | ", "> ", "````markdown\n",
    "n = input()\n", "from solution import f\n",
    "'", '{"code": "', '"}', "<|channel|>", "analysis", "final", "<|message|>",
    "<|channel>thought\n", "<channel|>", "assistantfinal", "Thinking...\n", "...done thinking.\n", "<<<<<<< SEARCH\n",
    "=======\n", "+def f():\n", ">>>>>>> REPLACE\n", "```diff\n", "\\n", "\\_", "\u3000", "−", "<br>", "&nbsp;", "E\n",
    "<parameter=code>\n", "print(f(2))\n", "cat << 'E'\n", "code: |\n", "# ```\n", "f = g(f)\n", "match x:\n",
    "lambda: 0\n", "# ... rest\n",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_fuzzed_fragments_never_raise(text: str) -> None:
    program = extract_program(text)
    for entry_point in ("f", "A"):
        assert read_answer(text, entry_point).reason
    assert program is None or (program.strip() and program.endswith("\n"))
    if program is not None:
        program.encode("utf-8")  # can be written to a file
    assert extract_program(text) == program


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_fuzzed_text_never_raises(text: str) -> None:
    extract_program(text)
    extract_program(f"```python\n{text}\n```")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["def a():\n    return 1", "x = [1]", "import math", "print(2)"]), min_size=1, max_size=4)
)
def test_what_is_chosen_is_one_of_the_blocks_or_their_union(blocks: list[str]) -> None:
    program = extract_program("\n\nprose\n\n".join(f"```python\n{block}\n```" for block in blocks))
    assert program is not None
    ast.parse(program)
    assert program.rstrip("\n") in blocks


HOSTILE = {
    "brackets": "```python\n" + "(" * 90_000 + "\n```",
    "unary": "```python\nx = " + "-" * 90_000 + "1\n```",
    "sum": "```python\nx = 1" + "+1" * 45_000 + "\n```",
    "attributes": "```python\nx" + ".a" * 45_000 + "\n```",
    "one huge line": "```python\n" + "a" * 5_000_000,
    "backticks": "`" * 1_000_000,
    "tags then a backtick": "```" + "x" * 300_000 + "`",
    "spaces": " " * 1_000_000 + "x",
    "spaces before fences": (" " * 1000 + "```x y`\n") * 300,
    "open thoughts": "<think>" * 100_000,
    "words beside open thoughts": "a <think> " * 40_000,
    "closed thoughts in a sentence": "a </think> b " * 30_000,
    "blocks that speak of tags": "```python\n# <think>\n```\n" * 18_000,
    "many blocks": "```python\ndef f():\n    return 1\n```\n" * 20_000,
    "many lines after an open block": "```python\ndef f(:\n" + "word word\n" * 40_000,
    "large integer": "```python\nx = " + "9" * 90_000 + "\nprint(x)\n```",
    "valid lines then an error": "```python\n" + "x = 1\n" * 60_000 + "def f(:",
    "valid lines then an error, unfenced": "import x\n" + "x = 1\n" * 15_000 + "def f(:",
    "docstrings with fences": '```python\n"""\n```\n' * 20_000,
    "open tags": "<code>" * 60_000 + "</code>" + "<code" * 60_000,
    "indented spaces": "    \n" * 80_000,
    "prompts": "```\n" + ">>> (\n" * 15_000,
    "entities": "```python\n" + "&lt;" * 20_000,
    "imports of files": "```python\nx = 1\n```\n" + "```python\nfrom y import x\n```\n" * 5_000,
    "lone fences": "```\n" * 100_000,
    "nested braces": '{"a":' * 60_000,
    "nested lists": "[{" * 150_000,
    "fields of JSON": '{"code": "' * 30_000,
    "edits without end": "<<<<<<< SEARCH\n" * 20_000,
    "shell commands without end": "cat << EOF\n" * 27_000,
    "channels": "<|channel|>analysis<|message|>" * 10_000,
    "stripped channels": "assistantfinal" * 20_000,
    "targets on one line": "a, " * 100_000 + "= 1",
    "breaks": "<br>" * 75_000,
    "escaped breaks": "\\n" * 150_000,
    "numbered lines": "".join(f"{i}: x = ({i}\n" for i in range(20_000)),
    "parameters": '<parameter name="x">' * 15_000,
    "unfenced functions": "def f(x):\n    return x + 1\n" * 10_000,
    "quotation marks": "> " * 150_000,
    "angle brackets": "<" * 300_000,
    "backslashes": "\\" * 300_000,
    "minus signs": "```python\n" + "x = 1 − 2\n" * 3_000 + "```",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_take_bounded_time(name: str) -> None:
    start = time.process_time()
    extract_program(HOSTILE[name])
    assert time.process_time() - start < 3.0


def test_fences_report_tag_and_closure() -> None:
    blocks = fenced_blocks("```python\na\n```\n```js\nb\n```\n```\nc")
    assert [(b.tag, b.code.strip(), b.closed) for b in blocks] == [
        ("python", "a", True),
        ("js", "b", True),
        ("", "c", False),
    ]


USAGE = """```python
def add(a, b):
    return a + b
```
Use it:
```python
a, b = map(int, input().split())
print(add(a, b))
```"""


def test_where_a_function_is_asked_for_the_block_that_defines_it_is_the_program() -> None:
    """A usage example would read standard input when the tests import the function."""
    program = "def add(a, b):\n    return a + b\n"
    script = f"{program}\na, b = map(int, input().split())\nprint(add(a, b))\n"
    assert extract_program(USAGE, "add") == program
    assert extract_program(USAGE) == extract_program(USAGE, "elsewhere") == script


def test_a_program_too_long_to_be_parsed_is_not_lost_to_a_short_piece_behind_it() -> None:
    program = f"import sys\nTABLE = {list(range(9000))}\nprint(TABLE[int(sys.stdin.read())])\n"
    text = f"```python\n{program}```\nAs a function:\n```python\ndef look_up(i):\n    return TABLE[i]\n```"
    assert read_answer(text).program == program
