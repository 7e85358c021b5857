"""What is shown of outputs, values and messages from the jail: bounded, printable, never an exception."""

from __future__ import annotations

from typing import Any

from ..encoding import Opaque


def brief(value: Any, limit: int) -> str:
    """A bounded `repr` of a decoded value: no more than about `limit` characters, never an exception."""
    parts: list[str] = []
    _brief(value, parts, limit, 0)
    return shorten("".join(parts), limit)


def _brief(value: Any, parts: list[str], limit: int, depth: int) -> None:
    if sum(map(len, parts[-64:])) > limit or len(parts) > limit or depth > 50:
        if parts[-1:] != ["…"]:
            parts.append("…")
        return
    if type(value) in (list, tuple, set, frozenset):
        opening, closing = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}[type(value)]
        parts.append(opening)
        for index, item in enumerate(value):
            if index:
                parts.append(", ")
            _brief(item, parts, limit, depth + 1)
            if parts[-1] == "…":
                break
        parts.append("," + closing if type(value) is tuple and len(value) == 1 else closing)
    elif type(value) is dict:
        parts.append("{")
        for index, (key, item) in enumerate(value.items()):
            if index:
                parts.append(", ")
            _brief(key, parts, limit, depth + 1)
            parts.append(": ")
            _brief(item, parts, limit, depth + 1)
            if parts[-1] == "…":
                break
        parts.append("}")
    elif type(value) is int and value.bit_length() > 4000:
        parts.append(f"<integer of {value.bit_length()} bits>")
    elif isinstance(value, (str, bytes, bytearray)):
        parts.append(repr(value[: limit + 1]))
    elif isinstance(value, Opaque):
        parts.append(f"<{value.type_name} object>")
    else:
        try:
            parts.append(repr(value))
        except ValueError:  # an integer inside with more digits than Python prints
            parts.append(f"<{type(value).__name__}>")


def shorten(text: str, limit: int) -> str:
    """Head and tail of a long text, saying how much was left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def printable(text: str, limit: int) -> str:
    """A text from the jail, shortened, that can be printed anywhere: what is not printable is written as an escape."""
    text = shorten(text, limit)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
