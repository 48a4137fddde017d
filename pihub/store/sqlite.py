"""One SQLite file: a connection that writes and checkpoints, another that reads.

SQLite comes bundled with apsw, because distributions ship versions whose WAL mode can
lose committed rows when two connections race at a checkpoint (fixed in 3.51.3): older
libraries are refused. Only the writing connection ever checkpoints.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import apsw

from pihub.errors import StartupError

OLDEST_SQLITE = 3_051_003
BUSY_MS = 5000
"""How long a write waits for another process's (`pihub keys` beside a running hub)."""
WAL_LIMIT = 8 * 1024 * 1024
"""The WAL file is cut back to this many bytes at a checkpoint."""

Connection = apsw.Connection
StoreFault = apsw.Error
"""What any failing statement raises (full or faulty disk, locked file)."""
Row = tuple[Any, ...]


class Database:
    """A file with its two connections; every method may be called from any thread.

    `synchronous` is FULL where a commit must survive a power cut, NORMAL where losing
    the last seconds to one is agreed (never by a crash of the process).
    RAM: a page cache of at most 1 MiB a connection.
    """

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"]) -> None:
        if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
            raise StartupError(
                f"SQLite {apsw.sqlite_lib_version()} can lose committed rows: "
                "install apsw >= 3.51.3"
            )
        self.path = path
        self._synchronous = synchronous
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            _make(path)
            self._writer = apsw.Connection(str(path))
            self._prepare(self._writer, synchronous)
        except (OSError, apsw.Error) as error:
            raise StartupError(f"cannot open the database {path}: {error}") from None
        self._reader: apsw.Connection | None = None
        self._closed = False

    def _prepare(self, connection: apsw.Connection, synchronous: str) -> None:
        connection.set_busy_timeout(BUSY_MS)
        mode = connection.pragma("journal_mode", "wal")
        if mode != "wal":
            raise StartupError(f"{self.path}: this file system cannot hold a WAL ({mode})")
        for name, value in (
            ("synchronous", synchronous),
            ("foreign_keys", "ON"),
            ("trusted_schema", "OFF"),
            ("cell_size_check", "ON"),
            ("journal_size_limit", WAL_LIMIT),
            ("temp_store", "MEMORY"),
            ("cache_size", -1024),
        ):
            connection.pragma(name, value)

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[apsw.Connection]:
        """BEGIN IMMEDIATE ... COMMIT; rolled back when the block raises.

        `durable`: this commit, and all before it, survive a power cut, whatever the
        database's own `synchronous` is.
        """
        with self._write_lock:
            connection = self._writer
            if self._synchronous == "NORMAL":
                # Outside of a transaction, where SQLite takes it; it syncs the whole WAL.
                connection.pragma("synchronous", "FULL" if durable else "NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After a full disk SQLite may have rolled back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one SELECT, of what is committed."""
        with self._read_lock:
            if self._closed:
                raise apsw.ConnectionClosedError(f"{self.path} is closed")
            if self._reader is None:
                reader = apsw.Connection(str(self.path))
                reader.set_busy_timeout(BUSY_MS)
                reader.pragma("query_only", "ON")
                reader.pragma("trusted_schema", "OFF")
                reader.pragma("temp_store", "MEMORY")
                reader.pragma("cache_size", -1024)
                reader.wal_autocheckpoint(0)
                self._reader = reader
            return self._reader.execute(sql, tuple(values)).fetchall()

    def checkpoint(self) -> None:
        """Move the WAL into the database file and empty it, as far as readers allow."""
        with self._write_lock:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def size(self) -> int:
        """Bytes of the file and its WAL."""
        return _size(self.path) + self.wal_size()

    def wal_size(self) -> int:
        """Bytes of the WAL alone."""
        return _size(self.path.with_name(self.path.name + "-wal"))

    def close(self) -> None:
        """Idempotent; the WAL is checkpointed and removed when nobody else reads."""
        with self._write_lock, self._read_lock:
            self._closed = True
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            self._writer.close()


def _make(path: Path) -> None:
    """Where there is none, an empty file of our user's alone: SQLite gives its side files the mode
    of the main one.

    One that is there is not even opened: to close any descriptor of it would end the locks
    (fcntl(2)) of every connection that this process has to it, and other programs would take its
    WAL for a dead hub's.
    """
    try:
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
