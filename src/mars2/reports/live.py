"""The data of a live page: built anew when the run has written something, but not so often that it costs much."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mars2.reports.page import embeddable_json, page_data, render
from mars2.reports.reading import RunReader

_WATCHED = ("run.sqlite", "run.sqlite-wal", "summary.json")
_MIN_INTERVAL_S = 1.0
_REST_FACTOR = 9  # after t seconds of work, rest for 9 t: a tenth of one core at most, however large the run


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run at one moment."""

    name: str
    etag: str  # in quotes, as HTTP wants it
    data_gzip: bytes  # `page_data` as JSON


class LivePage:
    """One run's page, for any number of readers in any number of threads. Nothing is built while nobody asks.

    Args:
        folder: the run's folder.
        open_run: opens the run's store to read it at one moment.
    """

    def __init__(self, folder: Path, open_run: Callable[[], AbstractContextManager[RunReader]]) -> None:
        self.folder = folder
        self._open_run = open_run
        self._building = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._seen: tuple[object, ...] = ()
        self._rest_until_s = 0.0

    def latest(self) -> Snapshot:
        """The newest snapshot. While a newer one is being built, or is not due yet, the older one.

        Raises:
            StoreError: the run cannot be read (now).
        """
        ready = self._snapshot
        if not self._building.acquire(blocking=ready is None):
            assert ready is not None
            return ready
        try:
            seen = self._files()
            ready = self._snapshot
            if ready is None or (seen != self._seen and time.monotonic() >= self._rest_until_s):
                started_cpu_s = time.thread_time()
                ready = self._build()
                rest_s = max(_MIN_INTERVAL_S, _REST_FACTOR * (time.thread_time() - started_cpu_s))
                self._rest_until_s = time.monotonic() + rest_s
                self._snapshot, self._seen = ready, seen
            return ready
        finally:
            self._building.release()

    def html(self) -> str:
        """The report's page with the newest data. In the browser it keeps asking for newer data."""
        snapshot = self.latest()
        return render(snapshot.name, gzip.decompress(snapshot.data_gzip).decode("ascii"), etag=snapshot.etag)

    def idle_s(self) -> float:
        """Seconds since the run last wrote something; 0 if its files are gone."""
        times = [entry[1] for entry in self._files() if entry is not None]
        return max(0.0, time.time() - max(times) / 1e9) if times else 0.0

    def _build(self) -> Snapshot:
        with self._open_run() as run:
            data = page_data(self.folder, run)
        text = embeddable_json(data).encode("ascii")
        return Snapshot(data["name"], f'"{hashlib.sha256(text).hexdigest()[:32]}"', gzip.compress(text, 1, mtime=0))

    def _files(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Inode, time of change in ns, and size of the files that a run writes; None for one that is not there."""
        found: list[tuple[int, int, int] | None] = []
        for name in _WATCHED:
            try:
                facts = os.stat(self.folder / name)
            except OSError:
                found.append(None)
            else:
                found.append((facts.st_ino, facts.st_mtime_ns, facts.st_size))
        return tuple(found)
