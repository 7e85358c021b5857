"""Reads the input of LeetCode's design problems: the names of a class's operations, and the arguments of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mars2.problems.written_values import Written, read_value, written_values


@dataclass(frozen=True, slots=True)
class Operations:
    """Calls of one object, the first of which makes it."""

    names: list[str]
    arguments: list[list[Any]]

    @property
    def name(self) -> str:
        """The class."""
        return self.names[0]


def operations_in(given: str) -> Operations | None:
    """The operations in an example's input: two lists of one length; None if it is something else."""
    if '"' not in given and "'" not in given and "“" not in given:
        return None
    values = written_values(given)
    if len(values) != 2:
        return None
    names, arguments = map(_list, values)
    if not names or arguments is None or len(names) != len(arguments):
        return None
    if not all(isinstance(name, str) and name.isidentifier() for name in names) or not names[0][:1].isupper():
        return None
    if not all(isinstance(item, list) for item in arguments) or names.count(names[0]) > 1:
        return None
    return Operations(names, arguments)


def _list(value: Written) -> list[Any] | None:
    found = read_value(value.text)
    return found[0] if found is not None and isinstance(found[0], list) else None
