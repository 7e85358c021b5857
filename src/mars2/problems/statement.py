"""Tests from the examples that a statement gives, for problems that come as plain text."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

from mars2.core.problem import StdioTest, Test
from mars2.problems.examples import docstring_tests
from mars2.problems.source import parse

_DEF = re.compile(r"^[ \t]*(?:async )?def[ \t]+([A-Za-z_]\w*)[ \t]*\(", re.MULTILINE)
_FENCE = re.compile(r"^```[\w+-]*[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_LABEL = r"^[ \t>*#]*(?:(?:sample|example)[ \t]+)?{word}(?:[ \t]*\#?\d+)?[ \t*]*:?[ \t*]*"
_INPUT = re.compile(_LABEL.format(word="input") + r"$", re.IGNORECASE | re.MULTILINE)
_OUTPUT = re.compile(_LABEL.format(word="output") + r"$", re.IGNORECASE | re.MULTILINE)
_FENCED = re.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?```", re.DOTALL)
_PARAGRAPH = re.compile(r"\n*(.*?)(?:\n[ \t]*\n|\Z)", re.DOTALL)
_MAX_CHARS = 200_000  # longer statements are not searched: no example is there that an expression would not choke on


@dataclass(frozen=True, slots=True)
class Found:
    """What a statement gives away."""

    entry_point: str | None
    starter_code: str
    tests: tuple[Test, ...]


def read_statement(statement: str, entry_point: str | None = None) -> Found:
    """The function that is asked for and the tests that the examples make.

    A function is asked for where the statement has a ``def``, of `entry_point` if given, else the last one; its
    examples are read as in a docstring. Otherwise sections headed "Input" and "Output" (Sample Input 1, Example
    output:) become stdio tests: a fenced block, or the paragraph after the heading.
    """
    if len(statement) > _MAX_CHARS:
        return Found(entry_point, "", ())
    names = [m.group(1) for m in _DEF.finditer(statement)]
    if entry_point in names or (entry_point is None and names):
        name = entry_point or names[-1]
        code = _starter(statement, name)
        function = _function(code, name)
        num_args = len(function.args.args) if function else 1
        docstring = ast.get_docstring(function) or "" if function else ""
        prose = statement.replace(code.strip("\n"), "")
        tests = [*docstring_tests(docstring, name, num_args), *docstring_tests(prose, name, num_args)]
        return Found(name, code, tuple(test for i, test in enumerate(tests) if test not in tests[:i]))
    if entry_point is not None:
        return Found(entry_point, "", docstring_tests(statement, entry_point, 1))
    return Found(None, "", _stdio_tests(statement))


def _starter(statement: str, name: str) -> str:
    """The code that defines `name`: a fenced block, or the statement itself where it is Python (HumanEval's are)."""
    for source in (*_FENCE.findall(statement), statement):
        if _function(code := textwrap.dedent(source), name) is not None:
            return code.strip("\n") + "\n"
    return ""


def _function(code: str, name: str) -> ast.FunctionDef | None:
    tree = parse(code)
    return next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None) if tree else None


def _stdio_tests(statement: str) -> tuple[StdioTest, ...]:
    tests: list[StdioTest] = []
    position = 0
    while (given := _INPUT.search(statement, position)) is not None:
        wanted = _OUTPUT.search(statement, given.end())
        if wanted is None:
            break
        after = _INPUT.search(statement, wanted.end())
        following = _INPUT.search(statement, given.end())
        position = wanted.end()
        if following is not None and following.start() < wanted.start():  # "Input" was a heading of prose
            position = following.start()
            continue
        end = after.start() if after else len(statement)
        test = StdioTest(
            _block(statement[given.end() : wanted.start()]) + "\n", _block(statement[wanted.end() : end]) + "\n"
        )
        if test.output.strip() and test not in tests:
            tests.append(test)
    return tuple(tests)


def _block(text: str) -> str:
    fenced = _FENCED.match(text)
    if fenced:
        return fenced.group(1)
    paragraph = _PARAGRAPH.match(text)
    return paragraph.group(1).strip("\n") if paragraph else ""
