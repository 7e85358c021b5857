"""Kinds of values that options have, the base of every section of options, and options as plain data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeGuard, cast, get_args, get_type_hints
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, Lt

from mars2.core.bounds import Holds, check_bounds

Job = Literal["solve", "evaluate", "train", "sft"]
"""A job that can be interrupted and resumed."""

MAY_CHANGE = "may change"


def matches(pattern: str, remedy: str) -> Holds:
    """A text that the regular expression matches from end to end."""
    return Holds(lambda text: None if re.fullmatch(pattern, text) else remedy)


def _cannot_be_reached(url: str) -> str | None:
    """What is wrong with an address that a socket would refuse: its port, or its host."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError("host or port is missing")
        parts.hostname.encode("idna")
    except ValueError as error:
        return f"it is no address ({error}); write http://HOST:PORT/v1"
    return None


PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
PositiveFraction = Annotated[float, Gt(0), Le(1)]
Decay = Annotated[float, Ge(0), Lt(1)]
HttpUrl = Annotated[  # no user, password or query: a run keeps its settings
    str,
    matches(r"https?://[^\s@?#]+", "write http://HOST:PORT/v1, without user, password or query"),
    Holds(_cannot_be_reached),
]
EnvironmentName = Annotated[
    str, matches(r"[A-Za-z_][A-Za-z0-9_]*", "write the name of an environment variable, such as OPENAI_API_KEY")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A group of options. A value that its declaration does not allow is refused, however the object is made."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # `config.load`: an unknown key is a mistake

    def __post_init__(self) -> None:
        check_bounds(self)
        self._check()

    def _check(self) -> None:
        """Rules between fields. Raises OptionError."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data that YAML and JSON can hold; `config.load` reads it back."""
        return _plain(self)


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether a value from outside has keys and values; nothing is known of their types."""
    return isinstance(value, Mapping)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if is_mapping(value):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in cast("list[Any] | tuple[Any, ...]", value)]
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, Enum) else value


def resumable(*jobs: Job, **default: Any) -> Any:
    """A field that may change when one of `jobs` is resumed; what has no such mark must stay. `default`: as `field`."""
    return field(**default, metadata={MAY_CHANGE: frozenset(jobs)})


@dataclass(frozen=True, slots=True)
class OneOf:
    """Marks a union of sections, of which the field `tag` says which one is meant."""

    tag: str
    default: str | None = None  # what is meant where the field is left out

    def __get_pydantic_core_schema__(self, union: Any, handler: Any) -> dict[str, Any]:
        """What pydantic asks of an annotation; it takes plain data."""
        schema: Callable[[Any], Any] = handler.generate_schema
        choices = {tag: schema(kind) for tag, kind in kinds_of(union, self.tag).items()}
        tagged = {"type": "tagged-union", "discriminator": self.tag, "choices": choices}
        if self.default is None:
            return tagged
        return {"type": "function-before", "function": {"type": "no-info", "function": self._tagged}, "schema": tagged}

    def _tagged(self, given: Any) -> Any:
        return {self.tag: self.default, **given} if is_mapping(given) else given


def kinds_of(union: Any, tag: str) -> dict[str, type[Any]]:
    """The sections of a union, by the value of the field that tells them apart."""
    union = getattr(union, "__origin__", union)  # of Annotated
    return {get_args(get_type_hints(kind)[tag])[0]: kind for kind in get_args(union)}
