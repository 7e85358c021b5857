"""Finds the input/output examples in a docstring and turns them into tests, without running anything."""

from __future__ import annotations

import ast
import builtins
import doctest
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mars2.core.problem import AssertTest, CallTest, Test
from mars2.problems.source import parse, parse_expression
from mars2.problems.values import is_plain

_ARROW = re.compile(
    r"[ \t]*(?:\#[ \t]*)?(?:==?>|-?->|➞|→|===?|=|(?:should|must|would|will)[ \t]+(?:be|return|equal|give|yield)\b"
    r"|returns?\b|equals?\b|gives?\b|yields?\b|is\b|devuelve|retorna|renvoie|retourne|возвращает|вернёт|ergibt|liefert"
    r"|返回|\#)[ \t]*(?:(?:returns?\b|(?i:(?:expected|the)[ \t]+)?(?i:output|result)[ \t]*[:=])[ \t]*)?`?"
)
_PRINTED = re.compile(r"\)[ \t]*(?:\#|->|=>|→)")
_DOUBTED = re.compile(
    r"\b(?:instead|but|wrong(?:ly)?|incorrect(?:ly)?|currently|actual(?:ly)?|rather|got|bug|unexpected)\b",
    re.IGNORECASE,
)
_LABELLED = r"|Input:", r"|Output:"
_DESCRIPTION = r"(?:\bFor{})(.{{1,400}}?)(?:\bthe\s{{1,9}}(?:output|result)\s{{1,9}}should\s{{1,9}}be{})\s*"
_DESCRIBED = re.compile(_DESCRIPTION.format(*_LABELLED), re.DOTALL)
_IN_WORDS = re.compile(_DESCRIPTION.format("", ""), re.DOTALL)
_NAMED = re.compile(r"(?:^|[,\n])\s*[A-Za-z_]\w*\s*[:=]\s*")
_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    r"""[ \t]*(?:(?P<opens>[(\[{])|(?P<closes>[)\]}])|(?P<joins>[,:+-])"""
    r"""|(?P<value>[rRuU]?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|[\d.][\w.]*|(?i:true|false|none|null|set)\b))"""
)  # of a literal
MAX_TESTS = 20
"""Only the first examples of a text become tests, this many. More would cost every program of a search more time."""
_MAX_CALLS = 200  # and doctests and descriptions, of one text
_ASSERT = re.compile(r"^[ \t]*(assert[ \t(][^\n]{1,1000})$", re.MULTILINE)
_MAX_OPEN = 20  # calls whose brackets stay open
_MAX_CHARS = 4_000  # of one call, or of the brackets of one value
_MAX_LINE = 400  # of a value without brackets
_MAX_ENDS = 8  # of a value without brackets that are tried
"""Bounds on the work that a hostile statement can cause."""
_AFTER_VALUE = re.compile(r"\s*`?(?:[.,;]?\s*(?:$|\#|\()|[.,;]\s|\s+(?!or\b)[A-Za-z])")


def docstring_tests(docstring: str, function: str, num_args: int) -> tuple[Test, ...]:
    """Tests for the examples of `function`, which takes `num_args` arguments, in `docstring`: the first `MAX_TESTS`,
    without repetitions.

    These are understood: doctests (``>>> f(1)`` and the value below), calls followed by a value (``f(1) == 2``,
    ``f(1) => 2``, ``f(1) -> 2``, ``f(1) ➞ 2``, ``f(1) = 2``, ``f(1) returns 2``), and descriptions
    (``Input: x = 1 Output: 2``, ``For x = 1 the output should be 2``). Literal calls become a `CallTest`, other
    doctests an `AssertTest`. An example whose value is not a literal is left out.
    """
    return first_tests(_all_tests(docstring, function, num_args))


def prose_tests(text: str, function: str, num_args: int) -> tuple[Test, ...]:
    """Like `docstring_tests`, for the text around code: what "Input:" and "Output:" head is left to other readers, and
    a line that says that a result is wrong ("f(2) returns 3 instead of 4") is no example."""
    return first_tests(_all_tests(text, function, num_args, in_prose=True))


def first_tests(tests: Iterable[Test]) -> tuple[Test, ...]:
    """The first `MAX_TESTS`, without repetitions."""
    found: dict[str, Test] = {}  # arguments cannot be hashed
    for test in tests:
        found.setdefault(repr(test), test)
        if len(found) == MAX_TESTS:
            break
    return tuple(found.values())


def literal_call(node: ast.expr) -> tuple[str, tuple[Any, ...]] | None:
    """(name, arguments) if `node` is ``name(literal, …)``."""
    if not isinstance(node, ast.Call) or node.keywords or not isinstance(node.func, ast.Name):
        return None
    values = [literal(arg) for arg in node.args]
    return (node.func.id, tuple(v[0] for v in values if v)) if all(values) else None


def literal(source: str | ast.expr) -> tuple[Any] | None:
    """The value of a literal, in a tuple of one (None may be the value); None if it is no literal."""
    node = parse_expression(source) if isinstance(source, str) else source
    if node is None:
        return None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return (value,) if is_plain(value) else None


def _all_tests(docstring: str, function: str, num_args: int, *, in_prose: bool = False) -> Iterator[Test]:
    for expression, value in _doctests(docstring) if ">>>" in docstring else ():
        if (test := _as_test(expression, value, function)) is not None:
            yield test
    for expression, value in _written_out(docstring, function, in_prose):
        if isinstance(test := _as_test(expression, value, function), CallTest):
            yield test
    if in_prose:
        yield from _asserted(docstring, function)
    for args, value in () if in_prose and "should" not in docstring else _described(docstring, num_args, in_prose):
        yield CallTest(function, args, value)


def _as_test(expression: str, value: Any, function: str) -> Test | None:
    node = parse_expression(expression.removeprefix("Solution()."))
    if node is None:
        return None
    call = literal_call(node)
    if call is not None and call[0] == function:
        return CallTest(function, call[1], value)
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return AssertTest(f"assert {ast.unparse(node)} == {value!r}") if function in names and len(names) > 1 else None


def _doctests(docstring: str) -> Iterator[tuple[str, Any]]:
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:  # uneven indentation below >>>
        return
    for example in examples[:_MAX_CALLS]:
        found = _literal(example.want.strip()) or _literal(example.want.strip().split("\n")[0])
        if found:
            yield example.source.strip(), found[0]


def _written_out(docstring: str, function: str, in_prose: bool) -> Iterator[tuple[str, Any]]:
    num_open = 0
    for match in islice(
        re.finditer(rf"(?:(?<![\w.])|(?<=Solution\(\)\.)){re.escape(function)}\(", docstring), _MAX_CALLS
    ):
        if in_prose and _DOUBTED.search(line_at(docstring, match.start())):
            continue
        end = _end_of_brackets(docstring, match.end() - 1)
        num_open += end is None
        if num_open > _MAX_OPEN:
            break
        end_of_call = end
        if end and docstring[end : end + 1] == "`":
            end += 1
        elif end and docstring[end : end + 1] == ")" and _PRINTED.match(docstring, end):
            end += docstring[max(0, match.start() - 6) : match.start()].endswith("print(")
        arrow = _ARROW.match(docstring, end) if end else None
        if end and arrow:
            found = _value_at(docstring, arrow.end())
            if found:
                yield docstring[match.start() : end_of_call], found[0]


def _asserted(text: str, function: str) -> Iterator[Test]:
    """Assertions of a line that do more with what the function returns than compare it with a plain value."""
    for match in islice(_ASSERT.finditer(text), _MAX_CALLS):
        if f"{function}(" not in match[1]:
            continue
        tree = parse(match[1].strip().rstrip("`"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set[str]()
        if tree is None or len(tree.body) != 1 or not names <= {function, *dir(builtins)}:
            continue
        match tree.body[0]:
            case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])) if literal_call(
                left
            ) and literal(right):
                pass  # a plain call
            case ast.Assert() as assertion:
                yield AssertTest(ast.unparse(assertion))
            case _:
                pass


def line_at(text: str, position: int) -> str:
    """The line that holds a position, of a long one what is near."""
    start = max(text.rfind("\n", 0, position) + 1, position - _MAX_LINE)
    end = text.find("\n", position)
    return text[start : min(len(text) if end < 0 else end, position + _MAX_LINE)]


def _described(docstring: str, num_args: int, in_prose: bool) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for match in islice((_IN_WORDS if in_prose else _DESCRIBED).finditer(docstring), _MAX_CALLS):
        parts = [part for part in _NAMED.split(match.group(1).strip().removesuffix(",")) if part.strip()]
        args = [_literal(part) for part in parts]
        value = _value_at(docstring, match.end())
        if value and len(args) == num_args and all(args):
            yield tuple(arg[0] for arg in args if arg), value[0]


def _value_at(text: str, start: int) -> tuple[Any] | None:
    """The literal that starts at `text[start]`, in a tuple of one; of ``8 - 1 = 7`` the last part."""
    end = _end_of_brackets(text, start) if text[start : start + 1] in _CLOSING else None
    if end and _AFTER_VALUE.match(text[end : end + _MAX_LINE].split("\n")[0]):
        found = _literal(text[start:end])
        if found:
            return found
    line = text[start : start + _MAX_LINE].split("\n")[0].rstrip().removesuffix(".")
    if "=" in line and _literal(line) is None:
        line = line.rpartition("=")[2].strip()
    for end in _ends(line)[: -_MAX_ENDS - 1 : -1]:
        found = _literal(line[:end])
        if found:
            return found if _AFTER_VALUE.match(line[end:]) else None
    return None


def _ends(line: str) -> list[int]:
    """Where a literal that starts `line` may end: outside brackets, behind a value."""
    ends: list[int] = []
    depth = position = 0
    while (token := _TOKEN.match(line, position)) is not None:
        position = token.end()
        depth += bool(token["opens"]) - bool(token["closes"])
        if depth < 0:
            break
        if depth == 0 and not token["joins"]:
            ends.append(position)
    return ends


def _literal(text: str) -> tuple[Any] | None:
    """Like `literal`; true, false, none and null are understood in lower case."""
    return literal(_WORDS.get(text.strip(), text.strip()))


def _end_of_brackets(text: str, start: int) -> int | None:
    """Index after the bracket that closes the one at `text[start]`; None if it stays open (for long). Skips strings."""
    expected: list[str] = []
    quote = ""
    position = start
    while position < min(len(text), start + _MAX_CHARS):
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
