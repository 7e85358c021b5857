"""Takes code out of what answers wrap around it: JSON, tool calls, shell commands, HTML, escaped text."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator
from typing import Any, cast

from mars2.prompting.python_source import parse_python
from mars2.prompting.repairs import NUMBER, without_numbers

MAX_VALUES = 32
_MAX_TRIES = 24
_MAX_LITERAL_CHARS = 20_000

_DECODER = json.JSONDecoder(strict=False)
_OBJECT = re.compile(r"[{\[]\s*(?=[{\[\"'])")
_NOT_GRADED = re.compile(
    r"thought|think|reason|analysis|plan|scratch|draft|wrong|original|^tests?$|^old", re.IGNORECASE
)
_FIELD = re.compile(
    r"(?:^[ \t]*|[\"'{,][ \t]*)(\w+)[\"']?[ \t]*[:=][ \t]*(?:\"\"\"([\s\S]*?)(?:\"\"\"|\Z)|'''([\s\S]*?)(?:'''|\Z)"
    r"|\"((?:[^\"\\]|\\[\s\S])*)(?:\"|\Z|\\\Z)|`([^`]*)(?:`|\Z))",
    re.MULTILINE,
)
_PARAMETER = re.compile(
    r"<(parameter|arg_value|argument|code|solution|program|answer|file_text|content)\b[^<>\n]{0,100}>"
    r"(?:\s*<!\[CDATA\[)?([\s\S]*?)(?:\]\]>\s*)?(?:</\1|\Z)"
)
_QUOTED_ARGUMENT = re.compile(r"<\|\"\|>([\s\S]*?)(?:<\|\"\|>|\Z)")
_HEREDOC = re.compile(
    r"<<-?[ \t]*(['\"]?)(\w+)\1[^\n]*\n((?:(?![^\n]*<<-?[ \t]*['\"]?\w)[^\n]*\n)*?)[ \t]*\2[ \t]*$", re.MULTILINE
)
_YAML = re.compile(r"^[ \t-]*\w+:[ \t]*[|>][+-]?\n((?:[ \t]+[^\n]*(?:\n|\Z)|\n)+)", re.MULTILINE)
_PATCH = re.compile(r"^\*\*\* (?:Add|Update) File: [^\n]*\n((?:[+\- @][^\n]*(?:\n|\Z)|\n)+)", re.MULTILINE)
_EDIT = re.compile(
    r"^(?:<{5,9}|-{7}) ?SEARCH(?:(?!^(?:<{5,9}|-{7}) ?SEARCH)[\s\S])*?^(?:>{5,9}|\+{7}) ?REPLACE", re.MULTILINE
)
_INLINE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]{6,2000})\1(?!`)")
_ESCAPE = re.compile(r"\\([nrt\"'\\])")
_ESCAPED = {"n": "\n", "t": "\t", "r": ""}
_BREAK = re.compile(r"<br[ /]*>|</(?:p|div|li|tr|h\d)>|<(?:p|div|li|ul|ol|tr|h\d)(?: [^<>\n]{0,200})?>", re.IGNORECASE)
_ANY_TAG = re.compile(r"</?(?:span|b|i|em|strong|font|pre|code|u|a)(?: [^<>\n]{0,300})?>", re.IGNORECASE)
_LISTED_LINE = re.compile(r"^[-*•] (?=[^\n]*[=(:])", re.MULTILINE)
_QUOTED_LINE = re.compile(r"^[ \t]*(?:> ?)", re.MULTILINE)


def wrapped_texts(text: str) -> Iterator[tuple[str, str]]:
    """Texts that JSON, tool calls, patches and shell commands carry, each with the name of its wrapping."""
    for found in _PATCH.findall(text)[-MAX_VALUES:]:
        yield "a patch", found
    for edit in _EDIT.findall(text)[-MAX_VALUES:]:
        yield "a search-and-replace block", edit
    for _, _, found in _HEREDOC.findall(text)[-MAX_VALUES:]:
        yield "a shell command", found
    for found in _YAML.findall(text)[-MAX_VALUES:]:
        yield "YAML", found
    for found in list(_json_strings(text))[-MAX_VALUES:]:
        yield "JSON or a tool call", found
    for match in list(_PARAMETER.finditer(text))[-MAX_VALUES:]:
        yield "a tool call", match[2]
    for found in _QUOTED_ARGUMENT.findall(text)[-MAX_VALUES:]:
        yield "a tool call", found


def unwrapped(text: str) -> Iterator[tuple[str, str]]:
    """The text with its HTML, escapes, quote marks or line numbers undone, each with the name of what was undone."""
    if _BREAK.search(text) or _ANY_TAG.search(text) or "&lt;" in text:
        plain = html.unescape(_ANY_TAG.sub("", _BREAK.sub("\n", text))).replace("\u00a0", " ")
        yield "HTML", plain
    if "\\n" in text:
        yield "escaped text", _unescaped(text)
    if len(_QUOTED_LINE.findall(text)) > 1:
        yield "a quotation", _QUOTED_LINE.sub("", text)
    if len(_LISTED_LINE.findall(text)) > 1:
        yield "a list", _LISTED_LINE.sub("", text)
    lines = text.split("\n")
    numbered = [at for at, line in enumerate(lines) if NUMBER.match(line[:20])]
    if len(numbered) > 1:
        part = "\n".join(lines[numbered[0] : numbered[-1] + 1])
        if (plain := without_numbers(part)) is not None:
            yield "numbered lines", plain
    if "```" not in text and (inline := [code for _, code in _INLINE.findall(text)]):
        yield "inline code", "\n".join(inline[-MAX_VALUES:])
        for code in inline[-MAX_VALUES:]:
            yield "inline code", code


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def _json_strings(text: str) -> Iterator[str]:
    """The strings in the JSON values of a text, also where the text is cut inside of one, or writes Python literals."""
    position = tries = 0
    is_whole = False
    while tries < _MAX_TRIES and (start := _OBJECT.search(text, position)) is not None:
        tries += 1
        value, position = _value_at(text, start.start())
        is_whole = value is not None and (is_whole or tries == 1)
        yield from _strings(value)
    if not is_whole:
        for match in _FIELD.finditer(text):
            long = match[2] or match[3]
            if not _NOT_GRADED.search(match[1]):
                yield long if long is not None else _unescaped(match[4] or match[5] or "")
        yield from _literal_strings(text)


def _value_at(text: str, start: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1


def _strings(value: Any) -> Iterator[str]:
    """The strings of a JSON value in order: not those in fields of thoughts; a list of lines is one string."""
    stack = [value]
    left = 4 * MAX_VALUES
    while stack and left:
        left -= 1
        item = stack.pop()
        if isinstance(item, str):
            inner = _value_at(item, 0)[0] if item[:1] in ("{", "[") else None
            if isinstance(inner, (dict, list)):
                stack.append(inner)
            else:
                yield item
        elif isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            stack.extend(value for key, value in reversed(fields.items()) if not _NOT_GRADED.search(key))
        elif isinstance(item, list):
            values = cast("list[Any]", item)
            if len(values) > 1 and all(isinstance(line, str) for line in values):
                yield "\n".join(line.rstrip("\n") for line in values)
            else:
                stack.extend(reversed(values))


def _literal_strings(text: str) -> Iterator[str]:
    """The strings in Python expressions and assignments: ``{'code': "…"}``, ``[python(code="…")]``, ``s = "…"``."""
    stripped = re.sub(r"^```\w*\n|\n?```$", "", text.strip())
    if len(stripped) > _MAX_LITERAL_CHARS or ('"' not in stripped and "'" not in stripped):
        return
    tree = parse_python(stripped)
    for node in tree.body if tree is not None else ():
        if not isinstance(node, ast.Expr | ast.Assign):
            return
        try:
            yield from _strings(ast.literal_eval(node.value))
        except (ValueError, TypeError, MemoryError, RecursionError):
            for inner in ast.walk(node):
                if isinstance(inner, ast.keyword) and isinstance(inner.value, ast.Constant):
                    yield from _strings(inner.value.value)
