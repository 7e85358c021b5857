"""Reads what OpenAI-compatible servers answer: the text, why it ended, the tokens; or why it is no answer.

Servers differ in every part: names of reasons, parts of contents, forms of errors, streams that nobody asked for.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mars2.core.completion import FinishReason

MAX_COUNT = 10**9  # tokens in or out of one answer; a larger count is a mistake of the server

_TEXT_PARTS = ("text", "output_text", "input_text")
_MESSAGES = ("error", "errors", "message", "msg", "detail", "error_msg", "error_message", "status_msg", "base_resp")
"""Keys under which servers put what went wrong, the most telling one first."""

_ENDINGS = {
    "failed": "error failed failure abort aborted cancel cancelled canceled timeout time timed rate quota network "
    "insufficient malformed unexpected overloaded unloaded pause",
    "filtered": "filter filtered sensitive safety refusal refused recitation blocklist blocked prohibited spii "
    "guardrail moderation toxic policy",
    "length": "length max limit window truncated incomplete repetition",
    "stop": "stop end eos eot complete completed finished done success tool function",
}
"""What a reason means by one of its words, the first that fits."""


class NoAnswer(Exception):
    """There is no answer to use; the text says why, in the server's own words where it has some."""


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """One answer. Counts that the server does not give, or that make no sense, are None."""

    text: str
    reasoning: str  # separated by the server; no part of the answer
    finish_reason: FinishReason
    prompt_tokens: int | None
    output_tokens: int | None


def decode(body: bytes) -> Any:
    """The JSON of a body; the chunks of a stream are put together into one answer.

    Raises:
        NoAnswer: it is neither.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    text = body.decode("utf-8-sig", "replace")
    if re.match(r"\s*(data|event|id|retry)?:", text):
        return _joined(text)
    what = "an HTML page; check base_url, which usually ends in /v1" if _is_html(text) else "not JSON"
    raise NoAnswer(f"sent no chat completion (it is {what}): {said(text)}")


def read_answer(data: Any, *, max_tokens: int) -> ChatAnswer:
    """
    Args:
        max_tokens: what the request allowed; an answer of so many tokens whose end is not explained was cut.

    Raises:
        NoAnswer: it failed, was filtered or refused, calls a tool without saying anything, or is no chat completion.
    """
    if isinstance(data, dict) and data.get("error"):
        raise NoAnswer(f"answered with an error: {said(data)}")
    match data:
        case {"choices": [{**choice}, *_]}:
            pass
        case _:
            raise NoAnswer(f"sent no chat completion (no choices[0].message): {said(data)}")
    ending, reason = _ending(choice.get("finish_reason"))
    if choice.get("error") or ending == "failed":
        words = f": {said(choice['error'])}" if choice.get("error") else ""
        raise NoAnswer(f"gave the answer up (finish_reason {reason}){words}")
    if ending == "filtered":
        raise NoAnswer(f"filtered the answer (finish_reason {reason})")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NoAnswer(f"sent no chat completion (no choices[0].message): {said(data)}")
    text = _text(message.get("content"))
    if text is None:
        raise NoAnswer(f"sent no chat completion (choices[0].message.content is no text): {said(data)}")
    if not text and (refusal := _refusal(message)):
        raise NoAnswer(f"refused to answer: {refusal}")
    if not text and (message.get("tool_calls") or message.get("function_call")):
        raise NoAnswer("called a tool that it was not offered, and said nothing; use a model or template without tools")
    usage = data.get("usage")
    counts: dict[str, Any] = usage if isinstance(usage, dict) else {}
    output_tokens = _count(counts, "completion_tokens", "output_tokens")
    if ending == "unsaid":
        ending = "length" if output_tokens is not None and output_tokens >= max_tokens else "stop"
    return ChatAnswer(
        text=text,
        reasoning="".join(filter(None, (_text(message.get(name)) for name in ("reasoning_content", "reasoning")))),
        finish_reason="length" if ending == "length" else "stop",
        prompt_tokens=_count(counts, "prompt_tokens", "input_tokens"),
        output_tokens=output_tokens,
    )


def said(body: Any) -> str:
    """What a server says is wrong, from the JSON or the text of its answer: its message, or else all of it."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return _page(body) if _is_html(body) else body
    return _message(body) or (body if isinstance(body, str) else json.dumps(body))


def _message(data: Any, depth: int = 8) -> str | None:
    """The first message in an error, of whatever form; that of the provider behind a router is put after it."""
    match data:
        case str():
            return data.strip() or None
        case [first, *_] if depth:
            return _message(first, depth - 1)
        case dict() if depth:
            found = next((words for key in _MESSAGES if (words := _message(data.get(key), depth - 1))), None)
            match data.get("metadata"):
                case {"raw": str() as raw} if raw.strip():
                    return f"{found}: {said(raw)}" if found else said(raw)
                case _:
                    return found
        case _:
            return None


def _is_html(text: str) -> bool:
    return re.match(r"\s*(<!--.*?-->\s*)*<(!doctype|html|head|body|h1|title|center)\b", text, re.I | re.S) is not None


def _page(text: str) -> str:
    """The words of an HTML page, its title first."""
    text = re.sub(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", " ", text, flags=re.I | re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def _ending(reason: Any) -> tuple[str, str]:
    """What a finish reason means, by its words: stop, length, filtered, failed, or unsaid; and how to show it.

    A reason that nobody knows is no success: the answer may have been cut.
    """
    if isinstance(reason, dict):  # {"type": "length", "length": 5}
        reason = reason.get("type")
    if reason is None or reason == "":
        return "unsaid", "none"
    shown = str(reason)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", shown)
    words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", spaced.lower())}
    for meaning, known in _ENDINGS.items():
        if any(word.removesuffix("s") in words for word in known.split()):
            return meaning, shown
    return "failed", shown


def _text(content: Any) -> str | None:
    """The text of a content, also if it comes in parts; None if it is none. Parts of thought are left out."""
    match content:
        case None:
            return ""
        case str():
            return content
        case {"type": str()}:
            return _text([content])
        case list():
            texts = [_text_of_part(part) for part in content]
            return None if None in texts else "".join(filter(None, texts))
        case _:
            return None


def _text_of_part(part: Any) -> str | None:
    match part:
        case str():
            return part
        case {"type": str() as kind} if kind not in _TEXT_PARTS:
            return ""
        case {"text": str() as text}:
            return text
        case {"text": {"value": str() as text}}:
            return text
        case _:
            return None


def _refusal(message: dict[str, Any]) -> str | None:
    """Why a model refuses, beside the content or as a part of it."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    found = [part["refusal"] for part in parts if isinstance(part, dict) and isinstance(part.get("refusal"), str)]
    refusal = message.get("refusal") or " ".join(found)
    return refusal if isinstance(refusal, str) else None


def _count(counts: dict[str, Any], *names: str) -> int | None:
    """The first plausible number of tokens among these fields."""
    for name in names:
        value = counts.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT:
            return value
    return None


def _joined(stream: str) -> dict[str, Any]:
    """One answer from the events of a stream.

    Raises:
        NoAnswer: it holds something else, or breaks off.
    """
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "refusal": ""}
    answer: dict[str, Any] = {}
    reason: Any = None
    is_whole = False
    for event in _events(stream):
        if event == "[DONE]":
            is_whole = True
            continue
        try:
            chunk = json.loads(event)
        except (ValueError, RecursionError):
            raise NoAnswer(f"sent a stream with an event that is not JSON: {event}") from None
        if not isinstance(chunk, dict) or chunk.get("error"):
            raise NoAnswer(f"answered with an error: {said(chunk)}")
        answer |= {name: chunk[name] for name in ("usage",) if chunk.get(name)}
        match chunk.get("choices"):
            case [{**choice}, *_]:
                if choice.get("error"):
                    return {"choices": [choice]}
                reason = choice.get("finish_reason") or reason
                _add(message, choice.get("delta") or choice.get("message"))
            case _:
                pass
    if not is_whole and reason is None:
        raise NoAnswer(f"sent a stream that breaks off: {stream}")
    return answer | {"choices": [{"message": message, "finish_reason": reason}]}


def _events(stream: str) -> Iterator[str]:
    """The data of each event of a stream of server-sent events."""
    for line in re.split(r"[\r\n]+", stream):
        if line.lstrip().startswith("data:") and (data := line.lstrip().removeprefix("data:").strip()):
            yield data


def _add(message: dict[str, Any], delta: Any) -> None:
    """Put a chunk's part of the message behind what came before it."""
    if not isinstance(delta, dict):
        return
    for field, names in {"content": ("content",), "reasoning_content": ("reasoning_content", "reasoning")}.items():
        message[field] += "".join(filter(None, (_text(delta.get(name)) for name in names)))
    message["refusal"] += delta.get("refusal") if isinstance(delta.get("refusal"), str) else ""
    for name in ("tool_calls", "function_call"):
        if delta.get(name):
            message[name] = delta[name]
