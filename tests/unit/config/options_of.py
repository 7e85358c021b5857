"""All sections of options, found by their types."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints


def sections_of(kind: type[Any]) -> set[type[Any]]:
    """`kind` and every dataclass that a field of it can hold, directly or in a union, a list or another section."""
    found: set[type[Any]] = set()

    def visit(hint: Any) -> None:
        if is_dataclass(hint) and isinstance(hint, type):
            if hint not in found:
                found.add(hint)
                for inner in get_type_hints(hint).values():
                    visit(inner)
        else:
            for inner in get_args(hint):
                visit(inner)

    visit(kind)
    return found


def field_names(section: type[Any]) -> list[str]:
    return [field.name for field in fields(section)]
