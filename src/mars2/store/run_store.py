"""The memory of one run: everything that happened, readable while it happens, intact after a kill -9."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, assert_never

from mars2.core import serial
from mars2.core.errors import StoreError
from mars2.core.events import Cancelled, Chosen, Event, Finished, Held, Metrics, Note, Opened, Told
from mars2.core.problem import Problem
from mars2.core.protocols import SampleRow
from mars2.store import schema
from mars2.store.database import Database
from mars2.store.lock import WriterLock
from mars2.store.payload import pack
from mars2.store.reader import RunReader
from mars2.store.tree_writer import TreeWriter

TRAINING_PHASE = "train"


class RunStore(RunReader):
    """One run folder's `run.sqlite`. Every write is committed when its call returns. Use it from one thread.

    Made by `create` or `open`, ended by `close` or a `with` block.
    """

    def __init__(self, db: Database, lock: WriterLock | None) -> None:
        super().__init__(db)
        self._lock = lock  # None: only reading
        self._trees = TreeWriter(db)

    @classmethod
    def create(cls, folder: Path, *, config: Mapping[str, Any]) -> RunStore:
        """Start a run in `folder`, which is made if need be.

        Raises:
            StoreError: there is a run already, or the folder cannot be written.
        """
        with _as_store_errors(folder), ExitStack() as on_error:
            folder.mkdir(parents=True, exist_ok=True)
            lock = WriterLock(folder)
            on_error.callback(lock.release)
            db = schema.connect(folder, read_only=False)
            on_error.callback(db.close)
            if schema.version_of(db):
                raise StoreError(f"{folder} already holds a run; resume it or choose another folder")
            schema.create_tables(db, {"config": dict(config), "created_s": time.time()})
            store = cls(Database(folder, db), lock)
            on_error.pop_all()
            return store

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> RunStore:
        """Go on with the run in `folder`, or only read it (which works while another process writes it).

        Raises:
            StoreError: there is no run, it cannot be read, or (unless `read_only`) another process is writing it.
        """
        if not (folder / schema.FILE_NAME).is_file():
            raise StoreError(f"no run in {folder}: it has no {schema.FILE_NAME}; name the folder of a run")
        with _as_store_errors(folder), ExitStack() as on_error:
            lock = None if read_only else WriterLock(folder)
            if lock:
                on_error.callback(lock.release)
            db = schema.connect(folder, read_only=read_only)
            on_error.callback(db.close)
            schema.check_version(db, folder)
            if not read_only:
                schema.upgrade(db)
            store = cls(Database(folder, db), lock)
            on_error.pop_all()
            return store

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """False also where a run was killed while its file was being made: `create` starts it again."""
        if not (folder / schema.FILE_NAME).is_file():
            return False
        with _as_store_errors(folder), closing(schema.connect(folder, read_only=True)) as db:
            return schema.version_of(db) > 0

    def close(self) -> None:
        """Idempotent. Leaves one file that any reader can copy, and open from a read-only disk."""
        connection = self._db.connection
        if self._lock:
            with suppress(sqlite3.Error):  # closed already, or a reader is still there
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute("PRAGMA journal_mode = DELETE")
            self._lock.release()
        connection.close()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def hear(self, event: Event) -> None:
        """Write an event down: whole, or not at all.

        Raises:
            StoreError: the file cannot be written, or holds a node or a finished tree of this id already.
        """
        match event:
            case Opened():
                self._trees.open(event)
            case Chosen():
                self._trees.choose(event)
            case Held():
                self._trees.hold(event)
            case Told():
                self._trees.tell(event)
            case Cancelled():
                self._trees.cancel(event)
            case Finished():
                self._trees.finish(event)
            case Metrics():
                self._add_metrics(event)
            case Note():
                self._db.execute(
                    "INSERT INTO events (time_s, kind, payload) VALUES (?, ?, ?)",
                    (time.time(), event.kind, pack(serial.value_to_json(dict(event.payload)))),
                )
            case _:
                assert_never(event)

    def transaction(self) -> AbstractContextManager[None]:
        """What is written inside is kept whole or, on an exception or a crash, not at all. May be nested.

        The outermost one waits for the disk, so that not even a power cut undoes a training step. Do not `await`
        inside: other tasks' writes would become part of it.
        """
        return self._db.durable()

    def save_problem(self, problem: Problem) -> None:
        """Keep a problem for the report. The first one saved under an id stays."""
        if self._db.execute("SELECT 1 FROM problems WHERE id = ?", (problem.id,)).fetchone() is None:
            payload = pack(serial.problem_to_dict(problem))
            self._db.execute("INSERT INTO problems (id, payload) VALUES (?, ?)", (problem.id, payload))

    def record_samples(self, rows: Iterable[SampleRow]) -> None:
        """Enter what became of samples in the ledger: (key, policy, step, "trained" | "stale").

        Raises:
            StoreError: a key is in the ledger already (nothing is trained twice); none of the rows is entered.
        """
        with self._db.atomic():
            for key, policy, step, outcome in rows:
                try:
                    self._db.execute(
                        "INSERT INTO samples (key, policy, step, outcome) VALUES (?, ?, ?, ?)",
                        (key, policy, step, outcome),
                    )
                except sqlite3.IntegrityError:
                    raise self._ledger_error(key, outcome) from None

    def rollback(self, position: Mapping[str, int]) -> None:
        """Forget metrics, ledger entries and trees of phase "train" made after `position` (or growing at it).

        For a resume from a checkpoint that holds this position: the training after it will be done again. Events
        and the trees of evaluations stay.
        """
        with self.transaction():
            self._db.execute(
                "DELETE FROM trees WHERE phase = ? AND id NOT IN (SELECT tree FROM endings WHERE id <= ?)",
                (TRAINING_PHASE, position["endings"]),
            )
            self._db.execute("DELETE FROM metrics WHERE id > ?", (position["metrics"],))
            self._db.execute("DELETE FROM samples WHERE id > ?", (position["samples"],))

    def sync(self) -> None:
        """Return when all that was written is safe from a power cut."""
        with self.transaction():  # waits for the log, and so for all that stands before it in the log
            self.put_state("synced_s", time.time())

    def put_state(self, name: str, value: Any) -> None:
        """Keep a value (bytes, or what `core.serial.value_to_json` accepts) under a name, replacing the former one."""
        is_bytes = isinstance(value, bytes)
        blob = value if is_bytes else pack(serial.value_to_json(value))
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (name, is_bytes, blob))

    def _add_metrics(self, event: Metrics) -> None:
        wall_s = self.wall_s
        with self._db.atomic():
            for name, value in event.values.items():
                self._db.execute(
                    "INSERT INTO metrics (step, wall_s, scope, name, value) VALUES (?, ?, ?, ?, ?)",
                    (event.step, wall_s, event.scope, name, float(value)),
                )

    def _ledger_error(self, key: str, outcome: str) -> StoreError:
        row = self._db.execute("SELECT outcome, step FROM samples WHERE key = ?", (key,)).fetchone()
        if row is None:
            return StoreError(f"outcome of sample {key} must be trained or stale, got {outcome}")
        return StoreError(f"sample {key} is in the ledger already ({row[0]} at step {row[1]}), now {outcome}")


@contextmanager
def _as_store_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise StoreError(f"cannot use the run in {folder}: {error}") from error
