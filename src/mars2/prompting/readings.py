"""The ways in which an answer can be read, one after another: each gives the pieces of code that it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from mars2.prompting.evidence import Piece
from mars2.prompting.fences import Block, fenced_blocks
from mars2.prompting.python_source import parse_python
from mars2.prompting.ranking import Level
from mars2.prompting.repairs import new_side
from mars2.prompting.unfenced import unfenced_parts
from mars2.prompting.wrappings import unwrapped, wrapped_texts

MAX_LOOSE_CHARS = 14_000
"""Only the last so many characters are read where code is not in a fence of its own."""
MAX_REJOINED = 3

_SHELLS = frozenset({"bash", "sh", "shell", "zsh", "console", "terminal"})


def readings(answer: str) -> Iterator[tuple[Level, list[Piece]]]:
    """The pieces of the answer, read in one way after another, the plainest first, and what they must show at least."""
    blocks = _whole_blocks(answer)
    fenced = [_piece(block, number) for number, block in enumerate(blocks, 1) if block.may_be_python]
    if fenced:
        yield Level.SCRAP, fenced
    outside = _outside(answer, blocks)[-MAX_LOOSE_CHARS:]
    loose = [Piece(part, "code without a fence", is_tagged=False) for part in unfenced_parts(outside)]
    yield Level.SCRIPT, fenced + loose
    others = [block for block in blocks if not block.may_be_python]
    outer = [block for block in blocks if block.tag in ("", "markdown", "md") and "```" in block.code]
    nested = [piece for block in outer for piece in _fenced(block.code)]
    if nested:
        yield Level.SCRAP, nested
    if others:
        named = [
            Piece(new_side(block.code), f"the {block.tag} block", is_tagged=False)
            for block in others
            if block.tag not in _SHELLS  # to Python, ``cat > a.py << 'EOF'`` is an expression
        ]
        yield Level.DEFINITIONS, named
    answer = answer[-MAX_LOOSE_CHARS:]
    yield Level.SCRIPT, [piece for place, found in wrapped_texts(answer) for piece in _inside(found, place)]
    for place, found in unwrapped(answer):
        yield Level.DEFINITIONS, _inside(found, place)


def _inside(text: str, place: str) -> list[Piece]:
    """The pieces of a text that was wrapped in something."""
    pieces = _fenced(text) or [Piece(part, place, is_tagged=False) for part in unfenced_parts(text)]
    return [Piece(piece.code, place, is_tagged=False, is_closed=piece.is_closed) for piece in pieces]


def _fenced(text: str) -> list[Piece]:
    blocks = fenced_blocks(text)
    return [_piece(block, number) for number, block in enumerate(blocks, 1) if block.may_be_python]


def _piece(block: Block, number: int) -> Piece:
    return Piece(block.code, f"block {number}", bool(block.tag), block.closed, block.intro)


def _outside(text: str, blocks: Sequence[Block]) -> str:
    """The text without its blocks and their fences."""
    if not blocks:
        return text
    lines = text.split("\n")
    kept: list[str] = []
    position = 0
    for block in blocks:
        kept += lines[position : block.span[0]]
        position = block.span[1]
    return "\n".join([*kept, *lines[position:]])


def _whole_blocks(text: str) -> list[Block]:
    """All blocks. A block that was cut by a fence inside its docstring is put together again."""
    blocks = fenced_blocks(text)
    if len(blocks) < 2:
        return blocks
    lines = text.split("\n")
    found: list[Block] = []
    tries = MAX_REJOINED
    for block in blocks:
        if found and block.lines[0] < found[-1].lines[1]:
            continue  # it is inside the one that was put together
        end = _true_end(block, lines) if tries and block.may_be_python else None
        if end is not None:
            tries -= 1
            code = "\n".join(lines[block.lines[0] : end])
            block = Block(block.tag, code, True, (block.lines[0], end), (block.span[0], end + 1), block.intro)
        found.append(block)
    return found


def _true_end(block: Block, lines: Sequence[str]) -> int | None:
    """The line of the fence that closes a block with a fence in its docstring; None if it was not cut there."""
    if not any(block.code.count(quotes) % 2 for quotes in ('"""', "'''")):
        return None
    fences = (n for n in range(block.lines[1], len(lines)) if lines[n].strip() in ("```", "~~~"))
    for end in islice(fences, 2 * MAX_REJOINED):
        if parse_python("\n".join(lines[block.lines[0] : end])) is not None:
            return end
    return None
