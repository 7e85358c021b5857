"""Finds fenced code blocks in answers of models, also where they break the rules of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

PYTHON_TAGS = frozenset(
    {
        "python",
        "python3",
        "python2",
        "py",
        "py3",
        "pycon",
        "ipython",
        "jupyter",
        "sage",
        "tool_code",
        "code",
        "solution",
    }
)
_PLAIN_TAGS = frozenset({"text", "txt", "plaintext", "plain", "none"})
_MAX_INTRO_CHARS = 200
_TAGS_BEHIND = re.compile(r"(?:<[^<>\n`]{1,60}>)+$")
_INFO = re.compile(r"[ \t]*\{?\.?([A-Za-z0-9_+#.-]*)")
_FIRST_CODE = ("def ", "import ", "from ", "class ", "#")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `tag` is its language in lower case, "" if none was given."""

    tag: str
    code: str
    closed: bool
    lines: tuple[int, int] = (0, 0)  # where its code is in the text: the first index, and one past the last
    span: tuple[int, int] = (0, 0)  # the same with its fences
    intro: str = ""  # the last line of prose in front of it; "" where there is none since the block before

    @property
    def may_be_python(self) -> bool:
        """Tagged as Python, or not tagged."""
        return self.tag == "" or is_python_tag(self.tag)


@dataclass(frozen=True, slots=True)
class _Opening:
    fence: str
    tag: str
    indent: str
    first_line: str  # code that follows the tag on the same line; mostly ""
    number: int  # of its line
    intro: str


def is_python_tag(tag: str) -> bool:
    return tag in PYTHON_TAGS or tag.startswith("python") or tag.endswith(".py")


def fenced_blocks(text: str) -> list[Block]:
    """All fenced blocks, in order. A fence may be ``` or ~~~, be indented, follow prose, or close on its own line.

    A block that is not closed ends where a new tagged fence opens, or at the end of the text. Linear in `text`.
    """
    blocks: list[Block] = []
    opening: _Opening | None = None
    lines: list[str] = []
    intro = ""
    for number, line in enumerate(text.split("\n")):
        if "```" not in line and "~~~" not in line:
            if opening is not None:
                lines.append(line)
            elif line.strip():
                intro = line[-_MAX_INTRO_CHARS:]
            continue
        if opening is not None:
            last_code = _closing(line, opening.fence)
            if last_code is not None:
                blocks.append(_block(opening, [*lines, last_code], number, closed=True))
                opening = None
                continue
            reopening = _opening(line, number, "") if line.lstrip().startswith(opening.fence) else None
            if reopening is None or not reopening.tag:
                lines.append(line)
                continue
            blocks.append(_block(opening, lines, number, closed=False))
        if (inline := _inline(line, number)) is not None:
            blocks.append(inline)
            opening = None
            continue
        opening = _opening(line, number, intro)
        lines = [opening.indent + opening.first_line] if opening and opening.first_line else []
        intro = "" if opening else line[-_MAX_INTRO_CHARS:]
    if opening is not None:
        blocks.append(_block(opening, lines, text.count("\n") + 1, closed=False))
    return blocks


def _block(opening: _Opening, lines: list[str], end: int, *, closed: bool) -> Block:
    indent = opening.indent
    bare = indent.rstrip()  # of a quotation: "> "; an empty line in it is ">"
    if next((line for line in lines if line.strip()), "").startswith(indent):  # else only the fence is indented
        lines = ["" if bare and line == bare else line.removeprefix(indent) for line in lines]
    where = (end - len(lines) + closed, end)
    span = (opening.number, end + closed)
    return Block(opening.tag, "\n".join(lines), closed, where, span, opening.intro)


def _opening(line: str, number: int, intro: str) -> _Opening | None:
    """The block that opens at the last run of fence characters on this line; None if there is none."""
    at = max(line.rfind("```"), line.rfind("~~~"))
    if at < 0:
        return None
    before = line[: at + 3].rstrip(line[at])
    rest = line[at + 3 :]
    fence = line[len(before) : at + 3]
    if "`" in rest or "~" in rest:
        return None
    info = _INFO.match(rest)
    tag = info.group(1).lower() if info else ""
    if tag in _PLAIN_TAGS:
        tag = ""
    quoted = before.strip(" \t>") == ""  # the whole block is quoted: > ```
    if not quoted and not is_python_tag(tag):
        return None  # "put it between ```": prose, unless a Python block plainly opens
    after_tag = rest[info.end() :].strip() if info else ""
    first_line = after_tag if is_python_tag(tag) and after_tag.startswith(_FIRST_CODE) else ""
    return _Opening(fence, tag, before if quoted else "", first_line, number, intro if quoted else before)


def _closing(line: str, fence: str) -> str | None:
    """The code before the closing fence on this line (mostly ""); None if the block does not close here."""
    line = line.rstrip(" \t\r\u200b\ufeff")
    if line.endswith(">") and fence in line:
        line = _TAGS_BEHIND.sub("", line)
    if not line.endswith(fence):
        return None
    before = line.rstrip(fence[0])
    is_comment = before.lstrip().startswith("#") and before.endswith(("#", " "))  # "# ```": a comment about a fence
    return None if is_comment else before.rstrip()


def _inline(line: str, number: int) -> Block | None:
    """A Python block that opens and closes on one line: ```python print(1)```."""
    start, end = line.find("```"), line.rfind("```")
    if start < 0 or end < start + 3:
        return None
    tag, _, code = line[start + 3 : end].strip("`").partition(" ")
    if not is_python_tag(tag.lower()) or not code.strip():
        return None
    return Block(tag.lower(), code.strip(), True, (number, number), (number, number + 1))
