"""Reads the values that a statement writes: ``nums = [2,7], target = 9``, in Python's, JSON's or Java's manner."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mars2.problems.examples import literal

_STRING = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
_WORD = re.compile(rf"({_STRING})|\b(true|false|null|nil|none|nullptr|undefined)\b", re.IGNORECASE)
_PYTHON = {"true": "True", "false": "False"}
_NAMED = re.compile(r"(?:[A-Za-z][\w<>\[\]]*[ \t]+)?([A-Za-z_]\w*)[ \t]*((?:\[\d*\])*)[ \t]*(?:=(?!=)|:)[ \t]*")
_CURLY = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
_OPENS, _CLOSES = "([{", ")]}"
_BELOW = re.compile(r"=[ \t]*\n\s*")  # a name, and its value in the next line
_MOST_CHARS = 20_000
_DIGITS = re.compile(r"-?\d*\.(\d+)(?:$|[\s,\]})])")


@dataclass(frozen=True, slots=True)
class Written:
    """A value as a statement writes it."""

    name: str  # "" if it has none
    text: str
    is_array: bool = False  # Java's `int arr[] = {1, 2}`


def written_values(text: str) -> list[Written]:
    """The values in a text, separated by commas, semicolons or line ends outside of brackets and strings."""
    values: list[Written] = []
    text = _BELOW.sub("= ", text[:_MOST_CHARS])
    for part in split_outside(text, ",;\n"):
        part = part.strip().strip("`").strip()
        if part.lower().startswith("and "):
            part = part[4:].lstrip()
        if not part:
            continue
        match = _NAMED.match(part)
        if match and match.end() < len(part):
            values.append(Written(match[1], part[match.end() :].strip().strip("`"), bool(match[2])))
        else:
            values.append(Written("", part))
    return values


def split_outside(text: str, separators: str) -> list[str]:
    """The parts of `text` between separators that stand outside of brackets and strings."""
    parts: list[str] = []
    depth = start = position = 0
    quote = ""
    text = text[:_MOST_CHARS]
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char in (quote, "\n"):
                quote = ""
        elif char == '"' or (char == "'" and not text[position - 1 : position].isalpha()):
            quote = char
        elif char in _OPENS:
            depth += 1
        elif char in _CLOSES:
            depth -= 1
        elif depth <= 0 and char in separators:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    parts.append(text[start:])
    return parts


def read_value(text: str, *, as_list: bool = False) -> tuple[Any] | None:
    """The value, in a tuple of one; None if it is not surely one. `as_list`: braces stand for a list."""
    text = text.strip().strip("`").strip()
    if len(text) > _MOST_CHARS:
        return None
    if not text.isascii():
        text = text.translate(_CURLY)
    text = _WORD.sub(lambda m: m[1] or _PYTHON.get(m[2].lower(), "None"), text)
    if "{" in text:
        if as_list:
            text = text.replace("{", "[").replace("}", "]")
        elif ":" not in text and text != "{}":
            return None  # a set, or Java's array
    return literal(text)


def is_rounded(text: str) -> bool:
    """Whether a number in `text` may be rounded so that a right one differs by more than 1e-6."""
    for match in _DIGITS.finditer(text):
        digits = match[1].rstrip("0")
        if len(digits) in (4, 5) or re.fullmatch(r"3{2,3}|6{1,2}7|16{0,1}7|83{1,2}", digits):
            return True
    return False


def fits(annotation: str, value: Any) -> bool:
    """Whether a value may be what an annotation without spaces declares; unknown ones take everything."""
    match annotation:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "str" | "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "ListNode" | "TreeNode":
            return value is None or isinstance(value, list)
        case _:
            if re.match(r"(?:list|List|Sequence)\b", annotation):
                return isinstance(value, list)
            return True
