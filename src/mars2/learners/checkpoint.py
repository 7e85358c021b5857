"""Writes folders that are complete or absent: under another name first, flushed to disk, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_atomically(folder: Path) -> Iterator[Path]:
    """Yield an empty `<folder>.partial` to write into; rename it to `folder` if the block ends without an error.

    An existing `folder` is replaced. If the process is killed before the rename, the old folder is untouched. Every
    file and folder is flushed to the disk before the rename, and the parent after it, so this also holds after a power
    failure.
    """
    partial = folder.with_name(folder.name + ".partial")
    replaced = folder.with_name(folder.name + ".replaced.partial")
    for leftover in (partial, replaced):
        if leftover.exists():
            shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    yield partial
    flush_folder(partial)
    if folder.exists():
        folder.rename(replaced)
    partial.rename(folder)
    _flush(folder.parent)
    if replaced.exists():
        shutil.rmtree(replaced)


def flush_folder(folder: Path) -> None:
    """Flush every file below `folder` to the disk, then the folders that contain them."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what a folder holds comes before the folder
        _flush(path)
    _flush(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
