"""Tests from the examples that a statement gives, for problems that come as plain text."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

from mars2.core.problem import StdioTest, Test
from mars2.problems.examples import MAX_TESTS, docstring_tests, first_tests
from mars2.problems.source import parse

_DEF = re.compile(r"^[ \t]*(?:async )?def[ \t]+([A-Za-z_]\w*)[ \t]*\(", re.MULTILINE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*$")
_CLASS = re.compile(r"^[ \t]*class[ \t]+Solution\b.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_LABEL = re.compile(
    r"^[ \t>*#-]*(?P<sample>(?:sample|example)[ \t]+)?(?P<kind>input|output)(?P<number>[ \t]*#?\d+)?[ \t*-]*"
    r"(?::(?P<inline>[^\n]*))?$",
    re.IGNORECASE | re.MULTILINE,
)
_EXAMPLES = re.compile(
    r"^[ \t>*#-]*(?:sample|example)s?(?:[ \t]+(?:test cases?|tests?|cases?))?(?:\(s\))?[ \t#\d:*-]*$",
    re.IGNORECASE | re.MULTILINE,
)
_AFTERWARDS = re.compile(
    r"^(?:[ \t>*#-]*(?:explanations?|notes?|constraints?|hints?|scoring|samples?|examples?)\b.*|[ \t]*#+ .*|---.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCED = re.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?^[ \t]*```", re.DOTALL | re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*\n")
_WORD = re.compile(r"(?<![^\s(])[A-Za-z]{2,}(?=[\s,.;:)]|$)")
_PROSE_WORDS = 4  # a line with this many words is rather a sentence than data
_MAX_CHARS = 200_000  # longer statements are not searched: matching the patterns would take too long
_MAX_CODE_CHARS = 40_000  # of the code to complete
_MAX_CODES = 20  # that may be the code to complete


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a statement."""

    entry_point: str | None
    starter_code: str
    tests: tuple[Test, ...]


def read_statement(statement: str, entry_point: str | None = None) -> Found:
    """The function that is asked for and the tests that the first `MAX_TESTS` examples make.

    If the statement has a ``def`` (of `entry_point` if given, else the last one), a function is asked for, and its
    examples are read as in a docstring. A method of ``class Solution`` is named ``Solution.METHOD``. Otherwise the
    examples headed "Input" and "Output" (Sample Input 1, Example output:, Input and Output below "Examples") become
    stdio tests. A wrong test would mislead every search, so text that may be prose is left out.
    """
    if len(statement) > _MAX_CHARS:
        return Found(entry_point, "", ())
    wanted = (entry_point or "").removeprefix("Solution.")
    names = [m.group(1) for m in _DEF.finditer(statement)]
    if wanted in names or (not wanted and names):
        name = wanted or names[-1]
        code = _starter(statement, name)
        function, is_method = _function(code, name)
        num_args = len(function.args.args) - is_method if function else 1
        docstring = ast.get_docstring(function) or "" if function else ""
        prose = statement.replace(code.strip("\n"), "")
        tests = [*docstring_tests(docstring, name, num_args), *docstring_tests(prose, name, num_args)]
        return Found(f"Solution.{name}" if is_method else entry_point or name, code, first_tests(tests))
    if entry_point is not None:
        return Found(entry_point, "", docstring_tests(statement, wanted, 1))
    return Found(None, "", _stdio_tests(statement))


def _starter(statement: str, name: str) -> str:
    """The code that defines `name`: a fenced block, the whole statement if it is Python (as HumanEval's are), or the
    part from ``class Solution`` on."""
    sources = (*_fenced(statement), statement, *_CLASS.findall(statement))
    for source in [s for s in sources if name in s and len(s) <= _MAX_CODE_CHARS][:_MAX_CODES]:
        if _function(code := textwrap.dedent(source), name)[0] is not None:
            return code.strip("\n") + "\n"
    return ""


def _fenced(statement: str) -> list[str]:
    """The text in closed fenced blocks."""
    found: list[str] = []
    block: list[str] | None = None
    for line in statement.split("\n"):
        if block is not None and line.rstrip(" \t") == "```":
            found.append("".join(block))
            block = None
        elif block is not None:
            block.append(f"{line}\n")
        elif _FENCE.match(line):
            block = []
    return found


def _function(code: str, name: str) -> tuple[ast.FunctionDef | None, bool]:
    """The function `name` in `code`, and whether it is a method of ``class Solution``. A body may be missing."""
    tree = parse(code) or parse(code.rstrip() + " pass")
    for scope in tree.body if tree else ():
        if isinstance(scope, ast.FunctionDef) and scope.name == name:
            return scope, False
        if isinstance(scope, ast.ClassDef) and scope.name == "Solution":
            for node in scope.body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return node, True
    return None, False


def _stdio_tests(statement: str) -> tuple[StdioTest, ...]:
    """A test for every input heading that is directly followed by an output heading.

    "Input" and "Output" alone are also headings of the sections that describe the input. They count as headings of
    data if an "Examples" heading came before, or if the text below them is not prose.
    """
    labels = [m for m in _LABEL.finditer(statement) if not _is_sentence(m)]
    examples = _EXAMPLES.search(statement)
    tests: dict[StdioTest, None] = {}  # in their order
    for given, wanted, after in zip(labels, labels[1:], [*labels[2:], None], strict=False):
        if (given["kind"].lower(), wanted["kind"].lower()) != ("input", "output"):
            continue
        end = after.start() if after else len(statement)
        inputs = _data(given, statement[given.end() : wanted.start()], is_output=False)
        outputs = _data(wanted, statement[wanted.end() : end], is_output=True)
        marked = bool(given["sample"] or given["number"]) or (examples is not None and examples.start() < given.start())
        looks_like_data = examples is None and not (_is_prose(inputs) or _is_prose(outputs))
        if outputs.strip() and (marked or looks_like_data):
            tests[StdioTest(inputs + "\n", outputs + "\n")] = None
        if len(tests) == MAX_TESTS:
            break
    return tuple(tests)


def _is_sentence(label: re.Match[str]) -> bool:
    """ "Output: print the number of …" is no heading of an example."""
    return _is_prose(label["inline"] or "")


def _data(label: re.Match[str], below: str, *, is_output: bool) -> str:
    """The data under a heading: the rest of its line, a fenced block, or the lines below, up to an explanation.

    An input may contain blank lines and ends where prose begins. An output ends at a blank line, because what follows
    is probably an explanation.
    """
    inline = (label["inline"] or "").strip(" \t*")
    fenced = _FENCED.match(below)
    if fenced and not inline:
        return fenced.group(1)
    text = _AFTERWARDS.split(f"{inline}\n{below}", maxsplit=1)[0]
    paragraphs = [part.strip("\n") for part in _BLANK.split(text.strip())]
    kept = next((i for i, part in enumerate(paragraphs) if i and (is_output or _is_prose(part))), len(paragraphs))
    return "\n\n".join(paragraphs[:kept])


def _is_prose(text: str) -> bool:
    return any(len(_WORD.findall(line)) >= _PROSE_WORDS for line in text.split("\n"))
