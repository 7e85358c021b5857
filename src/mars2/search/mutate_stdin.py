"""New inputs for programs that read stdin: a grammar is inferred from the public inputs, then sizes and values change.

The grammar is a sequence of steps that explains every example: lines of fixed width, lists and words whose length is
given by an earlier number, blocks with as many rows as an earlier number tells, and repeated cases after a leading
count. Sizes are drawn first, then the counts before them are set, so that inputs stay well-formed. If no grammar
explains all examples, a single example is used, and only sizes that its own counts explain are changed.
"""

# Values are whatever tests hold.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mars2.search.mutate_values import Traits, another_length, integer_bounds, mutate, mutate_items, resize, traits_of

Var = tuple[int, int]
"""A number that counts something: token `[1]` of the line of step `[0]`."""

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,30}")
_FLOAT = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,12}")
_MAX_STEPS = 24
_MAX_TOKENS = 5_000  # longer examples are left out: they show nothing that shorter ones do not
_MAX_CHARACTERS = 100_000  # the same
_MAX_SIZE = 1_000  # counted things never get longer than this, unless an example was
_MAX_TRIES = 2_000  # of ways to read the examples


@dataclass(frozen=True, slots=True)
class Step:
    """One part of an input. `fixed`: a line of so many tokens. `list`: a line of `count` tokens (None: of any number).
    `word`: one token of `count` characters. `rows`: `count` lines alike, of `width` tokens (`letters`: characters)."""

    kind: Literal["fixed", "list", "word", "rows"]
    count: Var | None = None
    width: Var | None = None
    letters: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """How inputs of a problem read. `cases`: a first line counts repetitions of `steps`; `columns`: traits by step."""

    steps: tuple[Step, ...]
    cases: bool
    parsed: tuple[tuple[list[Any], ...], ...]  # example → cases (one, without `cases`) → a list of rows for each step
    columns: tuple[tuple[Traits, ...], ...]  # of each step: traits of its tokens; of lists and rows, of the whole list


def infer(examples: Sequence[str]) -> Grammar | None:
    """The grammar that explains all examples; None if there is none, or if every example is too long."""
    short = (_lines(text) for text in examples if len(text) <= _MAX_CHARACTERS)
    texts = [lines for lines in short if lines and sum(map(len, lines)) <= _MAX_TOKENS]
    if not texts:
        return None
    plain = _explain(texts)
    if plain is not None and any((0, 0) in (step.count, step.width) for step in plain):
        return _grammar(plain, [[text] for text in texts], cases=False)
    for split in _case_splits(texts):  # the first number counts nothing else, so it may count cases
        steps = _explain([case for cases in split for case in cases])
        if steps is not None:
            return _grammar(steps, split, cases=True)
    return None if plain is None else _grammar(plain, [[text] for text in texts], cases=False)


def generate(grammar: Grammar, rng: np.random.Generator) -> str:
    """A new input, with a line feed at the end."""
    example = grammar.parsed[int(rng.integers(len(grammar.parsed)))]
    if not grammar.cases:
        return _text(_mutated(example[0], grammar, rng))
    everyone = [case for cases in grammar.parsed for case in cases]
    cases = list(example)
    if rng.random() < 0.5:
        number = another_length(len(cases), [len(each) for each in grammar.parsed], rng)
        cases = [*cases, *(everyone[int(rng.integers(len(everyone)))] for _ in range(number - len(cases)))][:number]
    order = rng.permutation(len(cases))
    body = [line for i in order for line in _mutated(cases[i], grammar, rng)]
    return _text([[len(cases)], *body])


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(text: str) -> list[list[Any]]:
    """Typed tokens of each line. A line that is a Python or JSON literal, such as ``[1, 2]``, is one token."""
    return [_tokens(line) for line in text.rstrip("\n").split("\n")] if text.strip() else []


@dataclass(frozen=True, slots=True)
class _Literal:
    """A value written in one line; `as_json`: with JSON's spelling."""

    value: Any
    as_json: bool

    def __str__(self) -> str:
        return json.dumps(self.value) if self.as_json else repr(self.value)


def _tokens(line: str) -> list[Any]:
    line = line.strip()
    if line[:1] in ("[", "(", "{", '"', "'"):
        for read, as_json in ((json.loads, True), (ast.literal_eval, False)):
            try:
                return [_Literal(read(line), as_json)]
            except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                continue
    return [_typed(token) for token in line.split()]


def _typed(token: str) -> int | float | str:
    if _INTEGER.fullmatch(token):
        return int(token)
    return float(token) if _FLOAT.fullmatch(token) and f"{float(token)}" == token else token


def _explain(texts: Sequence[list[list[Any]]]) -> list[Step] | None:
    """The first sequence of steps found that consumes every example completely. Counted parts are tried first."""
    tries = 0

    def go(at: tuple[int, ...], steps: list[Step], numbers: dict[Var, tuple[int, ...]]) -> list[Step] | None:
        nonlocal tries
        tries += 1
        ended = [place == len(text) for place, text in zip(at, texts, strict=True)]
        if all(ended):
            return steps
        if any(ended) or len(steps) >= _MAX_STEPS or tries > _MAX_TRIES:
            return None
        heads = [text[place] for place, text in zip(at, texts, strict=True)]
        for step in _options(heads, numbers):
            if step.kind == "rows":
                assert step.count is not None
                ends = tuple(place + size for place, size in zip(at, numbers[step.count], strict=True))
                blocks = [text[i:j] for text, i, j in zip(texts, at, ends, strict=True)]
                if any(j > len(text) for text, j in zip(texts, ends, strict=True)) or not all(map(_alike, blocks)):
                    continue
                found = go(ends, [*steps, _with_width(step, blocks, numbers)], numbers)
            else:
                more = dict(numbers)
                if step.kind == "fixed":
                    for token, column in enumerate(zip(*heads, strict=True)):
                        if all(type(value) is int and 1 <= value <= _MAX_TOKENS for value in column):
                            more[len(steps), token] = column
                found = go(tuple(place + 1 for place in at), [*steps, step], more)
            if found is not None:
                return found
        return None

    return go((0,) * len(texts), [], {})


def _options(heads: Sequence[list[Any]], numbers: dict[Var, tuple[int, ...]]) -> list[Step]:
    """What the next line may be, the most specific first. A count that is always 1 is no evidence."""
    counts = {var: sizes for var, sizes in reversed(numbers.items()) if max(sizes) > 1}  # the newest first
    options: list[Step] = []
    widths = tuple(map(len, heads))
    if all(len(head) == 1 and isinstance(head[0], str) for head in heads):
        characters = tuple(len(head[0]) for head in heads)
        options += [Step("word", var) for var, sizes in counts.items() if sizes == characters]
    options += [Step("list", var) for var, sizes in counts.items() if sizes == widths]
    rows = [Step("rows", var) for var in counts]
    if len(set(widths)) == 1 and widths[0] > 0:
        return [*options, *rows, Step("fixed")]
    return [*options, *rows, Step("list")]


def _alike(rows: Sequence[list[Any]]) -> bool:
    """Rows of the same number of tokens, of the same types (numbers are all one type)."""
    kinds = {tuple("number" if isinstance(t, int | float) else type(t).__name__ for t in row) for row in rows}
    return len(kinds) == 1 and len(rows[0]) > 0


def _with_width(step: Step, blocks: Sequence[Sequence[list[Any]]], numbers: dict[Var, tuple[int, ...]]) -> Step:
    tokens = tuple(len(block[0]) for block in blocks)
    telling = {var: sizes for var, sizes in numbers.items() if max(sizes) > 1}
    grids = all(len(row) == 1 and isinstance(row[0], str) for block in blocks for row in block)
    if grids and all(len({len(row[0]) for row in block}) == 1 for block in blocks):
        letters = tuple(len(block[0][0]) for block in blocks)
        bound = next((var for var, sizes in telling.items() if sizes == letters), None)
        return Step("rows", step.count, bound, letters=True)
    others = [var for var in telling if var != step.count]
    if step.count is not None and (len(set(numbers[step.count])) > 1 or max(numbers[step.count]) > 2):
        others.append(step.count)  # a square; two rows of two are too little evidence
    bound = next((var for var in others if telling[var] == tokens), None)
    return Step("rows", step.count, bound)


def _case_splits(texts: Sequence[list[list[Any]]]) -> list[list[list[list[list[Any]]]]]:
    """Ways to cut all examples into the cases that their first line counts."""
    if not all(len(text[0]) == 1 and type(text[0][0]) is int and 1 <= text[0][0] < len(text) for text in texts):
        return []
    if max(text[0][0] for text in texts) == 1:
        return []
    ways = [[_even_cases(text) for text in texts]]
    for token in range(min(len(text[1]) for text in texts)):
        ways += [[_headed_cases(text, token, extra) for text in texts] for extra in (0, 1)]
    return [[cases for cases in way if cases is not None] for way in ways if all(cases is not None for cases in way)]


def _even_cases(text: list[list[Any]]) -> list[list[list[Any]]] | None:
    number, rest = text[0][0], text[1:]
    size = len(rest) // number
    return [rest[i : i + size] for i in range(0, len(rest), size)] if size * number == len(rest) else None


def _headed_cases(text: list[list[Any]], token: int, extra: int) -> list[list[list[Any]]] | None:
    """Cases of a head line, `extra` more lines, and as many lines as a token of the head line tells."""
    at, cases = 1, list[list[list[Any]]]()
    for _ in range(text[0][0]):
        if at >= len(text) or len(text[at]) <= token or type(text[at][token]) is not int or text[at][token] < 0:
            return None
        end = at + 1 + extra + text[at][token]
        cases.append(text[at:end])
        at = end
    return cases if at == len(text) else None


def _grammar(steps: Sequence[Step], split: Sequence[Sequence[list[list[Any]]]], *, cases: bool) -> Grammar:
    parsed = tuple(tuple(_parse(case, steps) for case in each) for each in split)
    everyone = [case for each in parsed for case in each]
    columns: list[tuple[Traits, ...]] = []
    for index, step in enumerate(steps):
        blocks = [case[index] for case in everyone]  # each a list of rows
        match step.kind:
            case "fixed":
                rows = [[_plain(token) for token in block[0]] for block in blocks]
                columns.append(tuple(traits_of(column) for column in zip(*rows, strict=True)))
            case "list":
                columns.append((traits_of([list(map(_plain, block[0])) for block in blocks]),))
            case "word" | "rows":
                rows = [list(map(_plain, row)) for block in blocks for row in block]
                if len({len(row) for row in rows}) == 1 and step.width is None:
                    columns.append(tuple(traits_of(column) for column in zip(*rows, strict=True)))
                else:
                    columns.append((traits_of([cell for row in rows for cell in row]),))
    return Grammar(tuple(steps), cases, parsed, tuple(columns))


def _parse(lines: list[list[Any]], steps: Sequence[Step]) -> list[Any]:
    parts: list[Any] = []
    at = 0
    for step in steps:
        size = 1 if step.kind != "rows" or step.count is None else parts[step.count[0]][0][step.count[1]]
        parts.append(lines[at : at + size])
        at += size
    return parts


def _plain(token: Any) -> Any:
    return token.value if isinstance(token, _Literal) else token


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mutated(case: list[Any], grammar: Grammar, rng: np.random.Generator) -> list[list[Any]]:
    """Lines of a case with other sizes and values; counts follow the sizes."""
    steps = grammar.steps
    everyone = [parts for cases in grammar.parsed for parts in cases]
    counts = list(dict.fromkeys(var for step in steps for var in (step.count, step.width) if var is not None))
    sizes: dict[Var, int] = {}
    for step, token in counts:
        size = case[step][0][token]
        if rng.random() < 0.6:
            seen = [parts[step][0][token] for parts in everyone]
            size = min(another_length(size, seen, rng), max(_MAX_SIZE, size))
        sizes[step, token] = max(1, size)
    lines: list[list[Any]] = []
    written: dict[Var, int] = {}  # numbers that may be bounds of later ones
    for index, (step, block) in enumerate(zip(steps, case, strict=True)):
        columns = grammar.columns[index]
        match step.kind:
            case "fixed":
                rows = [_fixed(block[0], index, columns, sizes, rng)]
            case "list":
                rows = [_list(block[0], step, columns[0], sizes, rng)]
            case "word":
                assert step.count is not None
                rows = [[_word(str(block[0][0]), sizes[step.count], columns[0], rng)]]
            case "rows":
                rows = _rows(block, step, columns, sizes, rng)
        above = [var for var in written if _bounds(var, index, None, everyone)]
        cap = min((written[var] for var in above), default=None)
        if cap is not None:
            rows = [[_capped(t, cap, rng) if (index, i) not in sizes else t for i, t in enumerate(row)] for row in rows]
        if step.kind == "fixed":
            for i, token in enumerate(rows[0]):
                above = [var for var in written if var[0] == index and _bounds(var, index, i, everyone)]
                if above and (index, i) not in sizes and type(token) is int:
                    rows[0][i] = token = _capped(token, min(written[var] for var in above), rng)
                if type(token) is int:
                    written[index, i] = token
        lines += rows
    return lines


def _fixed(
    row: list[Any], index: int, columns: Sequence[Traits], sizes: dict[Var, int], rng: np.random.Generator
) -> list[Any]:
    rate = max(0.4, 1 / len(row))
    return [
        sizes[index, i] if (index, i) in sizes else _changed(token, column, rng) if rng.random() < rate else token
        for i, (token, column) in enumerate(zip(row, columns, strict=True))
    ]


def _list(row: list[Any], step: Step, traits: Traits, sizes: dict[Var, int], rng: np.random.Generator) -> list[Any]:
    if any(isinstance(token, _Literal) for token in row):
        return [_changed(token, traits.items or traits, rng) for token in row]
    length = sizes[step.count] if step.count is not None else another_length(len(row), traits.lengths, rng)
    found = resize(row, length, traits, rng)
    while len(found) < length and row:  # distinct ones ran out
        found.append(row[int(rng.integers(len(row)))])
    return mutate_items(found, traits, rng)


def _rows(
    block: Sequence[list[Any]],
    step: Step,
    columns: Sequence[Traits],
    sizes: dict[Var, int],
    rng: np.random.Generator,
) -> list[list[Any]]:
    assert step.count is not None
    height = sizes[step.count]
    rows = [list(block[i % len(block)]) for i in range(height)]
    if step.width is not None and not step.letters:
        rows = [[row[i % len(row)] for i in range(sizes[step.width])] for row in rows]
    if step.letters:
        width = sizes[step.width] if step.width is not None else len(rows[0][0])
        return [[_word(str(row[0]), width, columns[0], rng)] for row in rows]
    cells = [columns[i] if len(columns) == len(row) else columns[0] for row in rows[:1] for i in range(len(row))]
    changed = [
        [_changed(token, cells[i], rng) if rng.random() < 0.3 else token for i, token in enumerate(row)] for row in rows
    ]
    return [changed[i] for i in rng.permutation(height)] if rng.random() < 0.3 else changed


def _word(word: str, length: int, traits: Traits, rng: np.random.Generator) -> str:
    letters = sorted(set("".join(traits.texts)) or set(word))
    word = "".join(word[i % len(word)] for i in range(length))
    return "".join(letters[int(rng.integers(len(letters)))] if rng.random() < 0.25 else letter for letter in word)


def _changed(token: Any, traits: Traits, rng: np.random.Generator) -> Any:
    if isinstance(token, _Literal):
        return _Literal(mutate(token.value, traits, rng), token.as_json)
    new = mutate(token, traits, rng)
    return "".join(new.split()) or token if isinstance(new, str) else new


def _bounds(var: Var, index: int, token: int | None, cases: Sequence[list[Any]]) -> bool:
    """Whether a number is a bound of a step's numbers (or of one `token`), as n is of vertices or of a k <= n.

    It is taken for one if it holds in all examples, and if the two are equal in one of them or n varies.
    """
    pairs = [
        (case[var[0]][0][var[1]], value)
        for case in cases
        for row in case[index]
        for value in (row if token is None else row[token : token + 1])
    ]
    if not all(type(n) is int and type(value) is int and 0 <= value <= n for n, value in pairs):
        return False
    return any(n == value > 1 for n, value in pairs) or len({n for n, _ in pairs}) > 1


def _capped(token: Any, cap: int, rng: np.random.Generator) -> Any:
    least, _ = integer_bounds([min(token, cap)])
    return token if token <= cap else least + int(rng.integers(max(1, cap - least + 1)))


def _text(lines: Sequence[Sequence[Any]]) -> str:
    return "".join(" ".join(map(str, line)) + "\n" for line in lines)
