"""The memory of a run on disk."""

from __future__ import annotations

from pathlib import Path

from mars2.config.run import RunConfig
from mars2.store.run_store import RunStore


def create_store(folder: Path, config: RunConfig) -> RunStore:
    """Start a run in `folder`.

    Raises:
        StoreError: there is a run already, or the folder cannot be written.
    """
    return RunStore.create(folder, config=config.as_dict())


def open_store(folder: Path, *, read_only: bool) -> RunStore:
    """The run in `folder`, to go on with it or only to read it.

    Raises:
        StoreError: there is no run, it cannot be read, or another process is writing it.
    """
    return RunStore.open(folder, read_only=read_only)


def has_store(folder: Path) -> bool:
    """False also where a run was killed while its file was being made."""
    return RunStore.exists(folder)
