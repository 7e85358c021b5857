"""The vocabulary of the task family: each operation's wording, its right code, and the slips people make writing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ValueType = Literal["ints", "text", "int"]
Family = Literal["lists", "strings", "arithmetic", "flow"]

ARGUMENT_TYPES: tuple[ValueType, ...] = ("ints", "text", "int")
FAMILIES: tuple[Family, ...] = ("lists", "strings", "arithmetic", "flow")


@dataclass(frozen=True, slots=True)
class Op:
    """One step of a program, which turns the variable `x` into the next `x`.

    `{k}` in the texts is the parameter, and `{p}` is k + 1.
    """

    phrase: str  # as the statement words it, e.g. "drop {k}"; unique
    family: Family
    signature: tuple[
        tuple[ValueType, ValueType], ...
    ]  # (type of x before, type of x after); several where it fits both
    code: str  # right code; one or more lines
    slips: tuple[str, ...]  # plausible wrong code: wrong operator, off by one, forgotten corner case
    parameters: tuple[str, ...] = ("",)  # the values `k` may take; ("",) for none

    @property
    def name(self) -> str:
        """The phrase without its parameter, e.g. "drop"; unique."""
        return " ".join(self.phrase.replace("{k}", "").split())

    def result(self, before: ValueType) -> ValueType | None:
        """Type of `x` after the step; None if the step does not apply to `before`."""
        return dict(self.signature).get(before)


def _numbers(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(first, last + 1))


_INTS: tuple[tuple[ValueType, ValueType], ...] = (("ints", "ints"),)
_INTS_TO_INT: tuple[tuple[ValueType, ValueType], ...] = (("ints", "int"),)
_TEXT: tuple[tuple[ValueType, ValueType], ...] = (("text", "text"),)
_INT: tuple[tuple[ValueType, ValueType], ...] = (("int", "int"),)
_SEQUENCE: tuple[tuple[ValueType, ValueType], ...] = (("ints", "ints"), ("text", "text"))
_LETTERS = ("a", "e", "o", "t")

OPS: tuple[Op, ...] = (
    # ---- lists of integers
    Op("sort", "lists", _INTS, "x = sorted(x)", ("x = sorted(x, reverse=True)",)),
    Op("reverse", "lists", _SEQUENCE, "x = x[::-1]", ("x = x[:-1]",)),
    Op("drop {k}", "lists", _SEQUENCE, "x = x[{k}:]", ("x = x[:{k}]", "x = x[{p}:]"), _numbers(1, 3)),
    Op("take {k}", "lists", _SEQUENCE, "x = x[:{k}]", ("x = x[{k}:]", "x = x[:{p}]"), _numbers(2, 4)),
    Op("add {k}", "lists", _INTS, "x = [a + {k} for a in x]", ("x = [a - {k} for a in x]",), _numbers(1, 9)),
    Op("times {k}", "lists", _INTS, "x = [a * {k} for a in x]", ("x = [a + {k} for a in x]",), _numbers(2, 5)),
    Op("keep even", "lists", _INTS, "x = [a for a in x if a % 2 == 0]", ("x = [a for a in x if a % 2 == 1]",)),
    Op(
        "keep above {k}",
        "lists",
        _INTS,
        "x = [a for a in x if a > {k}]",
        ("x = [a for a in x if a >= {k}]", "x = [a for a in x if a < {k}]"),
        _numbers(1, 5),
    ),
    Op("unique", "lists", _INTS, "x = list(dict.fromkeys(x))", ("x = sorted(set(x))",)),
    Op("gaps", "lists", _INTS, "x = [b - a for a, b in zip(x, x[1:])]", ("x = [a - b for a, b in zip(x, x[1:])]",)),
    Op("sum", "lists", _INTS_TO_INT, "x = sum(x)", ("x = len(x)",)),
    Op("largest", "lists", _INTS_TO_INT, "x = max(x, default=0)", ("x = max(x)", "x = min(x, default=0)")),
    Op(
        "count above {k}",
        "lists",
        _INTS_TO_INT,
        "x = sum(a > {k} for a in x)",
        ("x = sum(a >= {k} for a in x)",),
        _numbers(1, 5),
    ),
    # ---- strings
    Op("upper", "strings", _TEXT, "x = x.upper()", ("x = x.title()",)),
    Op("title", "strings", _TEXT, "x = x.title()", ("x = x.capitalize()",)),
    Op("sort letters", "strings", _TEXT, "x = ''.join(sorted(x))", ("x = sorted(x)",)),
    Op("remove {k}", "strings", _TEXT, "x = x.replace('{k}', '')", ("x = x.replace('{k}', ' ')",), _LETTERS),
    Op("double letters", "strings", _TEXT, "x = ''.join(c * 2 for c in x)", ("x = x * 2",)),
    Op("reverse words", "strings", _TEXT, "x = ' '.join(x.split()[::-1])", ("x = ''.join(x.split()[::-1])",)),
    Op(
        "no vowels",
        "strings",
        _TEXT,
        "x = ''.join(c for c in x if c not in 'aeiou')",
        ("x = ''.join(c for c in x if c in 'aeiou')",),
    ),
    Op("length", "strings", (("ints", "int"), ("text", "int")), "x = len(x)", ("x = len(x) - 1",)),
    Op("word lengths", "strings", (("text", "ints"),), "x = [len(w) for w in x.split()]", ("x = [len(w) for w in x]",)),
    # ---- arithmetic on one integer
    Op("plus {k}", "arithmetic", _INT, "x = x + {k}", ("x = x - {k}",), _numbers(1, 9)),
    Op("multiply by {k}", "arithmetic", _INT, "x = x * {k}", ("x = x + {k}",), _numbers(2, 5)),
    Op("mod {k}", "arithmetic", _INT, "x = x % {k}", ("x = x // {k}",), _numbers(5, 9)),
    Op("distance to {k}", "arithmetic", _INT, "x = abs(x - {k})", ("x = x - {k}",), _numbers(3, 9)),
    Op(
        "digit sum",
        "arithmetic",
        _INT,
        "x = sum(int(c) for c in str(abs(x)))",
        ("x = sum(int(c) for c in str(x))",),
    ),
    Op(
        "digits",
        "arithmetic",
        (("int", "ints"),),
        "x = [int(c) for c in str(abs(x))]",
        ("x = [int(c) for c in str(x)]",),
    ),
    # ---- control flow
    Op(
        "until above {k}",
        "flow",
        _INTS,
        "for i, a in enumerate(x):\n    if a > {k}:\n        x = x[:i]\n        break",
        (
            "for i, a in enumerate(x):\n    if a >= {k}:\n        x = x[:i]\n        break",
            "for i, a in enumerate(x):\n    if a > {k}:\n        x = x[:i + 1]\n        break",
        ),
        _numbers(3, 6),
    ),
    Op(
        "trim end above {k}",
        "flow",
        _INTS,
        "while x and x[-1] > {k}:\n    x = x[:-1]",
        ("while x[-1] > {k}:\n    x = x[:-1]", "if x and x[-1] > {k}:\n    x = x[:-1]"),
        _numbers(2, 5),
    ),
    Op(
        "reverse if longer than {k}",
        "flow",
        _SEQUENCE,
        "if len(x) > {k}:\n    x = x[::-1]",
        ("if len(x) < {k}:\n    x = x[::-1]",),
        _numbers(2, 4),
    ),
    Op(
        "if odd add {k}",
        "flow",
        _INT,
        "if x % 2 == 1:\n    x = x + {k}",
        ("if x % 2 == 0:\n    x = x + {k}",),
        _numbers(1, 9),
    ),
    Op(
        "halve while above {k}",
        "flow",
        _INT,
        "while x > {k}:\n    x = x // 2",
        ("if x > {k}:\n    x = x // 2",),
        _numbers(3, 9),
    ),
)

BY_NAME: dict[str, Op] = {op.name: op for op in OPS}
