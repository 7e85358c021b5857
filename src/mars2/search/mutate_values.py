"""Changes plain values into others of the same kind, as far as examples show what kind that is.

Properties that the examples share are kept: signs, the letters used, equal lengths, rows of one width. Order,
distinctness and permutations of 1 … n are kept unless they may be chance (two short lists are often sorted). The rest
may change: numbers within about the range seen, lengths, order. An input that the problem does not allow would make
right programs disagree, so mutations stay close to what was seen.
"""

# Values are whatever tests hold.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

_CHANGE_RATE = 0.3  # share of the items of a list that change
_CHANCE = 0.02  # a regularity of the examples is kept if chance alone would show it less often than this
_MAX_ITEMS = 10_000  # no list grows longer


@dataclass(frozen=True, slots=True)
class Traits:
    """What the values at one place of all examples have in common."""

    integers: tuple[int, ...]
    floats: tuple[float, ...]
    texts: tuple[str, ...]
    is_category: bool  # few texts, each seen several times: names, not free text
    lengths: tuple[int, ...]  # of lists, tuples and sets
    distinct: bool
    ascending: bool
    permutation: bool
    rectangular: bool  # lists of lists of one length
    square: bool
    items: Traits | None  # of all items of all lists
    fields: tuple[Traits, ...] | None  # of tuples that all have the same length


def traits_of(values: Sequence[Any]) -> Traits:
    """Traits of the values at one place; empty traits if there are no values."""
    numbers = [v for v in values if not isinstance(v, bool)]
    texts = [v for v in values if isinstance(v, str)]
    lists = [_items(v) for v in values if isinstance(v, list | tuple | set | frozenset)]
    items = [item for each in lists for item in each]
    tuples = [v for v in values if isinstance(v, tuple)]
    as_fields = len(tuples) == len(values) > 0 and len({len(t) for t in tuples}) == 1 and len(tuples[0]) > 0
    longer = [each for each in lists if len(each) > 1]
    rows = bool(items) and all(isinstance(item, list) for item in items)
    return Traits(
        integers=tuple(v for v in numbers if isinstance(v, int)),
        floats=tuple(v for v in numbers if isinstance(v, float) and abs(v) != float("inf") and v == v),
        texts=tuple(texts),
        is_category=len(texts) >= 4 and 2 * len(set(texts)) <= len(texts),
        lengths=tuple(len(each) for each in lists),
        distinct=_chance_of_distinct(longer) < _CHANCE,
        ascending=_chance_of_order(longer) < _CHANCE and all(map(_is_ascending, longer)),
        permutation=_chance_of_order(longer) < _CHANCE and all(map(_is_permutation, lists)),
        rectangular=rows and all(len({len(row) for row in each}) <= 1 for each in lists),
        square=rows and all(len(row) == len(each) for each in lists for row in each),
        items=traits_of(items) if items else None,
        fields=tuple(traits_of(column) for column in zip(*tuples, strict=True)) if as_fields else None,
    )


def mutate(value: Any, traits: Traits, rng: np.random.Generator, *, keep_length: bool = False) -> Any:
    """Another value of the same kind; sometimes the same. Values of unknown kinds are returned as they are."""
    match value:
        case bool():
            return bool(rng.integers(2))
        case int():
            return _integer(value, traits, rng)
        case float():
            return _float(value, traits, rng)
        case str():
            return _text(value, traits, rng, keep_length)
        case list() | tuple() | set() | frozenset():
            return _container(value, traits, rng, keep_length)
        case dict():
            columns = traits_of(list(value.values()))
            return {key: mutate(item, columns, rng) if rng.random() < 0.5 else item for key, item in value.items()}
        case _:
            return value


def resize(items: Sequence[Any], length: int, traits: Traits, rng: np.random.Generator) -> list[Any]:
    """`items` in the wanted number: some are left out, or more of the same kind are added. `traits` are the list's.

    The result is shorter only if no more distinct items were found.
    """
    if traits.permutation:
        order = (rng.permutation(length) + 1).tolist() if length != len(items) else list(items)
        return [int(item) for item in order]
    found = list(items)
    length = min(length, _MAX_ITEMS)
    present = {repr(item) for item in found} if traits.distinct else set[str]()
    while len(found) > length:
        found.pop(int(rng.integers(len(found))))
    attempts = 0
    while len(found) < length and traits.items is not None and attempts < 20 * length:
        attempts += 1
        pool = found or [_any_item(traits.items, rng)]
        new = mutate(pool[int(rng.integers(len(pool)))], traits.items, rng, keep_length=traits.rectangular)
        if repr(new) not in present:
            found.insert(int(rng.integers(len(found) + 1)), new)
            if traits.distinct:
                present.add(repr(new))
    return sorted(found) if traits.ascending else found


def mutate_items(items: Sequence[Any], traits: Traits, rng: np.random.Generator) -> list[Any]:
    """As many items: some of them changed, or all in another order."""
    found = list(items)
    if len(found) > 1 and not traits.ascending and rng.random() < 0.4:
        order = rng.permutation(len(found)) if rng.random() < 0.75 else range(len(found) - 1, -1, -1)
        found = [found[i] for i in order]
    if traits.permutation or traits.items is None or (len(found) > 1 and rng.random() < 0.2):
        return found
    present = {repr(item) for item in found} if traits.distinct else set[str]()
    for i in range(len(found)):
        if rng.random() < max(_CHANGE_RATE, 1 / len(found)):
            new = mutate(found[i], traits.items, rng, keep_length=traits.rectangular or traits.square)
            if repr(new) not in present:
                found[i] = new
                if traits.distinct:
                    present.add(repr(new))
    return sorted(found) if traits.ascending else found


def another_length(length: int, seen: Sequence[int], rng: np.random.Generator) -> int:
    """A length near those seen: one seen, one less or one more; at least 1 unless 0 was seen."""
    least = min([1, *seen])
    options = [length - 1, length + 1, length + 2, *seen]
    return max(least, options[int(rng.integers(len(options)))])


def integer_bounds(seen: Sequence[int]) -> tuple[int, int]:
    """The range that new integers are drawn from: a little wider than what was seen, of the same signs."""
    low, high = min(seen), max(seen)
    spread = max(2, (high - low) // 2)
    least = 1 if low >= 1 else 0 if low >= 0 else low - spread
    return least, max(least, high + spread)


def _integer(value: int, traits: Traits, rng: np.random.Generator) -> int:
    seen = traits.integers or (value,)
    least, most = integer_bounds([*seen, value])
    kind = rng.random()
    if kind < 0.4:
        new = seen[int(rng.integers(len(seen)))]
    elif kind < 0.7:
        new = value + (1 if rng.random() < 0.5 else -1)
    elif kind < 0.8:
        new = (0, 1, 2)[int(rng.integers(3))]
    else:
        new = least + int(rng.random() * (most - least + 1)) if most - least < 2**53 else value
    return min(max(new, least), most)


def _float(value: float, traits: Traits, rng: np.random.Generator) -> float:
    seen = traits.floats or (0.0,)
    low, high = min(seen), max(seen)
    if not np.isfinite(high - low):
        return value
    digits = max(min(len(repr(v).partition(".")[2]), 6) for v in seen)
    new = seen[int(rng.integers(len(seen)))] if rng.random() < 0.3 else low + float(rng.random()) * (high - low + 1)
    return round(new, digits)


def _text(value: str, traits: Traits, rng: np.random.Generator, keep_length: bool) -> str:
    seen = [text for text in traits.texts if not keep_length or len(text) == len(value)]
    if traits.is_category or (seen and rng.random() < 0.1):
        return seen[int(rng.integers(len(seen)))] if seen else value
    letters = sorted(set("".join(traits.texts) or value))
    keep_length = keep_length or (len(set(traits.texts)) > 1 and len({len(text) for text in traits.texts}) == 1)
    if not value or not letters or len(value) > _MAX_ITEMS:
        return value
    words = value.split(" ")
    if len(words) > 1 and rng.random() < 0.4:
        return " ".join(words[i] for i in rng.permutation(len(words)))
    found = list(value)
    kind = rng.random()
    if kind < 0.15:
        found = [found[i] for i in rng.permutation(len(found))]
    elif kind < 0.25:
        found.reverse()
    else:
        for _ in range(1 + int(rng.integers(1 + len(found) // 4))):
            place, letter = int(rng.integers(len(found))), letters[int(rng.integers(len(letters)))]
            edit = 0 if keep_length else int(rng.integers(4))
            if edit == 1 and len(found) > 1:
                found.pop(place)
            elif edit == 2:
                found.insert(place, letter)
            elif edit == 3:
                found.insert(place, found[place])
            else:
                found[place] = letter
    new = "".join(found)
    return new if new.strip() == new or value.strip() != value else value


def _container(value: Any, traits: Traits, rng: np.random.Generator, keep_length: bool) -> Any:
    items = _items(value)
    if isinstance(value, tuple) and traits.fields is not None and len(traits.fields) == len(items):
        chosen = rng.random(len(items)) < max(_CHANGE_RATE, 1 / len(items))
        return tuple(
            mutate(item, field, rng) if hit else item
            for item, field, hit in zip(items, traits.fields, chosen, strict=True)
        )
    fixed = keep_length or (len(set(traits.lengths)) == 1 and len(traits.lengths) > 1)
    if traits.square or (traits.rectangular and items):
        found = _rows([list(row) for row in items], traits, rng, fixed)
    else:
        found = items
        if not fixed and rng.random() < 0.6:
            found = resize(items, another_length(len(items), traits.lengths, rng), traits, rng)
        if found == items or rng.random() < 0.7:
            found = mutate_items(found, traits, rng)
    try:
        return type(value)(found)
    except TypeError:  # an item of a set that cannot be hashed
        return value


def _rows(rows: list[list[Any]], traits: Traits, rng: np.random.Generator, fixed: bool) -> list[list[Any]]:
    """A table with other cells, fewer or more rows and columns, or its rows in another order."""
    width = len(rows[0]) if rows else 0
    if not fixed and rng.random() < 0.5 and width:
        if traits.square:
            rows = square_of(rows, another_length(len(rows), traits.lengths, rng), rng)
        elif rng.random() < 0.6:
            height = another_length(len(rows), traits.lengths, rng)
            rows = [list(rows[i % len(rows)]) for i in range(height)]
        else:
            widths = traits.items.lengths if traits.items else (width,)
            if len(set(widths)) > 1:
                new = another_length(width, widths, rng)
                rows = [[row[i % width] for i in range(new)] for row in rows]
    cells = traits.items.items if traits.items else None
    if cells is not None:
        rate = max(0.15, 1 / max(1, len(rows) * width))
        rows = [[mutate(cell, cells, rng) if rng.random() < rate else cell for cell in row] for row in rows]
    return [rows[i] for i in rng.permutation(len(rows))] if rng.random() < 0.3 else rows


def square_of(rows: Sequence[Sequence[Any]], size: int, rng: np.random.Generator) -> list[list[Any]]:
    """A square table of `size` with the cells of `rows`, which are repeated if it is larger."""
    return [[rows[i % len(rows)][j % len(rows[i % len(rows)])] for j in range(size)] for i in range(size)]


def _any_item(items: Traits, rng: np.random.Generator) -> Any:
    for pool in (items.integers, items.floats, items.texts):
        if pool:
            return pool[int(rng.integers(len(pool)))]
    return []


def _items(value: Any) -> list[Any]:
    return sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)


def _chance_of_order(lists: Sequence[Sequence[Any]]) -> float:
    """The probability that lists of these lengths are all in one given order."""
    return math.exp(-sum(math.lgamma(len(each) + 1) for each in lists))


def _chance_of_distinct(lists: Sequence[Sequence[Any]]) -> float:
    """The probability that random lists of these lengths and this range have distinct items; 1 if these do not."""
    items = [item for each in lists for item in each]
    keys = [{repr(item) for item in each} for each in lists]
    if not items or any(len(each) != len(found) for each, found in zip(lists, keys, strict=True)):
        return 1.0
    numbers = [item for item in items if type(item) is int]
    values = max(numbers) - min(numbers) + 1 if len(numbers) == len(items) else len(set().union(*keys))
    chance = 1.0
    for each in lists:
        for i in range(min(len(each), 1_000)):
            chance *= max(0.0, 1 - i / values)
    return chance


def _is_ascending(items: Sequence[Any]) -> bool:
    try:
        return all(a <= b for a, b in pairwise(items))
    except TypeError:
        return False


def _is_permutation(items: Sequence[Any]) -> bool:
    if not items or not all(type(item) is int for item in items):
        return False
    return sorted(items) == list(range(1, len(items) + 1))
