"""Makes tests of a statement's examples, and leaves out what cannot be read surely or may be answered in other ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mars2.core.problem import CallTest, Checker, Comparison, StdioTest, Test
from mars2.problems.asked import Asked, without_code
from mars2.problems.demands import Demands
from mars2.problems.examples import MAX_TESTS, first_tests, line_at, prose_tests
from mars2.problems.labels import Data, Pair, is_prose
from mars2.problems.operations import Operations, operations_in
from mars2.problems.signature import Signature, typed_call
from mars2.problems.written_values import Written, fits, is_rounded, read_value, split_outside, written_values

ANY_CASE = "def check(input, expected, actual):\n    return actual.lower().split() == expected.lower().split()\n"
_PRINTS = re.compile(r"\A(?![\s\S]{0,20000}?\breturn)[\s\S]{0,20000}?\bprint(?:s|ed|ing)?\b(?!\()", re.IGNORECASE)
_ARROW_SIGN = re.compile(r"==?>|-{1,2}>|→|➞")
_ARROW = re.compile(
    rf"[ \t>*`-]{{0,8}}([^\n=>→]{{1,200}}?)[ \t`]*(?:{_ARROW_SIGN.pattern})[ \t`]*([^\n`]{{1,200}})`?[ \t]*"
)
_DESCRIBES = re.compile(
    r"^(?:the|each|a|an|one|first|there|read|print|output|for|you|in|given|two|an?)\b.*\b(?:lines?"
    r"|integers?|numbers?|contains?"
    r"|consists?|strings?|given|answer)\b",
    re.IGNORECASE,
)
_EMPTY = frozenset(("(none)", "none", "(empty)", "no input", "(no input)", "<empty>", "empty", "n/a"))
_STREAMS = frozenset(("standard input", "standard output", "stdin", "stdout", "стандартный ввод", "стандартный вывод"))
_CUT = re.compile(r"(?:^|\s)(?:\.{3}|…)\s*$", re.MULTILINE)
_VALUES = re.compile(r"""[ \t]*(?:[\[{(].*[\]})]|".*"|'.*')[ \t]*""", re.DOTALL)
_ALTERNATIVE = re.compile(r"[\])}\"'\w]\s+(?:or|oder|ou|或|или)\s+[\[({\"'\w]")
_TABLE = re.compile(r"STDIN[ \t]{2,}(?=Function)")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was not read, and why."""

    what: str
    why: str


class _Unread(Exception):
    """An example is left out; the message says why."""


class ExampleReader:
    """Collects the tests of one statement."""

    def __init__(self, text: str, asked: Asked, demands: Demands) -> None:
        self.text, self.asked, self.demands = text, asked, demands
        self.tests: list[tuple[str, Test]] = []  # with the name of the example
        self.left_out: list[LeftOut] = []
        self.comparison: Comparison = "exact"

    def read(self, pairs: Sequence[Pair]) -> None:
        """The tests of a statement with these labelled examples."""
        match self.asked.kind:
            case "stdin":
                self._read_stdio(pairs)
            case "function":
                self._read_calls(pairs)
            case "class":
                self._read_operations(pairs)

    def _read_stdio(self, pairs: Sequence[Pair]) -> None:
        """A test of each pair that is data."""
        for number, pair in enumerate(pairs, 1):
            what = f"example {pair.number or number}"
            try:
                test = self._stdio(pair)
                if test is not None:
                    self.tests.append((what, test))
            except _Unread as why:
                self.left_out.append(LeftOut(what, str(why)))
            if len(self.tests) == MAX_TESTS:
                break
        if self.demands.interactive:
            self._leave_all("the problem is interactive: its judge answers the program")
        elif self.demands.many_answers:
            self._leave_all("the statement accepts several answers; a checker would be needed")
        elif self.demands.any_order and any(_has_several(test) for _, test in self.tests):
            if all(_one_a_line(test) for _, test in self.tests):
                self.comparison = "unordered"
            else:
                self._leave_all("the order of the answer is free, and it is not one value a line")
        elif self.demands.tolerant:
            self.comparison = "tolerant"
            self._leave(lambda test: isinstance(test, StdioTest) and is_rounded(test.output), "its output is rounded")
        elif self.demands.any_case and any(_has_letters(test) for _, test in self.tests):
            self.comparison = Checker(ANY_CASE)

    def _read_calls(self, pairs: Sequence[Pair]) -> None:
        """Tests of the calls that are written out, then of the labelled pairs."""
        asked = self.asked = self._with_what_it_returns()
        text = without_code(self.text, asked.code) if asked.code else self.text
        for function in (asked.function, *asked.others):
            name = function.name if function else asked.name
            arguments = len(function.parameters) if function else 1
            texts = (*(asked.code.docstrings if asked.code else ()), text)
            found = first_tests(test for part in texts for test in prose_tests(part, name, arguments))
            for test in found:
                self._add_call(f"{name}(…)", test, function, "")
        if not asked.others:
            for number, pair in enumerate(pairs, 1):
                what = f"example {pair.number or number}"
                try:
                    args, written = self._arguments(pair), _first_value(pair.wanted)
                    expected = self._expected(written)
                    self._add_call(what, CallTest(asked.name, args, expected), asked.function, written.text)
                except _Unread as why:
                    if pair.marked or "=" in pair.given.text or not is_prose(pair.given.text):
                        self.left_out.append(LeftOut(what, str(why)))
                if len(self.tests) == MAX_TESTS:
                    break
        if not self.tests and asked.function is not None and asked.function.parameters:
            self._read_arrows(asked.function, text)
        self._without_contradictions()
        if (asked.function is None or not asked.function.returns) and _PRINTS.search(self.text):
            self._leave_all("the function prints, and it is not said that it returns")
        if self.demands.in_place and asked.function is not None and not asked.function.returns:
            self._leave(_wants_list, "it is not said whether the function returns what it changes in place")
        self._judge_calls()

    def _read_arrows(self, function: Signature, text: str) -> None:
        """Tests of lines such as ``'world' => 'dlrow'``."""
        lines = (line_at(text, match.start()) for match in islice(_ARROW_SIGN.finditer(text), MAX_TESTS))
        for match in filter(None, map(_ARROW.fullmatch, lines)):
            values = [read_value(part) for part in split_outside(match[1].strip(), ",")]
            expected = read_value(match[2].strip().rstrip(".;,"))
            args = [value[0] for value in values if value is not None]
            if expected is not None and len(values) == len(args) == len(function.parameters):
                test = CallTest(function.name, tuple(args), expected[0])
                self._add_call(match[0].strip(), test, function, match[2])

    def _with_what_it_returns(self) -> Asked:
        """What is asked for, with what the text says of a function that declares nothing of what it returns."""
        function = self.asked.function
        if function is None or function.returns or not (self.demands.in_place and self.demands.returns_nothing):
            return self.asked
        return replace(self.asked, function=replace(function, returns="None"))

    def _read_operations(self, pairs: Sequence[Pair]) -> None:
        """Tests of a class: the names of its operations, and the arguments of each."""
        for number, pair in enumerate(pairs, 1):
            what = f"example {pair.number or number}"
            try:
                self.tests.append((what, self._operations(pair)))
            except _Unread as why:
                self.left_out.append(LeftOut(what, str(why)))
            if len(self.tests) == MAX_TESTS:
                break
        self._judge_calls()

    def _stdio(self, pair: Pair) -> StdioTest | None:
        """The test of a pair; None if it is no example, but describes the input."""
        given, wanted = _column(pair.given.text), pair.wanted.text
        if {given.strip().lower(), wanted.strip().lower()} & _STREAMS:
            return None
        if pair.early:
            return None
        if not pair.labelled:
            if not pair.marked and (is_prose(given) or is_prose(wanted)):
                return None
            if is_prose(given) and _DESCRIBES.search(given) and is_prose(wanted) and _DESCRIBES.search(wanted):
                return None
        if fault := pair.given.fault or pair.wanted.fault:
            raise _Unread(fault)
        if given.strip().lower() in _EMPTY:
            given = ""
        elif not given.strip() and not self.demands.no_input:
            raise _Unread("its input is empty, or stands beside its output")
        if not wanted.strip():
            raise _Unread("no output is given")
        if _CUT.search(given) or _CUT.search(wanted):
            raise _Unread("it is shortened with dots")
        if not pair.labelled and _is_written_as_values(given):
            raise _Unread("it gives values for a function, but the statement names none")
        if "\n" not in given and "\\n" in given:
            raise _Unread("it writes line ends as \\n")
        return StdioTest(given + "\n", wanted + "\n")

    def _arguments(self, pair: Pair) -> tuple[Any, ...]:
        if fault := pair.given.fault:
            raise _Unread(fault)
        values = written_values(pair.given.text)
        if not values:
            raise _Unread("it gives no values")
        function = self.asked.function
        ordered = _in_order(values, function) if function else values
        annotations = function.annotations if function else ("",) * len(ordered)
        args: list[Any] = []
        for value, annotation in zip(ordered, annotations, strict=False):
            shown = f"{value.name} = {value.text}" if value.name else value.text
            found = read_value(value.text, as_list=value.is_array or annotation.startswith(("List", "list")))
            if found is None:
                raise _Unread(f"cannot be read as a value: {shown[:60]}")
            if (
                not fits(annotation.removeprefix("Optional[").removesuffix("]"), found[0])
                and annotation[:8] != "Optional"
            ):
                raise _Unread(f"{shown[:60]} is no {annotation}")
            args.append(found[0])
        return tuple(args)

    def _expected(self, written: Written) -> Any:
        function = self.asked.function
        returns = function.returns if function else ""
        found = read_value(written.text, as_list=returns.startswith(("List", "list")))
        if found is None:
            raise _Unread(f"its output cannot be read as a value: {written.text[:60]}")
        if returns != "None" and not fits(returns, found[0]):
            raise _Unread(f"its output {written.text[:60]} is no {returns}")
        return found[0]

    def _add_call(self, what: str, test: Test, function: Signature | None, written: str) -> None:
        """The test with its types, if it is sure."""
        try:
            if function is not None and isinstance(test, CallTest):
                test = _typed(test, function)
            if "round" not in self.text.lower() and is_rounded(_result_text(test, written)):
                raise _Unread("its output is rounded")
            self.tests.append((what, test))
        except _Unread as why:
            self.left_out.append(LeftOut(what, str(why)))

    def _operations(self, pair: Pair) -> CallTest:
        found = operations_in(pair.given.text)
        if found is None:
            raise _Unread("its input is not a list of operations and a list of their arguments")
        if any(re.search(r"random|shuffle", name, re.IGNORECASE) for name in found.names):
            raise _Unread("its operations draw at random")
        results = read_value(_first_value(pair.wanted).text)
        if results is None or not isinstance(results[0], list) or len(results[0]) != len(found.names):
            raise _Unread("its output is not a list with a result of each operation")
        if is_rounded(pair.wanted.text):
            raise _Unread("its output is rounded")
        return CallTest(found.name, (found.names, found.arguments), results[0], self._types(found))

    def _types(self, found: Operations) -> tuple[str, ...]:
        constructor = self.asked.constructor
        if constructor is None:
            return ("operations",)
        try:
            types = constructor.types[:-1]
        except ValueError as why:
            raise _Unread(str(why)) from None
        if types and len(found.arguments[0]) != len(types):
            raise _Unread("its constructor takes other arguments")
        return ("operations", *types)

    def _without_contradictions(self) -> None:
        """Leaves out examples that want different results of one call."""
        wanted: dict[str, set[str]] = {}
        for _, test in self.tests:
            if isinstance(test, CallTest):
                wanted.setdefault(repr((test.function, test.args)), set()).add(repr(test.expected))
        self._leave(
            lambda test: isinstance(test, CallTest) and len(wanted[repr((test.function, test.args))]) > 1,
            "another example wants a different result of the same call",
        )

    def _judge_calls(self) -> None:
        """How results are compared; without the tests for which that is not known."""
        if self.demands.many_answers:
            self._leave_all("the statement accepts several answers; a checker would be needed")
        elif self.demands.any_order:
            self._leave(
                lambda test: (
                    isinstance(test, CallTest) and isinstance(test.expected, list) and not _is_flat(test.expected)
                ),
                "the order of the answer is free, and its parts may have a free order too",
            )
            if any(isinstance(test, CallTest) and isinstance(test.expected, list) for _, test in self.tests):
                self.comparison = "unordered"
        elif any(isinstance(test, CallTest) and _holds_float(test.expected) for _, test in self.tests):
            self.comparison = "tolerant"

    def _leave(self, is_out: Callable[[Test], bool], why: str) -> None:
        self.left_out += [LeftOut(what, why) for what, test in self.tests if is_out(test)]
        self.tests = [(what, test) for what, test in self.tests if not is_out(test)]

    def _leave_all(self, why: str) -> None:
        self._leave(lambda _: True, why)


def _result_text(test: Test, written: str) -> str:
    return repr(test.expected) if isinstance(test, CallTest) and not written else written


def _typed(test: CallTest, function: Signature) -> CallTest:
    """The test with the types that the signature declares.

    Raises:
        _Unread: they do not fit its values.
    """
    try:
        types = function.types
    except ValueError as why:
        raise _Unread(str(why)) from None
    needs = len(types) > 0 or function.returns == "None"
    if needs and len(test.args) != len(function.parameters):
        raise _Unread(f"it does not give every argument of {function.name}")
    for kind, value in zip(types[:-1], test.args, strict=False):
        if kind and not (value is None or isinstance(value, list)):
            raise _Unread(f"{value!r:.40} stands for a node that the other arguments hold")
    if function.is_coroutine:
        raise _Unread(f"{function.name} is a coroutine")
    if function.returns == "None" and (test.expected is None or function.changed is None):
        raise _Unread(f"{function.name} returns nothing, and what it changes is not shown")
    if types and types[-1] and not (test.expected is None or isinstance(test.expected, list)):
        raise _Unread(f"its output {test.expected!r:.40} is no {types[-1]}")
    return typed_call(test, function)


def _in_order(values: Sequence[Written], function: Signature) -> list[Written]:
    """The values in the order of the function's parameters.

    Raises:
        _Unread: they do not belong to them.
    """
    names = [value.name for value in values]
    plain = {_plain_name(name): name for name in function.parameters}
    known = [_plain_name(name) for name in names]
    fewest, most = function.num_required, len(function.parameters)
    extra = [name for name in names if name and _plain_name(name) not in plain]
    if all(names) and len(set(known)) == len(known) and not extra:
        by_name = dict(zip(known, values, strict=True))
        ordered = [by_name[name] for name in plain if name in by_name]
        if len(ordered) >= fewest and list(plain)[: len(ordered)] == [name for name in plain if name in by_name]:
            return ordered
        raise _Unread(f"it does not give every argument of {function.name}")
    if not fewest <= len(values) <= most:
        if extra and len(values) > most:
            raise _Unread(f"it gives {', '.join(extra)}, which {function.name} does not take")
        raise _Unread(f"it gives {len(values)} values, but {function.name} takes {most}")
    places = list(plain)
    if any(name in plain and places.index(name) != index for index, name in enumerate(known) if name):
        raise _Unread(f"it names other arguments than {function.name} has")
    return list(values)


def _plain_name(name: str) -> str:
    return name.lower().replace("_", "")


def _first_value(data: Data) -> Written:
    """The value that an output shows, without what is said of it.

    Raises:
        _Unread: it shows more, or none.
    """
    if data.fault:
        raise _Unread(data.fault)
    text = data.text.strip()
    if not text:
        raise _Unread("no output is given")
    if re.fullmatch(r"-?\d+\.", text):  # the end of a sentence
        text = text[:-1]
    whole = written_values(text)
    if read_value(text) is None and len(whole) == 1 and whole[0].name:
        return whole[0]
    if read_value(text) is not None or (text[0] == "{" and text[-1] == "}"):
        return Written("", text)
    line = text.split("\n")[0].strip()
    if _ALTERNATIVE.search(line) and read_value(line) is None:
        raise _Unread(f"it shows several outputs: {line[:60]}")
    for part in _starts(line):
        if read_value(part) is not None:
            rest = line[line.find(part) + len(part) :]
            if "=" in rest.partition("(")[0]:
                raise _Unread(f"its output is more than a value: {line[:60]}")
            return Written("", part)
    raise _Unread(f"its output cannot be read as a value: {line[:60]}")


def _starts(line: str) -> list[str]:
    """What may be a value at the start of a line: what stands before a comment, or before a sentence."""
    parts = [line]
    for sign in ("//", " #", " (", "\t", " - ", " – ", " because", " since", " as "):
        parts += [part.strip() for part in line.split(sign)[:1] if sign in line]
    parts.append(line.rstrip(".;"))
    first = split_outside(line, ",;")[0].strip()
    if re.match(r"\s*[,;]\s+[A-Za-z]", line[len(first) :]):
        parts.append(first)
    return [part.rstrip(".;,") for part in parts if part]


def _column(given: str) -> str:
    """The first column of HackerRank's table of stdin and what a function makes of it."""
    lines = given.split("\n")
    match = _TABLE.match(lines[0])
    if match is None:
        return given
    cells = [line[: match.end()].strip() for line in lines[1:] if line.strip().strip("- ")]
    return "\n".join(cells)


def _is_written_as_values(given: str) -> bool:
    values = written_values(given)
    if values and all(value.name and read_value(value.text) is not None for value in values):
        return True
    return _VALUES.fullmatch(given) is not None and read_value(given) is not None


def _wants_list(test: Test) -> bool:
    return isinstance(test, CallTest) and isinstance(test.expected, list | dict | set)


def _has_several(test: Test) -> bool:
    return isinstance(test, StdioTest) and len(test.output.split()) > 1


def _one_a_line(test: Test) -> bool:
    return isinstance(test, StdioTest) and all(len(line.split()) <= 1 for line in test.output.split("\n"))


def _has_letters(test: Test) -> bool:
    return isinstance(test, StdioTest) and any(char.isalpha() for char in test.output)


def _is_flat(value: list[Any]) -> bool:
    return not any(isinstance(item, list | tuple | dict | set) for item in value)


def _holds_float(value: Any) -> bool:
    if isinstance(value, list | tuple | set):
        return any(map(_holds_float, value))
    return isinstance(value, float)
