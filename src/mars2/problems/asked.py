"""Decides from the code in a statement, or from its words, what is asked for: a function, a class, or a program."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from mars2.problems.examples import prose_tests
from mars2.problems.labels import Pair
from mars2.problems.operations import operations_in
from mars2.problems.signature import Signature
from mars2.problems.stubs import Code
from mars2.problems.written_values import written_values

Kind = Literal["stdin", "function", "class"]
_MOST_WORDS = 6_000  # characters that are searched for "a function f(x)"
_VERBS = (
    "write|implement|create|complete|code|design|develop|make|build|need|want|give me|program|provide"
    "|finish|add|fix|^[ \\t]*define"
    "|escrib\\w*|escrev\\w*|schreib\\w*|écri\\w*|напиши\\w*|реализу\\w*|напишіть|编写|实现|写|請|请|作成|実装|書い"
    "|작성|구현|napisz|scrivi"
)
_NOUN = (
    "function|method|func|procedure|routine|funci[oó]n|função|funcao|funktion|fonction|функци\\w+|函数|函數|関数|함수"
    "|funzione|funkcj\\w+"
)
_IN_WORDS = re.compile(
    rf"(?:{_VERBS})[^.\n]{{0,60}}?(?:{_NOUN})[ \t]*(?:(?:called|named|llamad[ao]|chamad[ao]|namens"
    rf"|appelée|nommée|под названием|名为|叫)[ \t]+)?"
    r"(?:(?P<quoted>[`'\"“‘*]{1,4})(?P<name>[A-Za-z_]\w*)"
    r"|(?P<bare>[A-Za-z_]\w*)(?=\())(?:\((?P<params>[^()\n]{0,200})\))?",
    re.IGNORECASE | re.MULTILINE,
)
_CLASS = re.compile(
    r"(?:[Ww]rite|[Ii]mplement|[Cc]reate|[Dd]esign|[Bb]uild|[Cc]omplete|[Mm]ake)\b[^.\n]{0,40}?"
    r"(?:\bclass[ \t]+(?:called[ \t]+|named[ \t]+)?[`'\"*]{0,3}([A-Z]\w*)"
    r"|\bthe[ \t]+[`'\"*]{0,3}([A-Z]\w*)[`'\"*]{0,3}[ \t]+class\b)"
)
_NAMED = re.compile(
    rf"(?:{_NOUN})[ \t]+(?:called|named|llamad[ao]|chamad[ao]|namens|appelée"
    rf"|nommée)[ \t]+[`'\"“*]{{0,2}}(?P<name>[A-Za-z_]\w*)"
    r"(?:\((?P<params>[^()\n]{0,200})\))?",
    re.IGNORECASE,
)
_CALLS = re.compile(r"^[ \t>*`-]{0,8}(?:assert[ \t]+)?([A-Za-z_]\w{0,60})\((?:([A-Za-z_]\w{0,60})\()?", re.MULTILINE)
_MOST_CALLS = 50
_MOST_FUNCTIONS = 10
"""Of the functions in a statement, as many are looked at."""
_READS = re.compile(
    r"\bstdin\b|\bstandard input\b|\b(?:reads?|given|input)\b[^.\n]{0,80}\bprints?\b|\bfirst line\b"
    r"|\bprints?\b.{0,60}\bstdout\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, and the code that says so."""

    kind: Kind
    entry_point: str | None = None
    code: Code | None = None
    function: Signature | None = None
    others: tuple[Signature, ...] = ()  # further functions whose examples are read
    constructor: Signature | None = None

    @property
    def name(self) -> str:
        """The function that tests call."""
        return (self.entry_point or "").removeprefix("Solution.")


def asked_for(text: str, blocks: Sequence[Code], pairs: Sequence[Pair], entry_point: str | None) -> Asked:
    if entry_point is not None:
        return _named(blocks, pairs, entry_point)
    operations = next((found for pair in pairs if (found := operations_in(pair.given.text))), None)
    if operations is not None:
        return _class(blocks, operations.name)
    for code in blocks:
        methods = [function for function in code.functions if function.is_method]
        if methods:
            chosen = _fitting(methods, pairs) or _last_open(code, methods)
            return Asked("function", f"Solution.{chosen.name}", code, chosen)
    if any(code.reads_input for code in blocks):
        return Asked("stdin")
    open_ones = [
        (code, function)
        for code in blocks
        for function in code.functions
        if function.name in code.open_functions and function.name != "main"
    ]
    if open_ones and not (pairs and not any(function.parameters for _, function in open_ones)):
        open_ones = open_ones[-_MOST_FUNCTIONS:]
        called = [item for item in open_ones if f"{item[1].name}(" in without_code(text, item[0])]
        code, function = (called or open_ones)[-1]
        others = tuple(other for _, other in open_ones if other.name != function.name)
        return Asked("function", function.name, code, function, others)
    whole = [(code, function) for code in blocks for function in code.functions]
    for code, function in whole[: -_MOST_FUNCTIONS - 1 : -1]:
        if prose_tests(without_code(text, code), function.name, len(function.parameters)):
            return Asked("function", function.name, code, function)
    for code in blocks:
        for name in code.classes:
            if name in code.open_classes:
                return _class(blocks, name)
    marked = any(pair.labelled or pair.early for pair in pairs)
    words = None if marked else _function_in_words(text)
    if words is not None:
        name, parameters = words
        known = parameters if parameters is not None else ()
        function = Signature(name, False, known, len(known), ("",) * len(known), "")
        return Asked("function", name, None, function if parameters is not None else None)
    if not pairs and not whole and (name := _called(text)):
        return Asked("function", name)
    if not marked and not whole and not _READS.search(text) and (found := _CLASS.search(text[:_MOST_WORDS])):
        return _class(blocks, found[1] or found[2])
    if whole and not marked and not any(code.runs for code, _ in whole) and not _READS.search(text):
        code, function = whole[-1]
        return Asked("function", function.name, code, function)
    return Asked("stdin")


def _called(text: str) -> str | None:
    """The function that examples call at the start of a line, if no code names one."""
    called = (name for match in islice(_CALLS.finditer(text), _MOST_CALLS) for name in match.groups() if name)
    names = [name for name in dict.fromkeys(called) if not hasattr(builtins, name)]
    return next((name for name in names[:_MOST_FUNCTIONS] if prose_tests(text, name, 1)), None)


def _named(blocks: Sequence[Code], pairs: Sequence[Pair], entry_point: str) -> Asked:
    """What is asked for if it is known by name."""
    wanted = entry_point.removeprefix("Solution.")
    for code in blocks:
        for function in code.functions:
            if function.name == wanted:
                name = f"Solution.{wanted}" if function.is_method else entry_point
                return Asked("function", name, code, function)
    operated = any((found := operations_in(pair.given.text)) and found.name == wanted for pair in pairs)
    if operated or any(wanted in code.classes for code in blocks):
        return _class(blocks, wanted)
    return Asked("function", entry_point)


def _class(blocks: Sequence[Code], name: str) -> Asked:
    for code in blocks:
        if name in code.classes or any(name == owner for owner, _ in code.constructors):
            constructor = next((made for owner, made in code.constructors if owner == name), None)
            return Asked("class", name, code, constructor=constructor)
    return Asked("class", name)


def _fitting(functions: Sequence[Signature], pairs: Sequence[Pair]) -> Signature | None:
    """The function whose parameters the examples name."""
    for pair in pairs[:3]:
        names = {value.name for value in written_values(pair.given.text)}
        for function in functions:
            if names and names == set(function.parameters):
                return function
    return None


def _last_open(code: Code, functions: Sequence[Signature]) -> Signature:
    open_ones = [function for function in functions if function.name in code.open_functions]
    return open_ones[-1] if open_ones else functions[0]


def without_code(text: str, code: Code) -> str:
    return text.replace(code.text.strip("\n"), "")


def _function_in_words(text: str) -> tuple[str, tuple[str, ...] | None] | None:
    """(name, parameters if they are said) of "Write a function `add(a, b)` that …"."""
    text = text[:_MOST_WORDS]
    match = _IN_WORDS.search(text) or _NAMED.search(text)
    if match is None:
        return None
    groups = match.groupdict()
    name = groups["name"] or groups.get("bare") or ""
    if not name.isidentifier():
        return None
    params = groups["params"]
    if params is None:
        return name, None
    names = [re.sub(r"[:=].*", "", part).strip().rpartition(" ")[2] for part in params.split(",") if part.strip()]
    return name, tuple(names) if all(part.isidentifier() for part in names) else None
