"""Finds the program in a model's answer. The same program is graded and shown in feedback."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mars2.core.completion import Reading
from mars2.prompting.evidence import Candidate, Piece, candidate
from mars2.prompting.joining import joined
from mars2.prompting.python_source import longest_valid_head, parse_python
from mars2.prompting.ranking import SHOWN, Level, flaws, is_excerpt, level
from mars2.prompting.readings import readings
from mars2.prompting.reasoning import without_reasoning
from mars2.prompting.repairs import repaired

MAX_ANSWER_CHARS = 400_000
"""Only the last so many characters of an answer are read: the program comes last."""
MAX_PARSED_CHARS = 24_000
"""So much of an answer is parsed. A longer piece is not; of many, those that look most like programs are."""
MAX_FENCES = 600
MAX_PIECES = 64

_CODE_LINE = re.compile(r"^(?:(?:def|class|async def|import|from|if __name__)\b|@\w)", re.MULTILINE)
_TELLING = re.compile(r"^[ \t]*(?:def|class|import|from)\b|\b(?:input|stdin)\b", re.MULTILINE)


def extract_program(text: str, entry_point: str | None = None) -> str | None:
    """The program in `text`, or None if there is none: `read_answer` without its reason."""
    return read_answer(text, entry_point).program


def read_answer(text: str, entry_point: str | None = None) -> Reading:
    """The program in `text` and why it was taken. Never raises, never runs anything.

    `entry_point` is what the tests call: a function, a class, or ``Class.method``; None where the program is run.

    1. Thoughts and channels that are not the answer are removed (`without_reasoning`), so code in them is never graded.
    2. The answer is read in several ways (`readings.py`), each only if those before found no whole program: its fenced
       blocks; code without a fence; diffs and blocks with a wrong label; JSON, tool calls and patches; HTML, escapes.
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
    is_long = False
    parser = _Parser()
    for least, pieces in readings(answer):
        if len(pieces) == 1 and _is_plain(pieces[0], entry_point):
            return Reading(_tidy(pieces[0].code), f"{pieces[0].place}: the only one")
        pool = parser.candidates(pieces)
        if invalid is None:
            invalid = _invalid(pieces, pool)
        reading, reached = _chosen(pool, entry_point)
        if reading is not None and reached >= least and (best is None or reached > best_level):
            best, best_level = reading, reached
        is_long = invalid is not None and len(invalid.code) > MAX_PARSED_CHARS
        if best_level >= goal or is_long:
            break
    beaten = Level.WHOLE if is_long else Level.SCRIPT  # by code that was meant, though it could not be read
    if invalid is not None and best_level <= beaten and (best is None or _CODE_LINE.search(invalid.code)):
        fault = "too long to be checked" if is_long else "not valid Python"
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
    name = r"(?!test)\w+" if entry_point is None else re.escape(entry_point.partition(".")[0])
    plain = re.compile(
        rf"^(?:(?:async )?def|class) {name}\b" + ("|^import|^from" * (entry_point is None)), re.MULTILINE
    )
    tree = parse_python(piece.code) if plain.search(piece.code) else None
    return tree is not None


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
