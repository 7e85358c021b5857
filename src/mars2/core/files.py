"""Writes files and folders that are whole or absent, even when the process is killed or the power fails."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
"""The end of the name of what is not complete yet."""


@contextmanager
def atomic(path: Path, *, flush: bool = True, is_shared: bool = False) -> Generator[Path, None, None]:
    """Yield a free place beside `path`. What the block puts there, a file or a folder, is renamed to `path`.

    An older `path` is replaced. It stays as it is if the block raises or the process dies. The place is flushed to the
    disk before the rename, and the folder that holds it after.

    Args:
        flush: False leaves the time of writing to the system: enough where nothing must outlive the machine.
        is_shared: other processes may write the same content to `path` now. Each has its own place, and the first one
            that is complete is kept.
    """
    place = path.with_name(f"{path.name}{f'.{os.getpid()}' if is_shared else ''}{PARTIAL}")
    older = path.with_name(f"{path.name}.older{PARTIAL}")
    if _is_there(older) and not _is_there(path):
        older.rename(path)  # the process died between the two renames below
    remove(place)
    try:
        yield place
        if flush:
            flush_to_disk(place)
        if not (is_shared and _is_there(path)):
            remove(older)
            if _is_folder(path):
                path.rename(older)  # a folder can be renamed to a free name only
            place.replace(path)
            if flush:
                _flush(path.parent)
            remove(older)
    finally:
        remove(place)


def write_json(path: Path, data: Any) -> None:
    """Write one JSON value as a file that is whole or absent."""
    with atomic(path) as place:
        place.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all it holds; nothing need be there."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Have a file, or a folder and all it holds, written to the disk before going on."""
    if _is_folder(path):
        for inside in sorted(path.rglob("*"), reverse=True):  # what a folder holds comes before the folder
            _flush(inside)
    _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
