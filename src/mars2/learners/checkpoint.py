"""Folders that are either complete or not there: written beside their place, then renamed into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_atomically(folder: Path) -> Iterator[Path]:
    """Yield an empty `<folder>.partial` to write into; rename it to `folder` if the block ends without an error.

    An existing `folder` is replaced. Killed before the rename, what was there before is untouched.
    """
    partial = folder.with_name(folder.name + ".partial")
    replaced = folder.with_name(folder.name + ".replaced.partial")
    for leftover in (partial, replaced):
        if leftover.exists():
            shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    yield partial
    if folder.exists():
        folder.rename(replaced)
    partial.rename(folder)
    if replaced.exists():
        shutil.rmtree(replaced)
