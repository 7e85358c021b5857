"""Undoes what a web page, a notebook, a diff or an editor did to Python source."""

from __future__ import annotations

import ast
import html
import re
import textwrap
from collections.abc import Iterator
from functools import partial

from mars2.prompting.python_source import MAX_PARSE_CHARS, parse_python

_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|#39|#x27);")
_SPACES = str.maketrans(
    {"\u00a0": " ", "\u2002": " ", "\u2003": " ", "\u2009": " ", "\u202f": " ", "\ufeff": "", "\u200b": ""}
)
_QUOTES = str.maketrans("“”„‟″＂‘’‚‛′´＇", '"' * 6 + "'" * 7)
_SIGNS = str.maketrans(
    "：，（）；＝＋－＊／＜＞［］｛｝．％｜＆＾～！＿＠＃−–—‐‑‒﹣×÷。、\u3000",
    ":,();=+-*/<>[]{}.%|&^~!_@#-------*/.,\x00",
)
_COMPARISONS = {"≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "\x00": "  "}
_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
_LITERAL = re.compile(
    r"\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*|\\[*_\[\](){}<>#+.!`~|-]"
)
_MARKDOWN = re.compile(r"\\([*_])")
_UNESCAPED = re.compile(r"(?<!\\)[*_]")
_WIDE_INDENT = re.compile(r"^[ \u3000]+", re.MULTILINE)
_MAGIC = re.compile(r"^[ \t]*[%!](?!=).*$", re.MULTILINE)
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.|In \[\d*\]:|[ ]{2,6}\.\.\.:)(?: |$)")
NUMBER = re.compile(r"^[ \t]*[\[(]?(?:[Ll]ine |L)?\d{1,6}(?:[ \t]?[|:.)\]│→]|(?=[ \t]|$))")
_EDIT = re.compile(r"^(?:={5,9}|\|{7}.*\n[\s\S]*?\n={7})[ \t]*\n([\s\S]*?)(?:^(?:>{5,9}|\+{7}).*$|\Z)", re.MULTILINE)
_EDIT_START = re.compile(r"^(?:<{5,9}|-{7})(?: |$)", re.MULTILINE)
_DIFF_HEAD = re.compile(r"^(?:diff |index |--- |\+\+\+ |@@|\*\*\* |\\ No newline|new file mode )")


def repaired(source: str) -> tuple[str, ast.Module] | None:
    """`source` if it is valid Python, else its first repair that is, with the syntax tree; None if there is none.

    Repairs: a stray language name on the first line, no-break spaces and byte-order marks, indentation of the whole
    block, tabs mixed with spaces; then, for text that went through a web page, a notebook or an interactive session:
    HTML entities, curly quotes, full-width punctuation, minus signs, Markdown's backslashes, lines of IPython magic,
    ``>>>`` prompts, line numbers; the new side of a diff or of a search-and-replace block.
    """
    if len(source) > MAX_PARSE_CHARS:
        return None
    for candidate in dict.fromkeys(_repairs(source)):
        tree = parse_python(candidate)
        if tree is not None:
            return candidate, tree
    return None


def _repairs(source: str) -> Iterator[str]:
    first, _, rest = source.lstrip("\n").partition("\n")
    if first.strip().lower() in {"python", "python3", "py"}:  # on its own it would even parse, as a name
        source = rest
    yield source
    if source.isascii():
        plain = source
    else:
        plain = source.translate(_SPACES)
        yield plain
    plain = textwrap.dedent(plain)
    yield plain
    if "\u3000" in plain:
        for width in (2, 1, 4):
            yield _WIDE_INDENT.sub(partial(_widened, width), plain)
    if "\t" in plain:
        yield plain.expandtabs(4)
        yield plain.expandtabs(8)
    for undo in (_without_entities, _typed, new_side, _without_magic, _without_prompts, _without_numbers):
        if (undone := undo(plain)) != plain:
            plain = textwrap.dedent(undone)
            yield plain


def _widened(width: int, indent: re.Match[str]) -> str:
    return indent[0].replace("\u3000", " " * width)


def new_side(source: str) -> str:
    """What a diff or search-and-replace block leaves in the file; other text is returned unchanged."""
    if _EDIT_START.search(source):
        return "\n".join(_EDIT.findall(source))
    lines = [line for line in source.split("\n") if not _DIFF_HEAD.match(line)]
    if any(line[:1] not in ("+", "-", " ", "") for line in lines) or not any(line.startswith("+") for line in lines):
        return source
    return "\n".join(line[1:] for line in lines if not line.startswith("-"))


def without_numbers(source: str) -> str | None:
    """`source` without the line number that each of its lines begins with; None if they do not."""
    lines = source.strip("\n").split("\n")
    numbers = [NUMBER.match(line) for line in lines]
    if not all(number or not line.strip() for number, line in zip(numbers, lines, strict=True)):
        return None
    values = [int(re.sub(r"\D", "", number[0])) for number in numbers if number is not None and number[0].strip()[:9]]
    if not values or values != list(range(values[0], values[0] + len(values))):
        return None
    bare = (line[number.end() :] if number else "" for number, line in zip(numbers, lines, strict=True))
    return textwrap.dedent("\n".join(bare))


def _without_entities(source: str) -> str:
    return html.unescape(source).translate(_SPACES) if _ENTITY.search(source) else source


def _typed(source: str) -> str:
    """As a keyboard types it: quotes everywhere, signs and Markdown's backslashes outside of strings and comments."""
    if source.isascii() and "\\" not in source:
        return source
    source = source.translate(_QUOTES)
    if _MARKDOWN.search(source) and not _UNESCAPED.search(source):  # in strings too
        source = _MARKDOWN.sub(r"\1", source)
    parts: list[str] = []
    position = 0
    for literal in _LITERAL.finditer(source):
        parts += [_plain_signs(source[position : literal.start()]), literal[0].lstrip("\\").replace("\\_", "_")]
        position = literal.end()
    return "".join([*parts, _plain_signs(source[position:])])


def _plain_signs(code: str) -> str:
    if code.isascii():
        return code
    code = code.translate(_SIGNS).translate(_DIGITS)
    for sign, plain in _COMPARISONS.items():
        code = code.replace(sign, plain)
    return code


def _without_magic(source: str) -> str:
    return _MAGIC.sub("", source)


def _without_prompts(source: str) -> str:
    if not _PROMPT.match(source.lstrip("\n")):
        return source
    prompts = ((_PROMPT.match(line), line) for line in source.split("\n"))
    return "\n".join(line[prompt.end() :] for prompt, line in prompts if prompt)


def _without_numbers(source: str) -> str:
    return without_numbers(source) or source
