"""Writes trees as they grow: each step as it happens, so that a killed run goes on with them, or whole at the end."""

from __future__ import annotations

import sqlite3

from mars2.core import serial
from mars2.core.errors import StoreError
from mars2.core.events import Cancelled, Chosen, Finished, Held, Opened, Told
from mars2.core.tree import Failure, Node, Tree
from mars2.store.database import Database
from mars2.store.payload import pack


class TreeWriter:
    """The rows of trees. What happens to a tree that was not opened is not written before it is finished."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._open: dict[str, int] = {}  # tree id → its row

    def open(self, event: Opened) -> None:
        """Write a tree step by step from now on.

        One that holds something was read from this file and goes on, finished or not; another one under the same id is
        replaced if it was left unfinished.

        Raises:
            StoreError: a finished tree has this id.
        """
        tree = event.tree
        with self._db.atomic():
            row = self._row(tree.tree_id) if tree.next_expansion_id else None
            if row is None:
                row = self._insert(tree, event.phase, event.step)
            self._db.execute("DELETE FROM endings WHERE tree = ?", (row,))
        self._open[tree.tree_id] = row

    def choose(self, event: Chosen) -> None:
        """Keep expansions from the moment they are chosen: all, or none."""
        if (row := self._open.get(event.tree.tree_id)) is None:
            return
        with self._db.atomic():
            for expansion in event.expansions:
                self._db.execute(
                    "INSERT INTO pending (tree, expansion_id, parent_id, agent) VALUES (?, ?, ?, ?)",
                    (row, expansion.id, expansion.parent_id, expansion.agent),
                )

    def hold(self, event: Held) -> None:
        """Keep what an expansion brought, and which of its calls failed."""
        if (row := self._open.get(event.tree.tree_id)) is None:
            return
        with self._db.atomic():
            self._db.execute(
                "UPDATE pending SET held = ? WHERE tree = ? AND expansion_id = ?",
                (pack(serial.result_to_dict(event.result)), row, event.expansion.id),
            )
            self._add_failure(row, event.failure)

    def tell(self, event: Told) -> None:
        """Keep a node as soon as it exists; its expansion is no longer pending.

        Raises:
            StoreError: the tree has this node already.
        """
        if (row := self._open.get(event.tree.tree_id)) is None:
            return
        with self._db.atomic():
            self._add_node(row, event.tree, event.node)
            self._forget_pending(row, event.node.expansion_id)
            self._add_failure(row, event.failure)

    def cancel(self, event: Cancelled) -> None:
        if (row := self._open.get(event.tree.tree_id)) is None:
            return
        with self._db.atomic():
            self._forget_pending(row, event.failure.expansion_id)
            self._add_failure(row, event.failure)

    def finish(self, event: Finished) -> None:
        """Close a tree: what was not written yet of nodes and failures, its counters, and the annotations.

        Raises:
            StoreError: a finished tree has this id.
        """
        tree = event.tree
        ending = {
            "next_expansion_id": tree.next_expansion_id,
            "num_cancelled": tree.num_cancelled,
            "annotations": serial.value_to_json({i: dict(values) for i, values in (event.annotations or {}).items()}),
        }
        with self._db.atomic():
            row = self._open.get(tree.tree_id)
            if row is None:
                row = self._insert(tree, event.phase, event.step)
            stored = {node_id for (node_id,) in self._db.execute("SELECT node_id FROM nodes WHERE tree = ?", (row,))}
            for node in tree:
                if node.id not in stored:
                    self._add_node(row, tree, node)
            for failure in tree.failures:
                self._add_failure(row, failure)
            self._db.execute("DELETE FROM pending WHERE tree = ?", (row,))
            self._db.execute("INSERT INTO endings (tree, payload) VALUES (?, ?)", (row, pack(ending)))
        self._open.pop(tree.tree_id, None)

    def _row(self, tree_id: str) -> int | None:
        found = self._db.execute("SELECT id FROM trees WHERE tree_id = ?", (tree_id,)).fetchone()
        return None if found is None else found[0]

    def _insert(self, tree: Tree, phase: str, step: int) -> int:
        """A new row, in place of that of an unfinished tree."""
        self._db.execute(
            "DELETE FROM trees WHERE tree_id = ? AND NOT EXISTS (SELECT 1 FROM endings WHERE tree = trees.id)",
            (tree.tree_id,),
        )
        try:
            self._db.execute(
                "INSERT INTO trees (tree_id, problem_id, phase, step) VALUES (?, ?, ?, ?)",
                (tree.tree_id, tree.problem_id, phase, step),
            )
        except sqlite3.IntegrityError:
            raise StoreError(f"tree {tree.tree_id} is finished already; discard it first or use another id") from None
        row = self._row(tree.tree_id)
        assert row is not None
        return row

    def _add_node(self, row: int, tree: Tree, node: Node) -> None:
        try:
            self._db.execute("INSERT INTO nodes VALUES (?, ?, ?)", (row, node.id, pack(serial.result_to_dict(node))))
        except sqlite3.IntegrityError:
            raise StoreError(f"node {node.id} of tree {tree.tree_id} is stored already") from None

    def _forget_pending(self, row: int, expansion_id: int) -> None:
        self._db.execute("DELETE FROM pending WHERE tree = ? AND expansion_id = ?", (row, expansion_id))

    def _add_failure(self, row: int, failure: Failure | None) -> None:
        if failure is None:
            return
        self._db.execute(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                row,
                failure.expansion_id,
                failure.agent,
                failure.num_calls,
                failure.is_cancelled,
                failure.is_last,
                pack(serial.value_to_json(failure.error)),
            ),
        )
