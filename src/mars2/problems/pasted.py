"""Makes plain text of a pasted page: line ends, odd spaces, HTML. Fenced code is left as it is."""

from __future__ import annotations

import html
import re

_NAMES = (
    "a|abbr|article|b|big|blockquote|body|br|center|code|dd|details|div|dl|dt|em|figure|font|h[1-6]|head|hr|html|i|img"
    "|ins|kbd|li|main|nobr|ol|p|pre|s|samp|section|small|span|strong|sub|summary|sup|table|tbody|td|tt|th|thead|title"
    "|tr|tex-math|tex-span|u|ul|var"
)
_ATTRIBUTE = r"""\s+[\w:@.-]+=(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
_TAG = re.compile(rf"<(/?)({_NAMES})((?:{_ATTRIBUTE})*)\s*/?>", re.IGNORECASE)
_IS_HTML = re.compile(r"</(?:p|pre|div|strong|b|h[1-6]|li|code|td|span|em)>|<br ?/?>", re.IGNORECASE)
_PRE_OPENS = re.compile(rf"<pre(?:{_ATTRIBUTE})*\s*>", re.IGNORECASE)
_PRE_CLOSES = re.compile(r"</pre>", re.IGNORECASE)
_LABELLED = re.compile(r"\b(?:input|output)\b", re.IGNORECASE)
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "big",
        "code",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "nobr",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "tex-math",
        "tex-span",
        "tt",
        "u",
        "var",
    ]
)
_CELLS = frozenset(("td", "th"))
_QUOTED = re.compile(r"(?:^[ \t]*>.*\n?){4,}", re.MULTILINE)
_ROW = re.compile(r"^[ \t]*\|.*<br.*$", re.IGNORECASE | re.MULTILINE)
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
CELL_BREAK = "\v"
"""Stands for a line end in a cell of a table."""
_FENCE = re.compile(r"[ \t>]*(```+|~~~+)")
_SPACES = {0xA0: " ", 0x2007: " ", 0x202F: " ", 0x3000: " ", 0x200B: None, 0x200C: None, 0x2060: None, 0xFEFF: None}


def plain_text(page: str) -> str:
    """The text of a page that was pasted, in time linear in its length."""
    text = page.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = text.translate(_SPACES)
    if _QUOTED.search(text):
        text = _QUOTED.sub(_unquoted, text)
    if not _IS_HTML.search(text):
        return text
    return "".join(part if is_code else _without_tags(part) for part, is_code in _parts(text))


def _unquoted(quotation: re.Match[str]) -> str:
    """The text of a quotation that holds an example; others may be data."""
    if not _LABELLED.search(quotation[0]):
        return quotation[0]
    return re.sub(r"^[ \t]*> ?", "", quotation[0], flags=re.MULTILINE)


def _parts(text: str) -> list[tuple[str, bool]]:
    """The text in parts, and whether each is fenced code."""
    parts: list[tuple[str, bool]] = []
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if not fence and mark:
            parts.append(("".join(lines), False))
            lines, fence = [], mark[1]
        lines.append(f"{line}\n")
        if fence and len(lines) > 1 and mark and mark[1].startswith(fence):
            parts.append(("".join(lines), True))
            lines, fence = [], ""
    parts.append(("".join(lines)[:-1], bool(fence)))
    return parts


def _without_tags(text: str) -> str:
    """HTML as text. What is preformatted becomes a fenced block, unless it holds the labels of its data itself."""
    parts: list[str] = []
    text = _ROW.sub(lambda row: _BREAK.sub(CELL_BREAK, row[0]), text)
    position = 0
    while opens := _PRE_OPENS.search(text, position):
        closes = _PRE_CLOSES.search(text, opens.end())
        if closes is None:
            break
        parts.append(_TAG.sub(_in_text, text[position : opens.start()]))
        kept = html.unescape(_TAG.sub(_in_pre, text[opens.end() : closes.start()]))
        parts.append(f"\n{kept}\n" if _LABELLED.search(kept) or "```" in kept else f"\n```\n{_trimmed(kept)}\n```\n")
        position = closes.end()
    parts.append(_TAG.sub(_in_text, text[position:]))
    return html.unescape("".join(parts)).replace("\xa0", " ")


def _trimmed(text: str) -> str:
    return text.removeprefix("\n").rstrip("\n")


def _in_text(tag: re.Match[str]) -> str:
    name = tag[2].lower()
    if name == "sup":
        return "" if tag[1] else "^"
    if name in _INLINE or name == "sub":
        return ""
    if name in _CELLS:
        return "\t" if tag[1] else ""
    return "\n" if name in ("br", "li", "tr", "div") else "\n\n"


def _in_pre(tag: re.Match[str]) -> str:
    """Some sites write every line of a sample as an element of its own."""
    name = tag[2].lower()
    return "\n" if name == "br" or (name in ("div", "p", "li") and tag[1]) else ""
