"""Values are held to the bounds that their declaration names, whoever makes the object: a file, a command or Python."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from mars2.core.errors import OptionError

Complaint = Callable[[Any], str | None]
"""Value → what it must be, as in "must be >= 1"; None: it is that already."""


@dataclass(frozen=True, slots=True)
class Holds:
    """A bound that `annotated_types` has no word for."""

    complaint: Complaint


def check_bounds(options: object) -> None:
    """Call it in `__post_init__` of a dataclass: each field is held to its `Annotated` bounds and its `Literal`.

    Raises:
        OptionError: the first field whose value is not allowed.
    """
    for name, complaint in _complaints(type(options)):
        value = getattr(options, name)
        if words := complaint(value):
            raise OptionError(name, f"got {value!r}; {words}", sign=":")


@cache
def _complaints(kind: type) -> tuple[tuple[str, Complaint], ...]:
    """The fields of a dataclass that have bounds."""
    hints = get_type_hints(kind, include_extras=True)
    found = ((field.name, _complaint(hints[field.name])) for field in fields(kind))
    return tuple((name, complaint) for name, complaint in found if complaint is not None)


def _complaint(hint: Any) -> Complaint | None:
    """How values of a type are checked; None: it has no bounds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = [_complaint(arguments[0]), *map(_bound, arguments[1:])]
        return _all_of([bound for bound in bounds if bound is not None])
    if origin is Literal:
        return lambda value: None if value in arguments else f"must be {' or '.join(map(repr, arguments))}"
    if origin in (Union, types.UnionType):
        return _any_of([(member, _complaint(member)) for member in arguments])
    if origin in (tuple, list):
        return _each([_complaint(a) for a in arguments if a is not ...])
    return None


def _bound(bound: Any) -> Complaint | None:
    match bound:
        case Ge(ge=least):
            return lambda value: None if _holds(lambda: value >= least) else f"must be >= {least}"
        case Gt(gt=least):
            return lambda value: None if _holds(lambda: value > least) else f"must be > {least}"
        case Le(le=most):
            return lambda value: None if _holds(lambda: value <= most) else f"must be <= {most}"
        case Lt(lt=most):
            return lambda value: None if _holds(lambda: value < most) else f"must be < {most}"
        case MinLen(min_length=least):
            return lambda value: None if len(value) >= least else f"must hold at least {least}"
        case Holds(complaint=complaint):
            return complaint
        case _:
            return None


def _holds(compare: Callable[[], Any]) -> bool:
    """A text is no number: it is outside every bound."""
    try:
        return bool(compare())
    except TypeError:
        return False


def _all_of(complaints: list[Complaint]) -> Complaint | None:
    """All must be content."""
    if not complaints:
        return None
    return lambda value: next((words for complaint in complaints if (words := complaint(value))), None)


def _any_of(members: list[tuple[Any, Complaint | None]]) -> Complaint | None:
    """One member of a union must be content; None is a member only by name."""
    bounded = [complaint for _, complaint in members if complaint is not None]
    others = tuple(
        member if isinstance(member, type) else get_origin(member) for member, complaint in members if complaint is None
    )
    if not bounded:
        return None

    def complain(value: Any) -> str | None:
        if any(isinstance(other, type) and isinstance(value, other) for other in others):
            return None
        words = [complaint(value) for complaint in bounded]
        return None if None in words else " or ".join(str(word) for word in words)

    return complain


def _each(complaints: list[Complaint | None]) -> Complaint | None:
    """The elements of a tuple or list; one kind stands for all of them."""
    if not any(complaints):
        return None

    def complain(values: Any) -> str | None:
        kinds = complaints * len(values) if len(complaints) == 1 else complaints
        pairs = zip(kinds, values, strict=False)
        return next((words for complaint, value in pairs if complaint and (words := complaint(value))), None)

    return complain
