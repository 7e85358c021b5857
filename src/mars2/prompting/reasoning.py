"""Separates the thoughts of a model from its answer. Tags that code or prose only mention are not thoughts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate

from mars2.prompting.channels import final_message
from mars2.prompting.fences import Block, fenced_blocks
from mars2.prompting.python_source import parse_python

_NAMES = (
    "think|thinking|thoughts?|reasoning|reasoning_content|scratchpad|analysis|reflection|inner_monologue|antthinking"
)
_TAG = re.compile(
    rf"<(/?)(?i:(?:seed:)?(?:{_NAMES})>)|\[(/?)(?i:THINK(?:ING)?\])|◁(/?)think▷|<\|(begin|end)_of_thought\|>"
    r"|<\|(START|END)_THINKING\|>|<\|(/?)think(?:ing)?\|>|<\|channel>(?:thought|thinking|analysis)\b|<(channel)\|>"
    r"|<details type=[\"']?(?:reasoning)[^<>\n]{0,100}>|<(/)details>"
)
_PRINTED = re.compile(
    r"\A\s*Thinking(?:\.\.\.|…)[ \t]*(?=\n)|^(?:(?:\.\.\.|…)[ ]?)?([Dd]one) thinking\.?[ \t]*$", re.MULTILINE
)  # by ollama
_MAX_TAGS = 2000
_CLOSING = frozenset({"/", "end", "channel", "done"})
_QUOTES = ("'", '"', "`")
_TICKS = re.compile(r"(?<!`)`{1,2}(?!`)")  # of inline code, not of a fence
_NEAR = 200  # characters beside a tag that are looked at


def without_reasoning(text: str) -> str:
    """`text` without the thoughts of the model, whether their tags come in pairs or one of them is missing.

    Of an answer in channels (gpt-oss), the final one is what is left. Tags in a closed block of valid Python or of
    another language do not count. Outside of thoughts, tags in quotes or in inline code do not count either. An opening
    tag without a closing one counts if it starts the text or stands alone on its line. A closing tag without an opening
    one counts unless it stands inside a sentence.
    """
    text = final_message(text)
    tags = list(_TAG.finditer(text))
    if "hinking" in text:
        tags = sorted((*tags, *_PRINTED.finditer(text)), key=lambda tag: tag.start())
    if "<details type=" not in text:
        tags = [tag for tag in tags if tag[0] != "</details>"]
    tags = tags[-_MAX_TAGS:]
    if not tags:
        return text
    tags = list(_outside(tags, _code_blocks(text)))
    first = len(text) - len(text.lstrip())
    last_close = max((tag.start() for tag in tags if _closes(tag)), default=-1)
    kept: list[str] = []
    position, thinking = 0, False
    for tag in tags:
        left, right = _beside(text, tag)
        if not thinking and _is_quoted(left, right):
            continue
        if not _closes(tag):
            if not thinking:
                is_alone = tag.start() == first or not (left.strip() or right.strip())
                if tag.start() > last_close and not is_alone:
                    continue
                kept.append(text[position : tag.start()])
            thinking = True
            continue
        if not thinking:  # the chat template had opened it inside the prompt
            if _is_in_a_sentence(left, right):
                continue
            kept.clear()
        thinking = False
        position = tag.end()
    if not thinking:  # otherwise the token limit came before the end of the reasoning
        kept.append(text[position:])
    return "\n".join(kept)


def _closes(tag: re.Match[str]) -> bool:
    return any(group and group.lower() in _CLOSING for group in tag.groups())


def _beside(text: str, tag: re.Match[str]) -> tuple[str, str]:
    """The nearby text on the tag's line, before it and after it."""
    left = text[max(0, tag.start() - _NEAR) : tag.start()].rpartition("\n")[2]
    return left, text[tag.end() : tag.end() + _NEAR].partition("\n")[0]


def _is_quoted(left: str, right: str) -> bool:
    if left.endswith(_QUOTES) and not left.endswith("```"):
        return True
    return len(_TICKS.findall(left)) % 2 == 1 and _TICKS.search(right) is not None


def _is_in_a_sentence(left: str, right: str) -> bool:
    """Whether words stand on both sides of the tag, after a space or a bracket. Models never write a real tag so."""
    return bool(left.strip() and right.strip()) and (left[-1] in " \t([{" or right[0] in " \t)]},.;:")


def _outside(tags: Iterable[re.Match[str]], blocks: Iterable[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """The tags that are in none of the blocks; both in order."""
    left = iter(blocks)
    block = next(left, None)
    for tag in tags:
        while block is not None and block[1] <= tag.start():
            block = next(left, None)
        if block is None or tag.start() < block[0]:
            yield tag


def _code_blocks(text: str) -> list[tuple[int, int]]:
    """Start and end of each block with tags that holds no reasoning."""
    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    return [
        (starts[block.lines[0]], starts[block.lines[1]])
        for block in fenced_blocks(text)
        if block.closed and _TAG.search(block.code) and _is_code(block)
    ]


def _is_code(block: Block) -> bool:
    if block.may_be_python:
        return parse_python(block.code) is not None
    return block.tag not in ("markdown", "md")
