"""Finds the program in a model's answer, once for grading and feedback: the program graded is the program fed back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mars2.prompting.fences import Block, fenced_blocks
from mars2.prompting.python_source import (
    bound_names,
    calls_print,
    defined_names,
    parse_python,
    reads_input,
    repaired,
    used_names,
)

MAX_ANSWER_CHARS = 400_000
"""Only the last so many characters of an answer are read: the program comes last."""
MAX_BLOCKS = 64
MAX_REJOINED = 3
MAX_HEADS = 40
MAX_HEAD_CHARS = 400_000
"""Bounds on the search for a valid head of a damaged answer: how many are tried, and their length together."""

_REASONING_TAG = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_CODE_LINE = re.compile(r"^(?:(?:def|class|async def|import|from|if __name__)\b|@\w)", re.MULTILINE)
_MARGIN_LINE = re.compile(r"\n(?=\S)")


@dataclass(frozen=True, slots=True)
class _Candidate:
    code: str
    tree: ast.Module


def extract_program(text: str) -> str | None:
    """The program in `text`, or None if there is none. Never raises, never runs anything.

    1. Reasoning (`<think>…</think>`, closed, unopened or unclosed) is removed; what is in it is never graded.
    2. Of the fenced Python blocks that parse, the last that solves something: one with a definition that is not a
       test, or one that reads input; else one that prints, imports or calls; else the last. A block whose definitions
       are only some of an earlier block's is an excerpt, and the earlier one is taken. Blocks that the chosen one
       needs (it uses names they define) are put before it. A block cut by a fence in its docstring is made whole first.
    3. No block parses: the last that was meant as code, as it stands, so that the verdict is CE and the syntax error
       is fed back. If nobody closed a block, what follows the program (prose, a cut-off part) is trimmed first.
    4. No block at all: the whole text, or the part from its first line of code on, if that is valid Python that
       defines, imports or prints something.

    Tests and examples at the top level of the chosen block stay: they are part of what the model wrote.
    """
    text = without_reasoning(text[-MAX_ANSWER_CHARS:].replace("\r\n", "\n").replace("\r", "\n"))
    blocks = [b for b in fenced_blocks(text) if b.may_be_python and b.code.strip()][-MAX_BLOCKS:]
    if not blocks:
        return _unfenced(text)
    candidates = [c for b in _rejoined(blocks, text) if (c := _candidate(b)) is not None]
    if candidates:
        return _tidy(_choose(candidates))
    invalid = [b for b in blocks if b.tag or _CODE_LINE.search(b.code)]
    if not blocks[0].tag:
        before = re.split(r"^[ \t]*(?:```|~~~)", text, maxsplit=1, flags=re.MULTILINE)[0]
        if (program := _unfenced(before)) is not None:  # a fence closes what none had opened
            return program
    return _tidy(invalid[-1].code) if invalid else None


def without_reasoning(text: str) -> str:
    """`text` without what a reasoning model thought aloud, whether its tags are paired or one of them is missing."""
    kept: list[str] = []
    position, thinking = 0, False
    for tag in _REASONING_TAG.finditer(text):
        if not tag.group(1):  # an opening tag
            if not thinking:
                kept.append(text[position : tag.start()])
            thinking = True
            continue
        if not thinking:  # the chat template had opened it inside the prompt
            kept.clear()
        thinking = False
        position = tag.end()
    if not thinking:  # else the token limit came before the end of thinking
        kept.append(text[position:])
    return "\n".join(kept)


def _rejoined(blocks: Sequence[Block], text: str) -> Iterator[Block]:
    """The blocks, where one that a fence inside its docstring had cut is put together again."""
    lines = text.split("\n")
    position = 0
    while position < len(blocks):
        block = blocks[position]
        position += 1
        if block.closed and any(block.code.count(quotes) % 2 for quotes in ('"""', "'''")):
            for later in range(position, min(position + MAX_REJOINED, len(blocks))):
                whole = "\n".join(lines[block.lines[0] : blocks[later].lines[1]])
                if parse_python(whole) is not None:
                    block = Block(block.tag, whole, closed=True)
                    position = later + 1
                    break
        yield block


def _candidate(block: Block) -> _Candidate | None:
    found = repaired(block.code)
    if found is None and not block.closed:
        found = _longest_valid_head(block.code)
    if found is None or not found[1].body:
        return None
    if not block.tag and _rank(found[1]) == 0:
        return None  # a sample output that happens to be valid Python
    return _Candidate(*found)


def _longest_valid_head(code: str) -> tuple[str, ast.Module] | None:
    """The longest head of `code` that is valid Python with a definition or input."""
    for head in _heads(code):
        tree = parse_python(head)
        if tree is not None and (defined_names(tree) or reads_input(tree)):
            return head, tree
    return None


def _heads(code: str) -> Iterator[str]:
    """Shorter and shorter heads of `code`, each cut before a line that starts at its margin; not endlessly many."""
    num_chars = 0
    for cut in [match.start() for match in _MARGIN_LINE.finditer(code)][: -MAX_HEADS - 1 : -1]:
        num_chars += cut
        if num_chars > MAX_HEAD_CHARS:
            return
        yield code[:cut]


def _choose(candidates: Sequence[_Candidate]) -> str:
    ranks = [_rank(c.tree) for c in candidates]
    best = max(ranks)
    index = max(i for i, rank in enumerate(ranks) if rank == best)
    names = defined_names(candidates[index].tree)
    for earlier in range(index - 1, -1, -1):
        if names and ranks[earlier] == best and names < defined_names(candidates[earlier].tree):
            index = earlier
            names = defined_names(candidates[index].tree)
    return _with_needed_blocks(candidates, index)


def _rank(tree: ast.Module) -> int:
    names = defined_names(tree)
    if any(not _names_a_test(name) for name in names) or reads_input(tree):
        return 2
    return int(bool(names) or calls_print(tree) or any(isinstance(n, ast.Import | ast.ImportFrom) for n in tree.body))


def _names_a_test(name: str) -> bool:
    return name.lower().startswith("test") or name.lower() == "check"


def _with_needed_blocks(candidates: Sequence[_Candidate], index: int) -> str:
    """The chosen block after those earlier ones, nearest first, that bind names it uses and does not bind."""
    parts = [candidates[index].code]
    missing = used_names(candidates[index].tree)
    for earlier in reversed(candidates[:index]):
        bound = bound_names(earlier.tree)
        if _rank(earlier.tree) > 0 and missing & bound:
            parts.insert(0, earlier.code)
            missing = (missing - bound) | used_names(earlier.tree)
    return "\n\n".join(part.strip("\n") for part in parts)


def _unfenced(text: str) -> str | None:
    for part in _unfenced_parts(text):
        found = repaired(part)
        if found is None:
            continue
        code, tree = found
        imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
        if defined_names(tree) or imports or calls_print(tree):
            return _tidy(code)
    return None


def _unfenced_parts(text: str) -> Iterator[str]:
    """The whole text; then from its first line of code on, with fewer and fewer lines at the end."""
    yield text
    start = _CODE_LINE.search(text)
    if start is not None:
        yield text[start.start() :]
        yield from _heads(text[start.start() :])


def _tidy(code: str) -> str | None:
    """Without blank lines around it and with one newline at its end; lone surrogates become "?"."""
    code = code.strip("\n").rstrip().encode("utf-8", "replace").decode()
    return code + "\n" if code else None
