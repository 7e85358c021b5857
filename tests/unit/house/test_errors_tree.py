"""The tree of errors in core/errors.py is the whole tree."""

from __future__ import annotations

import re

import pytest
from source_tree import ClassInfo, classes

from mars2.core import errors

ROOT_ERROR = "Mars2Error"


def drawn(text: str) -> dict[str, str | None]:
    """The parent of each error in a drawing of the tree; None for the root."""
    above: list[tuple[int, str]] = []
    parents: dict[str, str | None] = {}
    for line in text.splitlines():
        match = re.match(r"^([│├└─\s]*)([A-Z]\w+)\b", line)
        if match is None or (not match.group(1) and match.group(2) != ROOT_ERROR):
            continue
        depth, name = len(match.group(1)), match.group(2)
        while above and above[-1][0] >= depth:
            above.pop()
        parents[name] = above[-1][1] if above else None
        above.append((depth, name))
    return parents


def written(found: tuple[ClassInfo, ...]) -> dict[str, str | None]:
    """The parent of each public error class that descends from Mars2Error; None for the root."""
    parents: dict[str, str | None] = {ROOT_ERROR: None}
    grew = True
    while grew:
        grew = False
        for info in found:
            parent = next((base for base in info.bases if base in parents), None)
            if parent and info.name not in parents:
                parents[info.name] = parent
                grew = True
    return {name: parent for name, parent in parents.items() if not name.startswith("_")}


def test_the_drawing_holds_every_error_of_the_package_under_its_parent() -> None:
    assert errors.__doc__ is not None
    assert drawn(errors.__doc__) == written(classes())


@pytest.mark.parametrize("missing", ["StoreError", "CheckerError"])
def test_an_error_that_is_not_drawn_is_noticed(missing: str) -> None:
    assert errors.__doc__ is not None
    shorter = "\n".join(line for line in errors.__doc__.splitlines() if missing not in line)
    assert drawn(shorter) != written(classes())
