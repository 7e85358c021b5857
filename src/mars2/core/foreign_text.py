"""Shows what programs, problems and servers say so that it cannot pass for a line of ours or act on a terminal."""

from __future__ import annotations

import re

_PLAIN_NAME = re.compile(r"[^\s\"'|]+")


def printable(text: str) -> str:
    """One line: escapes stand for line ends, control characters, and marks that turn the direction of writing."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(text: str) -> str:
    """`text` as one line between quotes, as Python writes a string, but with its backslashes as they are."""
    shown = printable(text)
    quote = "'" if '"' in shown and "'" not in shown else '"'
    return quote + shown.replace(quote, "\\" + quote) + quote


def named(name: str) -> str:
    """A name as one word if it is one, else quoted."""
    shown = printable(name)
    return shown if _PLAIN_NAME.fullmatch(shown) else quoted(name)


def block(text: str) -> str:
    """Lines of a longer text, each behind a bar. Tabs stay."""
    lines = text.removesuffix("\n").split("\n")
    return "\n".join("| " + "\t".join(map(printable, line.split("\t"))) for line in lines)
