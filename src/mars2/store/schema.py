"""The tables of a run file, and how one is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mars2.core.errors import StoreError
from mars2.core.serial import value_to_json
from mars2.store.payload import pack

FILE_NAME = "run.sqlite"
SCHEMA_VERSION = 2

# AUTOINCREMENT: an id is never used again, so that a position stays true after rows are deleted.
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE events (id INTEGER PRIMARY KEY, time_s REAL NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE problems (id TEXT PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE trees (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- in order of opening
    tree_id TEXT NOT NULL UNIQUE,
    problem_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    step INTEGER NOT NULL,
    seed INTEGER                           -- not written any more
);
CREATE INDEX trees_by_phase ON trees (phase, id);
CREATE TABLE nodes (
    tree INTEGER NOT NULL REFERENCES trees (id) ON DELETE CASCADE,
    node_id INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (tree, node_id)
);
CREATE TABLE endings (                     -- of finished trees: counters, annotations
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- in order of finishing
    tree INTEGER NOT NULL UNIQUE REFERENCES trees (id) ON DELETE CASCADE,
    payload BLOB NOT NULL
);
CREATE TABLE metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL,
    wall_s REAL NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL                             -- NULL: not a number
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,              -- the ledger: a sample meets one fate, once
    policy TEXT NOT NULL,
    step INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('trained', 'stale'))
);
CREATE TABLE state (name TEXT PRIMARY KEY, is_bytes INTEGER NOT NULL, value BLOB NOT NULL);
"""

# Since format 2: what a tree that is still growing needs to go on, and the calls that failed.
_GROWTH_TABLES = """
CREATE TABLE pending (                     -- expansions under way
    tree INTEGER NOT NULL REFERENCES trees (id) ON DELETE CASCADE,
    expansion_id INTEGER NOT NULL,
    parent_id INTEGER,
    agent TEXT NOT NULL,
    held BLOB,                             -- finished: its node to be, waiting for its turn
    PRIMARY KEY (tree, expansion_id)
) WITHOUT ROWID;
CREATE TABLE failures (
    tree INTEGER NOT NULL REFERENCES trees (id) ON DELETE CASCADE,
    expansion_id INTEGER NOT NULL,
    agent TEXT NOT NULL,
    num_calls INTEGER NOT NULL,
    is_cancelled INTEGER NOT NULL,
    is_last INTEGER NOT NULL,
    error BLOB NOT NULL,
    PRIMARY KEY (tree, expansion_id)
) WITHOUT ROWID;
"""


class RunNotBegun(StoreError):
    """A run file without tables: the process that made it was killed before it had."""


def connect(folder: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode. WAL: readers see a live run without stopping it, and a killed writer loses
    nothing that was committed (`synchronous=NORMAL`; `RunStore.transaction` guards against power cuts too)."""
    path = quote(str((folder / FILE_NAME).absolute()))
    db = sqlite3.connect(f"file:{path}?mode={'ro' if read_only else 'rwc'}", uri=True, isolation_level=None, timeout=30)
    db.execute("PRAGMA foreign_keys = ON")
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    return db


def create_tables(db: sqlite3.Connection, meta: Mapping[str, Any]) -> None:
    """All tables and `meta`, or nothing, even when killed half-way."""
    db.execute("BEGIN IMMEDIATE")
    for statement in (_TABLES + _GROWTH_TABLES).split(";"):
        db.execute(statement)
    db.executemany("INSERT INTO meta VALUES (?, ?)", [(name, pack(value_to_json(v))) for name, v in meta.items()])
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")


def version_of(db: sqlite3.Connection) -> int:
    """0 for a file whose creation was cut short."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def has_growth(db: sqlite3.Connection) -> bool:
    """False for a file of format 1 that is only read."""
    return version_of(db) >= 2


def upgrade(db: sqlite3.Connection) -> None:
    """Bring a file of format 1 to format 2, all or nothing."""
    if version_of(db) != 1:
        return
    db.execute("BEGIN IMMEDIATE")
    for statement in _GROWTH_TABLES.split(";"):
        db.execute(statement)
    db.execute("PRAGMA user_version = 2")
    db.execute("COMMIT")


def check_version(db: sqlite3.Connection, folder: Path) -> None:
    found = version_of(db)
    if found == 0:
        raise RunNotBegun(f"no run in {folder}: its {FILE_NAME} is empty; start the run again")
    if found not in (1, SCHEMA_VERSION):
        raise StoreError(
            f"the run in {folder} was written by another version of mars2 "
            f"(store format {found}, this one reads {SCHEMA_VERSION}); use that version"
        )
