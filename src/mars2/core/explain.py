"""Turns what pydantic found wrong with given data into one line, in the same words for every kind of file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mars2.core.errors import OptionError, UserError

HALF_CHARACTER = "holds half a character (a lone surrogate); write the whole character"
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_LONGEST = 60  # characters of a value that are shown

Place = tuple[int | str, ...]
"""Names and indices that lead to a value."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in given data."""

    field: str  # such as ``tests.public[0].input``; empty: the whole
    line: str  # what is wrong, the field first


def explain(
    errors: Sequence[Any],
    data: object,
    keys: Callable[[Place], Collection[str]] = lambda place: (),
    *,
    whole: str,
) -> Mistake:
    """The mistake that tells most. That is an unknown key, because it often causes the others.

    Args:
        errors: what ``ValidationError.errors()`` gives.
        data: what was checked. It shows which parts of a place are names that the user wrote.
        keys: the names that may stand at a place.
        whole: what to call all of `data`.
    """
    first = next((error for error in errors if error["type"] in UNKNOWN), errors[0])
    kind, place, given, context = first["type"], first["loc"], first["input"], first.get("ctx", {})
    if kind.startswith("union_tag") and "()" not in context["discriminator"]:
        place = (*place, context["discriminator"].strip("'"))
        kind, given = ("missing", None) if kind == "union_tag_not_found" else ("tag", context["tag"])
    field = _written(place, data, last_is_absent=kind in ("missing", "tag"))
    reason = context.get("error", first["msg"])
    if isinstance(reason, OptionError):
        return Mistake(field, str(reason.under(field)))
    if isinstance(reason, UserError):
        return Mistake(field, str(reason))
    match kind:
        case "missing":
            words = "missing; add it"
        case "extra_forbidden" | "unexpected_keyword_argument":
            words = f"unknown key; {nearest(str(place[-1]), keys(place[:-1]))}"
        case "string_unicode":
            words = f"{shown(given)} {HALF_CHARACTER}"
        case "string_type":
            words = f"must be text, got {shown(given)}; put it in quotes"
        case _:
            words = f"{_must(kind, first['msg'], context, keys(place))}, got {shown(given)}"
    return Mistake(field, f"{field or whole}: {words}")


def _must(kind: str, message: str, context: dict[str, Any], keys: Collection[str]) -> str:
    """What the value must be."""
    match kind:
        case "value_error":
            return str(context["error"])[:300]
        case "string_too_short":
            return "must not be empty"
        case "too_short":
            return f"must hold at least {context['min_length']}"
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "tag":
            return f"must be one of {context['expected_tags']}"
        case "greater_than":
            return f"must be > {context['gt']:g}"
        case "greater_than_equal":
            return f"must be >= {context['ge']:g}"
        case "less_than":
            return f"must be < {context['lt']:g}"
        case "less_than_equal":
            return f"must be <= {context['le']:g}"
        case "model_type" | "model_attributes_type" | "dict_type" | "dataclass_type":
            return f"must be a mapping with {', '.join(keys) or 'keys'}"
        case "list_type":
            return "must be a list"
        case _:
            return message[0].lower() + message[1:]


def nearest(name: str, known: Collection[str]) -> str:
    """What to write in place of a name that is not known."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else f"use one of {', '.join(known)}"


def shown(value: object) -> str:
    """The start of a value, on one line."""
    try:
        text = " ".join(repr(value).split())
    except (RecursionError, ValueError):  # nested deeply, or an integer of thousands of digits
        return f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _written(place: Place, data: object, *, last_is_absent: bool) -> str:
    """The place as the user would write it: without the names that pydantic adds, which are not in `data`."""
    text, here = "", data
    for i, part in enumerate(place):
        if isinstance(here, dict) and (part in here or (last_is_absent and i == len(place) - 1)):
            text += f".{_name(part)}" if text else _name(part)
            here = cast("dict[Any, Any]", here).get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(cast("list[Any]", here)):
            text += f"[{part}]"
            here = cast("list[Any]", here)[part]
    return text


def _name(part: int | str) -> str:
    """A key, quoted where it would not read as a name."""
    return part if isinstance(part, str) and re.fullmatch(rf"[\w-]{{1,{_LONGEST}}}", part) else shown(part)
