"""The connection to a run file that its reader and its writer share: SQL whose errors say which run, transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mars2.core.errors import StoreError


class Database:
    """One run file, open. Every statement is committed when its call returns, unless a transaction is under way."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.connection = connection

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """
        Raises:
            StoreError: the file cannot be used.
        """
        try:
            return self.connection.execute(sql, tuple(values))
        except sqlite3.OperationalError as error:
            raise StoreError(f"cannot use the run in {self.folder}: {error}") from error

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All writes inside or none: a transaction, or a savepoint of the one under way."""
        nested = self.connection.in_transaction
        self.execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            self.execute("RELEASE nested" if nested else "COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk has rolled back already
                self.execute("ROLLBACK TO nested" if nested else "ROLLBACK")
                if nested:
                    self.execute("RELEASE nested")
            raise

    @contextmanager
    def durable(self) -> Iterator[None]:
        """`atomic`; the outermost one also waits for the disk, so that not even a power cut undoes it."""
        if self.connection.in_transaction:
            with self.atomic():
                yield
            return
        self.execute("PRAGMA synchronous = FULL")
        try:
            with self.atomic():
                yield
        finally:
            self.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside, every question is answered from one moment, however much another process writes meanwhile."""
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.execute("ROLLBACK")
