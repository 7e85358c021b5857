"""One writer per run folder, so that two `--resume` cannot train the same run at once."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mars2.core.errors import StoreError


class WriterLock:
    """A POSIX record lock on `run.lock`. It ends with its process, even if killed; not inherited by children."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            if isinstance(error, BlockingIOError | PermissionError):  # EAGAIN or EACCES, by platform
                message = f"the run in {folder} is in use by another process; wait for it or stop it"
                raise StoreError(message) from None
            raise

    def release(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
