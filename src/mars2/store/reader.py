"""The reading half of a run store. Everything it returns is a plain value; nothing here changes the file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from mars2.core import serial
from mars2.core.problem import Problem
from mars2.core.tree import Expansion, Failure, Result, Tree
from mars2.store import schema
from mars2.store.database import Database
from mars2.store.payload import unpack
from mars2.store.records import Event, MetricRow, Outcome, SampleRecord, StoredTree

_TREES = """
SELECT t.id, t.tree_id, t.problem_id, t.phase, t.step, e.payload
FROM trees t LEFT JOIN endings e ON e.tree = t.id"""


class RunReader:
    """Questions one can ask a run file, also while another process writes it."""

    def __init__(self, db: Database) -> None:
        self.folder = db.folder
        self._db = db
        meta = {name: serial.value_from_json(unpack(value)) for name, value in self._db.execute("SELECT * FROM meta")}
        self.config: dict[str, Any] = meta["config"]
        self.created_s: float = meta["created_s"]  # seconds since the Unix epoch
        worked_s = self._db.execute("SELECT coalesce(max(wall_s), 0) FROM metrics").fetchone()[0]
        self._clock_zero_s = time.monotonic() - worked_s

    @property
    def wall_s(self) -> float:
        """Seconds this run has been worked on so far; the time between an interruption and its resume is left out."""
        return time.monotonic() - self._clock_zero_s

    def snapshot(self) -> AbstractContextManager[None]:
        """Inside, every question is answered from one moment, however much the writer writes meanwhile; it is not
        held up. For a store that is only read."""
        return self._db.snapshot()

    def events(self, kind: str | None = None, since: int = 0) -> list[Event]:
        """Events in order, with ids above `since`; only those of `kind` if given."""
        rows = self._db.execute(
            "SELECT id, time_s, kind, payload FROM events WHERE id > ? AND (? IS NULL OR kind = ?) ORDER BY id",
            (since, kind, kind),
        )
        return [Event(id_, time_s, kind_, serial.value_from_json(unpack(blob))) for id_, time_s, kind_, blob in rows]

    def problem(self, problem_id: str) -> Problem | None:
        row = self._db.execute("SELECT payload FROM problems WHERE id = ?", (problem_id,)).fetchone()
        return None if row is None else serial.problem_from_dict(unpack(row[0]))

    def tree_counts(self, *, finished_only: bool = False) -> dict[str, int]:
        """How many trees there are in each phase, in order of first appearance."""
        rows = self._db.execute(
            "SELECT phase, count(*) FROM trees t LEFT JOIN endings e ON e.tree = t.id WHERE e.id IS NOT NULL OR NOT ? "
            "GROUP BY phase ORDER BY min(t.id)",
            (finished_only,),
        )
        return dict(rows.fetchall())

    def trees(
        self, phase: str | None = None, *, limit: int | None = None, finished_only: bool = False
    ) -> list[StoredTree]:
        """`iter_trees`, all at once."""
        return list(self.iter_trees(phase, limit=limit, finished_only=finished_only))

    def iter_trees(
        self, phase: str | None = None, *, limit: int | None = None, finished_only: bool = False
    ) -> Iterator[StoredTree]:
        """Trees in order of opening, one in memory at a time; with `limit`, the newest that many.

        Args:
            phase: only this phase and those below it: "evaluate/before" also means "evaluate/before/team".
        """
        phase = None if phase is None else phase.rstrip("/")
        rows = self._db.execute(
            f"{_TREES} WHERE (? IS NULL OR t.phase = ? OR substr(t.phase, 1, length(?) + 1) = ? || '/') "
            "AND (e.id IS NOT NULL OR NOT ?) ORDER BY t.id DESC LIMIT ?",
            (phase, phase, phase, phase, finished_only, -1 if limit is None else limit),
        ).fetchall()
        return map(self._stored_tree, reversed(rows))

    def tree(self, tree_id: str) -> StoredTree | None:
        row = self._db.execute(f"{_TREES} WHERE t.tree_id = ?", (tree_id,)).fetchone()
        return None if row is None else self._stored_tree(row)

    def metrics(self) -> list[MetricRow]:
        """Every number logged, in order of writing."""
        rows = self._db.execute("SELECT step, wall_s, scope, name, value FROM metrics ORDER BY id")
        return [
            MetricRow(step, wall_s, scope, name, math.nan if value is None else value)
            for step, wall_s, scope, name, value in rows
        ]

    def samples(self, outcome: Outcome | None = None) -> list[SampleRecord]:
        """The ledger, in order of entry; only those with `outcome` if given."""
        rows = self._db.execute(
            "SELECT key, policy, step, outcome FROM samples WHERE ? IS NULL OR outcome = ? ORDER BY id",
            (outcome, outcome),
        )
        return [SampleRecord(*row) for row in rows]

    def position(self) -> dict[str, int]:
        """How far the run has come, for `RunStore.rollback`."""
        return {
            table: self._db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
            for table in ("endings", "metrics", "samples")
        }

    def get_state(self, name: str) -> Any:
        """The value last given to `put_state` under this name; None if there is none."""
        row = self._db.execute("SELECT is_bytes, value FROM state WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        is_bytes, value = row
        return value if is_bytes else serial.value_from_json(unpack(value))

    def _stored_tree(self, row: tuple[Any, ...]) -> StoredTree:
        row_id, tree_id, problem_id, phase, step, ending_blob = row
        rows = self._db.execute("SELECT payload FROM nodes WHERE tree = ? ORDER BY node_id", (row_id,))
        payloads = [unpack(payload) for (payload,) in rows]
        nodes = [serial.node_from_dict(payload) for payload in payloads]
        ending = {} if ending_blob is None else unpack(ending_blob)
        pending, held, failures = self._growth(row_id)
        used = [n.expansion_id for n in nodes] + [e.id for e in pending] + [f.expansion_id for f in failures]
        tree = Tree(tree_id, problem_id)
        tree.restore(
            nodes,
            next_expansion_id=ending.get("next_expansion_id", 1 + max(used, default=-1)),
            num_cancelled=ending.get("num_cancelled", sum(f.is_cancelled for f in failures)),
            pending=pending,
            held=held,
            failures=failures,
        )
        annotations = serial.value_from_json(ending.get("annotations", {}))
        for node, payload in zip(nodes, payloads, strict=True):
            if (reward := payload.get("reward")) is not None:  # files of before kept rewards with their nodes
                annotations[node.id] = {"reward": serial.value_from_json(reward)} | annotations.get(node.id, {})
        return StoredTree(tree, phase, step, ending_blob is not None, annotations)

    def _growth(self, row_id: int) -> tuple[list[Expansion], dict[int, Result], list[Failure]]:
        """What is pending in a tree, which of it is held, and what failed."""
        if not schema.has_growth(self._db.connection):
            return [], {}, []
        pending: list[Expansion] = []
        held: dict[int, Result] = {}
        for id_, parent_id, agent, blob in self._db.execute(
            "SELECT expansion_id, parent_id, agent, held FROM pending WHERE tree = ? ORDER BY expansion_id", (row_id,)
        ):
            pending.append(Expansion(id_, parent_id, agent))
            if blob is not None:
                held[id_] = serial.result_from_dict(unpack(blob))
        rows = self._db.execute("SELECT * FROM failures WHERE tree = ? ORDER BY expansion_id", (row_id,))
        failures = [
            Failure(id_, agent, num_calls, bool(cancelled), bool(last), serial.value_from_json(unpack(error)))
            for _, id_, agent, num_calls, cancelled, last, error in rows
        ]
        return pending, held, failures
