"""Stands, in a tester's process, for an object of the candidate's that cannot be carried by value.

Whatever a test asks of it (is it true, equal to something, of what length …) only the candidate's process could answer,
and there the candidate would choose the answer. So every question but identity fails the test, even where the test
catches all exceptions: what was asked is remembered until `forget`.
"""

from __future__ import annotations

from typing import Any, NoReturn

_questions: list[str] = []
_OPERATORS = """
    bool eq ne lt le gt ge hash len getitem setitem delitem contains reversed next str repr format bytes
    int float complex index neg pos abs invert round trunc floor ceil enter exit
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror
"""


class NotPlain(BaseException):
    """A test asked what only the candidate could answer."""


def fail(question: str) -> NoReturn:
    """End the test: it needs more than plain values."""
    _questions.append(question)
    raise NotPlain(question)


def forget() -> None:
    """Start another test."""
    _questions.clear()


def asked() -> str:
    """The first question of this test that had no answer; "" if there was none."""
    return _questions[0] if _questions else ""


class Unseen:
    """One object; `type_name` is what the candidate calls its type."""

    __slots__ = ("_type_name",)

    def __init__(self, type_name: str) -> None:
        object.__setattr__(self, "_type_name", type_name)

    def __getattribute__(self, name: str) -> NoReturn:
        fail(f"attribute {name} of {type_name_of(self)!r} object")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        fail(f"attribute {name} of {type_name_of(self)!r} object")


def type_name_of(unseen: Unseen) -> str:
    return object.__getattribute__(unseen, "_type_name")


def _operator(name: str) -> Any:
    def operator(self: Unseen, *_: object) -> NoReturn:
        fail(f"{name} of {type_name_of(self)!r} object")

    return operator


for _name in _OPERATORS.split():
    setattr(Unseen, f"__{_name}__", _operator(_name))
