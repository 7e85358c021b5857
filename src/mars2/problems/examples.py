"""Finds the input/output examples in a docstring and turns them into tests, without running anything."""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator
from typing import Any

from mars2.core.problem import AssertTest, CallTest, Test
from mars2.problems.values import is_plain

_ARROW = re.compile(
    r"""\s*(?:\#\s*)?(?:==?>|-->?|➞|→|===?|=|(?:should\s+)?returns?\b|\#)\s*(?:returns?\b\s*)?""", re.VERBOSE
)
_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_AFTER_VALUE = re.compile(r"\s*(?:[.,;]?\s*(?:$|\#|\()|[.,;]\s|\s+[A-Za-z])")


def docstring_tests(docstring: str, function: str) -> tuple[Test, ...]:
    """Tests for the examples that `docstring` gives of `function`, in its order, without repetitions.

    Read are doctests (``>>> f(1)`` and the value below) and calls followed by a value: ``f(1) == 2``, ``f(1) => 2``,
    ``f(1) -> 2``, ``f(1) ➞ 2``, ``f(1) = 2``, ``f(1) returns 2``. Literal calls become a `CallTest`, other doctests an
    `AssertTest`; an example whose value is not a literal is left out.
    """
    tests: list[Test] = []
    for expression, value in [*_doctests(docstring), *_written_out(docstring, function)]:
        test = _as_test(expression, value, function)
        if test is not None and test not in tests:
            tests.append(test)
    return tuple(tests)


def call_of(node: ast.expr, function: str | None = None) -> CallTest | None:
    """A `CallTest` without a meaningful `expected`, if `node` is ``function(literal, …)``; `function=None`: any name."""
    if not isinstance(node, ast.Call) or node.keywords or not isinstance(node.func, ast.Name):
        return None
    if function is not None and node.func.id != function:
        return None
    try:
        args = tuple(ast.literal_eval(arg) for arg in node.args)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return CallTest(node.func.id, args, None) if is_plain(args) else None


def _as_test(expression: str, value: Any, function: str) -> Test | None:
    try:
        node = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    call = call_of(node, function)
    if call is not None:
        return CallTest(function, call.args, value)
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return AssertTest(f"assert {ast.unparse(node)} == {value!r}") if function in names and len(names) > 1 else None


def _doctests(docstring: str) -> Iterator[tuple[str, Any]]:
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:  # uneven indentation below >>>
        return
    for example in examples:
        found = _literal(example.want.strip()) or _literal(example.want.strip().split("\n")[0])
        if found:
            yield example.source.strip(), found[0]


def _written_out(docstring: str, function: str) -> Iterator[tuple[str, Any]]:
    for match in re.finditer(rf"(?<![\w.]){re.escape(function)}\(", docstring):
        if docstring[: match.start()].rstrip(" ").endswith(">>>"):
            continue
        end = _end_of_brackets(docstring, match.end() - 1)
        arrow = _ARROW.match(docstring, end) if end else None
        if end and arrow:
            found = _value_at(docstring, arrow.end())
            if found:
                yield docstring[match.start() : end], found[0]


def _value_at(text: str, start: int) -> tuple[Any] | None:
    """The literal that starts at `text[start]`; of ``8 - 1 = 7`` the last part. In a tuple, as None is a value."""
    end = _end_of_brackets(text, start) if text[start : start + 1] in _CLOSING else None
    if end and _AFTER_VALUE.match(text[end:].split("\n")[0]):
        found = _literal(text[start:end])
        if found:
            return found
    line = text[start:].split("\n")[0]
    if "=" in line and _literal(line) is None:
        line = line.rpartition("=")[2].strip()
    for cut in range(len(line), 0, -1):
        found = _literal(line[:cut].strip())
        if found:
            return found if _AFTER_VALUE.match(line[cut:]) else None
    return None


def _literal(text: str) -> tuple[Any] | None:
    """The value of a literal, in a tuple (None is a value too); None if the text is not a literal."""
    try:
        value = ast.literal_eval(_WORDS.get(text.strip(), text.strip()))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return (value,) if is_plain(value) else None


def _end_of_brackets(text: str, start: int) -> int | None:
    """Index after the bracket that closes the one at `text[start]`, strings skipped; None if it stays open."""
    expected: list[str] = []
    quote = ""
    position = start
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in _CLOSING:
            expected.append(_CLOSING[char])
        elif char in _CLOSING.values():
            if not expected or expected.pop() != char:
                return None
            if not expected:
                return position + 1
        position += 1
    return None
