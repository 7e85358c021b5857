"""The memory of one run: everything that happened, readable while it happens, intact after a kill -9."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mars2.core import serial
from mars2.core.errors import StoreError
from mars2.core.problem import Problem
from mars2.core.protocols import SampleRow
from mars2.core.tree import Expansion, Failure, Node, Result, Tree
from mars2.store import schema
from mars2.store.lock import WriterLock
from mars2.store.payload import pack
from mars2.store.reader import RunReader

TRAINING_PHASE = "train"

Annotations = Mapping[int, Mapping[str, float]]
"""Node id -> what credit assignment made of it, e.g. {"shaped": 1.25, "advantage": 0.7}."""


class RunStore(RunReader):
    """One run folder's `run.sqlite`. Every write is committed when its call returns. Use it from one thread.

    Made by `create` or `open`, ended by `close` or a `with` block.
    """

    def __init__(self, folder: Path, db: sqlite3.Connection, lock: WriterLock | None) -> None:
        super().__init__(folder, db)
        self._lock = lock  # None: only reading

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
            store = cls(folder, db, lock)
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
            store = cls(folder, db, lock)
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
        if self._lock:
            with suppress(sqlite3.Error):  # closed already, or a reader is still there
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
            self._lock.release()
        self._db.close()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is kept whole or, on an exception or a crash, not at all. May be nested.

        The outermost one waits for the disk, so that not even a power cut undoes a training step. Do not `await`
        inside: other tasks' writes would become part of it.
        """
        if self._db.in_transaction:
            with self._atomic():
                yield
            return
        self._execute("PRAGMA synchronous = FULL")
        try:
            with self._atomic():
                yield
        finally:
            self._execute("PRAGMA synchronous = NORMAL")

    def append_event(self, kind: str, **payload: Any) -> None:
        self._execute(
            "INSERT INTO events (time_s, kind, payload) VALUES (?, ?, ?)",
            (time.time(), kind, pack(serial.value_to_json(payload))),
        )

    def append_metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None:
        """Log numbers under a scope: "agent/NAME", "policy/NAME" or "run"."""
        wall_s = self.wall_s
        with self._atomic():
            for name, value in values.items():
                self._execute(
                    "INSERT INTO metrics (step, wall_s, scope, name, value) VALUES (?, ?, ?, ?, ?)",
                    (step, wall_s, scope, name, float(value)),
                )

    def save_problem(self, problem: Problem) -> None:
        """Keep a problem for the report. The first one saved under an id stays."""
        if self._execute("SELECT 1 FROM problems WHERE id = ?", (problem.id,)).fetchone() is None:
            self._execute(
                "INSERT INTO problems (id, payload) VALUES (?, ?)", (problem.id, pack(serial.problem_to_dict(problem)))
            )

    def open_tree(
        self, tree_id: str, problem_id: str, phase: str, step: int, seed: int | None = None, *, resume: bool = False
    ) -> None:
        """Start recording a tree, event by event. One left unfinished under the same id is replaced.

        With `resume` that one is gone on with instead: it holds what `tree` returned for it.

        Raises:
            StoreError: a finished tree has this id.
        """
        if resume and self._is_growing(tree_id):
            return
        with self._atomic():
            self._execute(
                "DELETE FROM trees WHERE tree_id = ? AND NOT EXISTS (SELECT 1 FROM endings WHERE tree = trees.id)",
                (tree_id,),
            )
            try:
                self._execute(
                    "INSERT INTO trees (tree_id, problem_id, phase, step, seed) VALUES (?, ?, ?, ?, ?)",
                    (tree_id, problem_id, phase, step, seed),
                )
            except sqlite3.IntegrityError:
                raise StoreError(f"tree {tree_id} is finished already; discard it first or use another id") from None

    def reopen_tree(self, tree_id: str) -> None:
        """Let a finished tree grow on; its annotations are forgotten. One that is open already stays so."""
        self._execute(
            "DELETE FROM endings WHERE tree = (SELECT id FROM trees WHERE tree_id = ?)",
            (tree_id,),
        )

    def append_expansions(self, tree_id: str, chosen: Sequence[Expansion]) -> None:
        """Keep expansions of an open tree from the moment they are chosen: all, or none."""
        row = self._open_tree_row(tree_id)
        with self._atomic():
            for expansion in chosen:
                self._execute(
                    "INSERT INTO pending (tree, expansion_id, parent_id, agent) VALUES (?, ?, ?, ?)",
                    (row, expansion.id, expansion.parent_id, expansion.agent),
                )

    def append_held(self, tree_id: str, expansion_id: int, result: Result, failure: Failure | None = None) -> None:
        """Keep what an expansion brought (`Tree.held`) and which of its calls failed."""
        row = self._open_tree_row(tree_id)
        with self._atomic():
            self._execute(
                "UPDATE pending SET held = ? WHERE tree = ? AND expansion_id = ?",
                (pack(serial.result_to_dict(result)), row, expansion_id),
            )
            self._append_failure(row, failure)

    def append_node(self, tree_id: str, node: Node, failure: Failure | None = None) -> None:
        """Keep a node of an open tree as soon as it exists; its expansion is no longer pending.

        Raises:
            StoreError: no such tree is open, or it has this node already.
        """
        row = self._open_tree_row(tree_id)
        with self._atomic():
            self._append_node(row, tree_id, node)
            self._forget_pending(row, node.expansion_id)
            self._append_failure(row, failure)

    def append_cancelled(self, tree_id: str, failure: Failure) -> None:
        """An expansion of an open tree was given up."""
        row = self._open_tree_row(tree_id)
        with self._atomic():
            self._forget_pending(row, failure.expansion_id)
            self._append_failure(row, failure)

    def finish_tree(self, tree: Tree, annotations: Annotations | None = None) -> None:
        """Close an open tree: nodes and failures not appended yet, its counters, and `annotations`.

        Raises:
            StoreError: no such tree is open.
        """
        row = self._open_tree_row(tree.tree_id)
        ending = {
            "next_expansion_id": tree.next_expansion_id,
            "num_cancelled": tree.num_cancelled,
            "annotations": serial.value_to_json({i: dict(values) for i, values in (annotations or {}).items()}),
        }
        with self._atomic():
            stored = {node_id for (node_id,) in self._execute("SELECT node_id FROM nodes WHERE tree = ?", (row,))}
            for node in tree:
                if node.id not in stored:
                    self._append_node(row, tree.tree_id, node)
            for failure in tree.failures:
                self._append_failure(row, failure)
            self._execute("DELETE FROM pending WHERE tree = ?", (row,))
            self._execute("INSERT INTO endings (tree, payload) VALUES (?, ?)", (row, pack(ending)))

    def save_tree(
        self, tree: Tree, *, phase: str, step: int, seed: int | None = None, annotations: Annotations | None = None
    ) -> None:
        """`open_tree`, every node and `finish_tree` at once.

        Raises:
            StoreError: a finished tree has this id.
        """
        with self._atomic():
            self.open_tree(tree.tree_id, tree.problem_id, phase, step, seed)
            self.finish_tree(tree, annotations)

    def record_samples(self, rows: Iterable[SampleRow]) -> None:
        """Enter what became of samples in the ledger: (key, policy, step, "trained" | "stale" | "filtered").

        Raises:
            StoreError: a key is in the ledger already (nothing is trained twice); none of the rows is entered.
        """
        with self._atomic():
            for key, policy, step, outcome in rows:
                try:
                    self._execute(
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
            self._execute(
                "DELETE FROM trees WHERE phase = ? AND id NOT IN (SELECT tree FROM endings WHERE id <= ?)",
                (TRAINING_PHASE, position["endings"]),
            )
            self._execute("DELETE FROM metrics WHERE id > ?", (position["metrics"],))
            self._execute("DELETE FROM samples WHERE id > ?", (position["samples"],))

    def sync(self) -> None:
        """Return when all that was written is safe from a power cut."""
        with self.transaction():  # waits for the log, and so for all that stands before it in the log
            self.put_state("synced_s", time.time())

    def put_state(self, name: str, value: Any) -> None:
        """Keep a value (bytes, or what `core.serial.value_to_json` accepts) under a name, replacing the former one."""
        is_bytes = isinstance(value, bytes)
        blob = value if is_bytes else pack(serial.value_to_json(value))
        self._execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (name, is_bytes, blob))

    def _is_growing(self, tree_id: str) -> bool:
        sql = "SELECT 1 FROM trees t WHERE tree_id = ? AND NOT EXISTS (SELECT 1 FROM endings WHERE tree = t.id)"
        return self._execute(sql, (tree_id,)).fetchone() is not None

    def _open_tree_row(self, tree_id: str) -> int:
        row = self._execute(
            "SELECT id FROM trees t WHERE tree_id = ? AND NOT EXISTS (SELECT 1 FROM endings WHERE tree = t.id)",
            (tree_id,),
        ).fetchone()
        if row is None:
            raise StoreError(f"no open tree {tree_id}; call open_tree first")
        return row[0]

    def _append_node(self, tree_row: int, tree_id: str, node: Node) -> None:
        try:
            self._execute("INSERT INTO nodes VALUES (?, ?, ?)", (tree_row, node.id, pack(serial.result_to_dict(node))))
        except sqlite3.IntegrityError:
            raise StoreError(f"node {node.id} of tree {tree_id} is stored already") from None

    def _forget_pending(self, tree_row: int, expansion_id: int) -> None:
        self._execute("DELETE FROM pending WHERE tree = ? AND expansion_id = ?", (tree_row, expansion_id))

    def _append_failure(self, tree_row: int, failure: Failure | None) -> None:
        if failure is None:
            return
        self._execute(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                tree_row,
                failure.expansion_id,
                failure.agent,
                failure.num_calls,
                failure.is_cancelled,
                failure.is_last,
                pack(serial.value_to_json(failure.error)),
            ),
        )

    def _ledger_error(self, key: str, outcome: str) -> StoreError:
        row = self._execute("SELECT outcome, step FROM samples WHERE key = ?", (key,)).fetchone()
        if row is None:
            return StoreError(f"outcome of sample {key} must be trained, stale or filtered, got {outcome}")
        return StoreError(f"sample {key} is in the ledger already ({row[0]} at step {row[1]}), now {outcome}")

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        """All writes inside or none: a transaction, or a savepoint of the one under way."""
        nested = self._db.in_transaction
        self._execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            self._execute("RELEASE nested" if nested else "COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._execute("ROLLBACK TO nested" if nested else "ROLLBACK")
                if nested:
                    self._execute("RELEASE nested")
            raise


@contextmanager
def _as_store_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise StoreError(f"cannot use the run in {folder}: {error}") from error
