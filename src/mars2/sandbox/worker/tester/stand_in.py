"""Stands, in a tester's process, for an object of the candidate's that cannot be carried by value.

A test may ask what has a plain value for its answer: the text of the object, its items, its number. The candidate says
it once, and the test compares it. It may ask for one of these only, so that an object cannot pass by answers that no
plain value would give together. Whatever else a test asks (is it true, equal to something, less …) the candidate would
have to judge itself, and fails the test, even where the test catches all exceptions: what was asked is remembered until
`forget`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, NoReturn

_questions: list[str] = []
_OPERATORS = """
    bool eq ne lt le gt ge hash setitem delitem bytes neg pos abs invert round trunc floor ceil enter exit
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
    """One object; `type_name` is what the candidate calls its type, `ask` has the candidate answer a question."""

    __slots__ = ("_answers", "_ask", "_type_name")

    def __init__(self, type_name: str, ask: Callable[..., Any]) -> None:
        object.__setattr__(self, "_type_name", type_name)
        object.__setattr__(self, "_ask", ask)
        object.__setattr__(self, "_answers", {})

    def __getattribute__(self, name: str) -> NoReturn:
        fail(f"attribute {name} of {type_name_of(self)!r} object")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        fail(f"attribute {name} of {type_name_of(self)!r} object")

    def __str__(self) -> str:
        return _answer(self, "text", "str", str)

    def __repr__(self) -> str:
        return _answer(self, "text", "repr", str)

    def __format__(self, spec: str) -> str:
        return _answer(self, "text", "format", str, spec)

    def __int__(self) -> int:
        return _answer(self, "number", "int", int)

    def __index__(self) -> int:
        return _answer(self, "number", "index", int)

    def __float__(self) -> float:
        return _answer(self, "number", "float", float)

    def __complex__(self) -> complex:
        return _answer(self, "number", "complex", complex)

    def __len__(self) -> int:
        found = _answer(self, "items", "items", tuple)
        return found[0] if len(found) == 1 else len(_listed(self))

    def __iter__(self) -> Iterator[Any]:
        items, is_whole = _items(self)
        yield from items
        if not is_whole:
            fail(f"more items of {type_name_of(self)!r} object")

    def __reversed__(self) -> Iterator[Any]:
        return reversed(_listed(self))

    def __contains__(self, item: object) -> bool:
        return item in _listed(self)

    def __getitem__(self, index: Any) -> Any:
        return _listed(self)[index]

    def __next__(self) -> Any:
        _sort(self, "next items")
        return object.__getattribute__(self, "_ask")("next")

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from ()
        _sort(self, "awaited value")
        return object.__getattribute__(self, "_ask")("await")


class UnseenFunction(Unseen):
    """One that can be called."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return object.__getattribute__(self, "_ask")("call", *args, **kwargs)


def type_name_of(unseen: Unseen) -> str:
    return object.__getattribute__(unseen, "_type_name")


def _sort(unseen: Unseen, sort: str) -> dict[Any, Any]:
    """What the candidate has said of the object, which was asked for no other sort of value."""
    answers: dict[Any, Any] = object.__getattribute__(unseen, "_answers")
    if (other := answers.setdefault("sort", sort)) != sort:
        fail(f"{sort} of {type_name_of(unseen)!r} object, after its {other}")
    return answers


def _answer(unseen: Unseen, sort: str, question: str, kind: type, *args: Any) -> Any:
    """What the candidate says, which is the same each time, and of a plain type."""
    answers = _sort(unseen, sort)
    if (question, *args) not in answers:
        answers[question, *args] = object.__getattribute__(unseen, "_ask")(question, *args)
    if type(answer := answers[question, *args]) is not kind:
        fail(f"{sort} of {type_name_of(unseen)!r} object")
    return answer


def _items(unseen: Unseen) -> tuple[Any, bool]:
    """Its items (a mapping, if it is one) as far as they were taken, and whether these are all."""
    match _answer(unseen, "items", "items", tuple):
        case (list() | dict() as items, bool(is_whole)):
            return items, is_whole
        case _:
            fail(f"items of {type_name_of(unseen)!r} object")


def _listed(unseen: Unseen) -> Any:
    items, is_whole = _items(unseen)
    if not is_whole:
        fail(f"all items of {type_name_of(unseen)!r} object")
    return items


def _operator(name: str) -> Any:
    def operator(self: Unseen, *_: object) -> NoReturn:
        fail(f"{name} of {type_name_of(self)!r} object")

    return operator


for _name in _OPERATORS.split():
    setattr(Unseen, f"__{_name}__", _operator(_name))
