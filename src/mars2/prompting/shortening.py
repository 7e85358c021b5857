"""Fits long texts into a prompt. The beginning is kept (it shows what the text is) and the end (how it ended)."""

from __future__ import annotations


def shorten(text: str, max_chars: int) -> str:
    """`text` if it fits in `max_chars` characters, else its head and tail with a note of how much was left out.

    The result never exceeds `max_chars`, except that a note alone is returned where not even the note fits.
    """
    if len(text) <= max_chars:
        return text
    room = max_chars - len(_note(len(text)))
    if room <= 0:
        return _note(len(text)).strip()
    head = (room + 1) // 2
    tail = room - head
    return text[:head] + _note(len(text) - room) + (text[-tail:] if tail else "")


def fenced(text: str, max_chars: int, tag: str = "") -> str:
    """`text`, shortened, in a fence longer than any in it; "(nothing)" if it is empty."""
    text = shorten(text.strip("\n"), max_chars)
    if not text:
        return "(nothing)"
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{tag}\n{text}\n{fence}"


def _note(num_left_out: int) -> str:
    return f" …[{num_left_out} characters left out]… "
