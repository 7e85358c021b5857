"""Finds the program in a model's answer. The same program is graded and shown in feedback."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from mars2.core.completion import Reading
from mars2.prompting.evidence import Candidate, Piece, candidate
from mars2.prompting.fences import Block, fenced_blocks
from mars2.prompting.joining import joined
from mars2.prompting.python_source import longest_valid_head, parse_python
from mars2.prompting.ranking import SHOWN, Level, flaws, is_excerpt, level
from mars2.prompting.reasoning import without_reasoning
from mars2.prompting.repairs import new_side, repaired
from mars2.prompting.unfenced import unfenced_parts
from mars2.prompting.wrappings import unwrapped, wrapped_texts

MAX_ANSWER_CHARS = 400_000
"""Only the last so many characters of an answer are read: the program comes last."""
MAX_LOOSE_CHARS = 14_000
"""The same, for code that is not in a fence of its own."""
MAX_PARSED_CHARS = 24_000
"""So much of an answer is parsed. A longer piece is not; of many, those that look most like programs are."""
MAX_FENCES = 600
MAX_PIECES = 64
MAX_REJOINED = 3

_SHELLS = frozenset({"bash", "sh", "shell", "zsh", "console", "terminal"})
_CODE_LINE = re.compile(r"^(?:(?:def|class|async def|import|from|if __name__)\b|@\w)", re.MULTILINE)
_TELLING = re.compile(r"^[ \t]*(?:def|class|import|from)\b|\b(?:input|stdin)\b", re.MULTILINE)


def extract_program(text: str, entry_point: str | None = None) -> str | None:
    """The program in `text`, or None if there is none: `read_answer` without its reason."""
    return read_answer(text, entry_point).program


def read_answer(text: str, entry_point: str | None = None) -> Reading:
    """The program in `text` and why it was taken. Never raises, never runs anything.

    1. Thoughts and channels that are not the answer are removed (`without_reasoning`), so code in them is never graded.
    2. The answer is read in several ways, each only if those before found no whole program: its fenced blocks; code
       without a fence; diffs and blocks with a wrong label; JSON, tool calls and patches; HTML and escaped text.
    3. Of all pieces the best is taken (`ranking.py`): by level (it defines `entry_point`; it reads input and writes
       output; it defines something; it prints, imports or calls), then by flaws (cut off, a test, an alternative, …).
       Of equal ones the last is taken, unless it only repeats a part of an earlier one.
    4. Names that it uses and does not define are taken from other pieces (`joining.py`).
    5. If nothing is valid Python, the last block that was meant as code is returned unchanged, so that the verdict is
       CE and the model is shown the syntax error.

    Tests and examples at the top level of the chosen piece stay: they are part of what the model wrote.
    """
    text = _last_fences(text[-MAX_ANSWER_CHARS:]).replace("\r\n", "\n").replace("\r", "\n")
    answer = without_reasoning(text)
    best = invalid = None
    best_level = Level.SCRAP
    goal = Level.DEFINITIONS if entry_point is None else Level.ENTRY_POINT
    parser = _Parser()
    for least, pieces in _readings(answer):
        if len(pieces) == 1 and _is_plain(pieces[0], entry_point):
            return Reading(_tidy(pieces[0].code), f"{pieces[0].place}: the only one")
        pool = parser.candidates(pieces)
        if invalid is None:
            invalid = _invalid(pieces, pool)
        reading, reached = _chosen(pool, entry_point)
        if reading is not None and reached >= least and (best is None or reached > best_level):
            best, best_level = reading, reached
        if best_level >= goal or (invalid is not None and len(invalid.code) > MAX_PARSED_CHARS):
            break
    if invalid is not None and best_level <= Level.SCRIPT and (best is None or _CODE_LINE.search(invalid.code)):
        fault = "too long to be checked" if len(invalid.code) > MAX_PARSED_CHARS else "not valid Python"
        best = Reading(_tidy(invalid.code), f"{invalid.place}: meant as code, but {fault}")
    if best is not None and best.program is not None:
        return best
    thought = " outside of its thoughts" if len(answer.strip()) < len(text.strip()) else ""
    return Reading(None, f"no program in the answer{thought}")


def _last_fences(text: str) -> str:
    parts = text.rsplit("```", MAX_FENCES)
    return text if len(parts) <= MAX_FENCES else "```".join(["", *parts[1:]])


def _is_plain(piece: Piece, entry_point: str | None) -> bool:
    """Whether the piece is plainly the program, so that nothing needs to be weighed: the ordinary answer."""
    if not piece.place.startswith("block") or not piece.is_tagged or len(piece.code) > MAX_PARSED_CHARS:
        return False
    name = r"(?!test)\w+" if entry_point is None else re.escape(entry_point)
    plain = re.compile(
        rf"^(?:(?:async )?def|class) {name}\b" + ("|^import|^from" * (entry_point is None)), re.MULTILINE
    )
    tree = parse_python(piece.code) if plain.search(piece.code) else None
    return tree is not None


def _readings(answer: str) -> Iterator[tuple[Level, list[Piece]]]:
    """The pieces of the answer, read in one way after another, the plainest first, and what they must show at least."""
    blocks = _whole_blocks(answer)
    fenced = [_piece(block, number, answer) for number, block in enumerate(blocks, 1) if block.may_be_python]
    if fenced:
        yield Level.SCRAP, fenced
    outside = _outside(answer, blocks)[-MAX_LOOSE_CHARS:]
    loose = [Piece(part, "code without a fence", is_tagged=False) for part in unfenced_parts(outside)]
    yield Level.SCRIPT, fenced + loose
    others = [block for block in blocks if not block.may_be_python]
    nested = [piece for block in others if block.tag in ("markdown", "md") for piece in _fenced(block.code)]
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
    for place, found in islice(unwrapped(answer), MAX_PIECES):
        yield Level.DEFINITIONS, _inside(found, place)


def _inside(text: str, place: str) -> list[Piece]:
    """The pieces of a text that was wrapped in something."""
    pieces = _fenced(text) or [Piece(part, place, is_tagged=False) for part in unfenced_parts(text)]
    return [Piece(piece.code, place, is_tagged=False, is_closed=piece.is_closed) for piece in pieces]


def _fenced(text: str) -> list[Piece]:
    blocks = fenced_blocks(text)
    return [_piece(block, number, text) for number, block in enumerate(blocks, 1) if block.may_be_python]


def _piece(block: Block, number: int, text: str) -> Piece:
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


class _Parser:
    """Turns pieces into candidates, each piece once, and stops where an answer asks for too much parsing."""

    def __init__(self) -> None:
        self._left = MAX_PARSED_CHARS
        self._found: dict[str, Candidate | None] = {}

    def candidates(self, pieces: Iterable[Piece]) -> list[Candidate]:
        """The pieces that are valid Python, perhaps after a repair, in their order; of equal ones the first."""
        unique: dict[str, Piece] = {}
        for piece in pieces:
            if piece.code.strip():
                unique.setdefault(piece.code.strip(), piece)
        found = [self._candidate(code, piece) for code, piece in self._most_telling(unique).items()]
        return [one for one in found if one is not None]

    def _most_telling(self, pieces: dict[str, Piece]) -> dict[str, Piece]:
        if len(pieces) <= MAX_PIECES and sum(map(len, pieces)) <= self._left:
            return pieces
        codes = list(pieces)
        order = sorted(range(len(codes)), key=lambda at: (_TELLING.search(codes[at]) is not None, at), reverse=True)
        taken: list[int] = []
        left = self._left
        for at in order[:MAX_PIECES]:
            if len(codes[at]) <= left:
                taken.append(at)
                left -= len(codes[at])
        return {codes[at]: pieces[codes[at]] for at in sorted(taken)}

    def _candidate(self, code: str, piece: Piece) -> Candidate | None:
        if code not in self._found:
            self._left -= len(code)
            self._found[code] = _candidate(piece)
        return self._found[code]


def _candidate(piece: Piece) -> Candidate | None:
    found = repaired(piece.code)
    is_trimmed = found is None and (not piece.is_closed or not piece.is_tagged)
    if is_trimmed:
        found = longest_valid_head(piece.code)
    if found is None or not found[1].body:
        return None
    return candidate(piece, *found, was_trimmed=is_trimmed)


def _chosen(pool: Sequence[Candidate], entry_point: str | None) -> tuple[Reading | None, Level]:
    levels = [level(one, entry_point) for one in pool]
    best = max(
        (reached for reached, one in zip(levels, pool, strict=True) if reached or one.piece.is_tagged), default=None
    )
    if best is None:
        return None, Level.SCRAP
    equals = [at for at, reached in enumerate(levels) if reached == best and (reached or pool[at].piece.is_tagged)]
    faults: dict[int, list[str]] = {at: [] for at in equals}
    if len(equals) > 1:
        known = frozenset[str]().union(*(one.binds for one in pool))
        faults = {at: flaws(pool[at], entry_point, known) for at in equals}
    index = min(equals, key=lambda at: (len(faults[at]), -at))
    for earlier in reversed(equals[: equals.index(index)]):
        if is_excerpt(pool[index], pool[earlier]) and len(faults[earlier]) <= len(faults[index]):
            index = earlier
    if best < Level.WHOLE and entry_point is None and (last := _last_step(pool)) is not None:
        index, best = last, Level.WHOLE
    program, givers = joined(pool, index, entry_point)
    others = [f"{pool[at].piece.place} {faults[at][0]}" for at in equals if at > index and faults[at]]
    return Reading(_tidy(program), _reason(pool, index, best, givers, others)), best


def _last_step(pool: Sequence[Candidate]) -> int | None:
    """The piece that writes the result of others that read the input: the end of a program shown in steps."""
    for at in reversed(range(len(pool))):
        if pool[at].writes and pool[at].needs and not pool[at].defines:
            givers = joined(pool, at, None)[1]
            if any(giver.reads for giver in givers):
                return at
    return None


def _reason(
    pool: Sequence[Candidate], index: int, reached: Level, givers: Sequence[Candidate], others: Sequence[str]
) -> str:
    chosen = pool[index].piece.place
    parts = [f"{chosen} of {len(pool)}" if len(pool) > 1 and chosen.startswith("block") else chosen]
    parts[0] += f": {SHOWN[reached]}"
    if others:
        parts.append("; ".join(others[:2]))
    if givers:
        parts.append("joined with " + ", ".join(dict.fromkeys(giver.piece.place for giver in givers)))
    return "; ".join(parts)


def _invalid(pieces: Sequence[Piece], pool: Sequence[Candidate]) -> Piece | None:
    """The last piece that was meant as code and is not valid Python."""
    valid = {id(one.piece) for one in pool}
    meant = [p for p in pieces if id(p) not in valid and p.code.strip() and p.place.startswith("block")]
    return next((p for p in reversed(meant) if p.is_tagged or _CODE_LINE.search(p.code)), None)


def _tidy(code: str) -> str | None:
    """Without blank lines around it and with one newline at its end; lone surrogates become "?"."""
    code = code.strip("\n").rstrip().encode("utf-8", "replace").decode()
    return code + "\n" if code else None
