"""The index of a store, an SQLite file: made whole or not at all, one transaction a change, errors in plain words."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from video_tcav.core.errors import OutputError, StoreError

FILE_NAME = "store.sqlite"
BLOCKS = "blocks"
VERSION = 1
MOST_PARAMETERS = 500

_BUSY_S = 60.0
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    model_digest TEXT NOT NULL,
    space TEXT NOT NULL,
    role TEXT NOT NULL,
    clips INTEGER NOT NULL,  -- rows of each tensor; copies of one clip have one row in `rows`
    bytes INTEGER NOT NULL,
    header BLOB NOT NULL,  -- digest of what stands before the first tensor
    entry BLOB NOT NULL,  -- digest of its lines in `parts` and `rows`: SQLite would not notice a flipped bit
    used_s REAL NOT NULL
);
CREATE TABLE parts (
    block INTEGER NOT NULL REFERENCES blocks (id) ON DELETE CASCADE,
    layer TEXT NOT NULL,
    offset INTEGER NOT NULL,  -- of the first row, in bytes from the start of the file
    width INTEGER NOT NULL,
    dtype TEXT NOT NULL CHECK (dtype IN ('float32', 'float64')),
    digest BLOB NOT NULL,
    PRIMARY KEY (block, layer)
) WITHOUT ROWID;
CREATE TABLE rows (
    key BLOB NOT NULL,
    block INTEGER NOT NULL REFERENCES blocks (id) ON DELETE CASCADE,
    row INTEGER NOT NULL,
    target REAL,
    PRIMARY KEY (key, block)
) WITHOUT ROWID;
CREATE INDEX rows_by_block ON rows (block);
CREATE TABLE sources (key BLOB PRIMARY KEY, clips INTEGER NOT NULL, still INTEGER NOT NULL, proof BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE facts (key BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, signature TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
"""
_OUT_OF_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class Database:
    """One connection that threads take turns with."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._connection = connection
        self._turn = threading.RLock()

    @classmethod
    def open(cls, folder: Path, *, read_only: bool) -> "Database":
        """Open the index in a folder, made if there is none.

        Raises:
            StoreError: if it is of a newer version or no index, or there is none and none may be made.
            OutputError: if it cannot be made.
        """
        path = folder / FILE_NAME
        if not path.exists():
            if read_only:
                raise StoreError(
                    f"`store` must be a folder with {FILE_NAME}. Got {folder}, which has none. Check the path."
                )
            _create(path)
        with told(folder):
            connection = _connect(path, read_only=read_only)
            try:
                _check_version(folder, connection)
            except BaseException:
                connection.close()
                raise
        return cls(folder, connection)

    def close(self) -> None:
        """Close the connection; what was committed is on disk already."""
        with self._turn:
            self._connection.close()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._turn, told(self._folder):
            return self._connection.execute(sql, parameters).fetchall()

    def read_many(self, sql: str, values: Sequence[Any], more: Sequence[Any] = ()) -> Iterator[sqlite3.Row]:
        """All rows of a query whose `{}` stands for a list of any length; parameters of `more` come after it."""
        for start in range(0, len(values), MOST_PARAMETERS):
            some = values[start : start + MOST_PARAMETERS]
            yield from self.read(sql.format(", ".join("?" * len(some))), [*some, *more])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A change: on disk in full when the block ends, and not at all if it raises."""
        with self._turn, told(self._folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def shrink(self) -> None:
        """Give the space of deleted rows back to the disk."""
        with self._turn, told(self._folder):
            self._connection.execute("VACUUM")


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """SQLite's errors in plain words: what, where, and what to do."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise StoreError(f"`store` must be open. Got {folder}: {error}. Open it again.") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        if code & 0xFF in _OUT_OF_SPACE:
            raise cannot_write(folder, error) from error
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(
                f"`store` must not be held by another program for {_BUSY_S:.0f} s. Got {folder}: {error}. Try again."
            ) from error
        raise StoreError(
            f"`{folder / FILE_NAME}` must be the index of an activation store. Got: {error}. "
            "Delete the folder, or give another; what it held will be computed again."
        ) from error


def check_new(folder: Path, *, create: bool) -> None:
    """Refuse to make a store among files of somebody else, or where none may be made."""
    if not create:
        raise StoreError(f"`store` must be a folder with {FILE_NAME}. Got {folder}, which has none. Check the path.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`store` must be a folder. Got {folder}, a file. Give another place.")
    inside = list(folder.iterdir()) if folder.exists() else []
    if any(path.name != BLOCKS and not path.name.startswith(("store.", ".store.")) for path in inside):
        raise StoreError(
            f"`store` must be an activation store, or a new or empty folder. Got {folder}, which holds other files. "
            "Give a folder of its own."
        )


def cannot_write(folder: Path, reason: object) -> OutputError:
    """The error for a full disk, or one that may not be written to."""
    return OutputError(
        f"`store` {folder} must be writable. Got: {reason}. Free space on the disk (`video-tcav cache prune`) or check the "
        "rights, and run again: it goes on where it stopped."
    )


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    # immutable: a folder that may not be written to takes no log beside the file either
    place = f"{path.absolute().as_uri()}?immutable=1" if read_only else str(path)
    connection = sqlite3.connect(place, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=read_only)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")  # a loss of power may cost the last rows, never the index
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(folder: Path, connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT value FROM meta WHERE key = 'activation store'").fetchall()
    text = str(rows[0]["value"]) if rows else "none"
    if text.isascii() and text.isdecimal() and int(text) > VERSION:
        raise StoreError(
            f"`store` must be of version {VERSION} at most. Got {folder} of version {text[:20]}. Update video-tcav, or give "
            "another folder."
        )
    if text != str(VERSION):
        raise StoreError(
            f"`{folder / FILE_NAME}` must be the index of an activation store. Got version {text[:20]!r}. Check the path."
        )


def _create(path: Path) -> None:
    """Make an empty index under another name and link it into place, so that nobody ever sees half of one."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with told(path.parent), closing(_connect(unfinished, read_only=False)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN;{_SCHEMA}INSERT INTO meta VALUES ('activation store', '{VERSION}');COMMIT;"
            )
        _link(unfinished, path)
    except OSError as error:
        raise error if isinstance(error, OutputError) else cannot_write(path.parent, error.strerror) from error
    finally:
        for leftover in (unfinished, *(unfinished.with_name(unfinished.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):  # what went wrong with the store itself is what counts
                leftover.unlink()


def _link(unfinished: Path, path: Path) -> None:
    try:
        os.link(unfinished, path)
    except OSError:
        if not path.exists():  # a file system without links; else another process was first, and its index is as good
            unfinished.replace(path)
