"""Finds the message for the user among the channels of gpt-oss (the "harmony" format), with or without its marks."""

from __future__ import annotations

import re

_HEADER = re.compile(
    r"(?:<\|start\|>\s*assistant[^<\n]{0,80})?<\|channel\|>\s*(\w+)([^<\n]{0,120})"
    r"(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>"
)
_HEADER_IN_PROMPT = re.compile(r"\A\s*(\w{0,12})([^<\n]{0,80})<\|message\|>")
_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_BARE_FINAL = re.compile(r"assistant\n?final(?![a-z]{0,20}\w{0,20}\()")
_BARE_START = re.compile(r"\A\s*(?:assistant)?(?:analysis|commentary)(?=[A-Z\"'`\d(]|\s?to=)")


def final_message(text: str) -> str:
    """What `text` says to the user; the whole text if it is not written in channels.

    The channel `analysis` is never part of it, also where the chat template has opened it or the marks were stripped
    ("analysisWe need …assistantfinalHere is …"). Without a channel `final`, a tool call in `commentary` is the answer.
    """
    if "<|message|>" in text:
        return _marked(text)
    parts = _BARE_FINAL.split(text)
    if len(parts) > 1:
        return parts[-1]
    return "" if _BARE_START.match(text) else text


def _marked(text: str) -> str:
    headers = [
        match for match in _HEADER.finditer(text) if text[match.start() - 1 : match.start()] not in ("'", '"', "`")
    ]
    first = _HEADER_IN_PROMPT.match(text)
    if first is not None and (not headers or first.end() <= headers[0].start()):
        headers.insert(0, first)
    if not headers:
        return text
    messages: dict[str, list[str]] = {}
    for header, after in zip(headers, [*headers[1:], None], strict=True):
        body = text[header.end() : after.start() if after else len(text)]
        recipient = "call" if "to=" in header[2] and header[1] == "commentary" else header[1]
        messages.setdefault(recipient or "analysis", []).append(_END.split(body, maxsplit=1)[0])
    return "\n".join(messages.get("final") or messages.get("call") or [])
