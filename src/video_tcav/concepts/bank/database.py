"""The bank's SQLite file: made whole or not at all, one transaction a change, errors in plain words."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from video_tcav.concepts.bank.files import sync
from video_tcav.core.errors import BankError, OutputError

FILE_NAME = "bank.sqlite"
VERSION = 1

_BUSY_S = 20.0
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE concepts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE clips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,  -- the same proposal has the same key, wherever a person has moved it
    digest TEXT NOT NULL,
    ending TEXT NOT NULL,
    concept_id INTEGER REFERENCES concepts (id),
    kind TEXT NOT NULL CHECK (kind IN ('moving', 'still', 'focus', 'scene')),
    verdict TEXT NOT NULL CHECK (verdict IN ('open', 'accepted', 'rejected')),
    tube TEXT NOT NULL,
    quality REAL NOT NULL,
    frames INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    fps REAL NOT NULL,
    video TEXT NOT NULL,
    video_digest TEXT NOT NULL,
    shared TEXT NOT NULL,  -- equal for clips that are not independent of each other
    label TEXT NOT NULL,
    origin TEXT NOT NULL
);
CREATE INDEX clips_by_concept ON clips (concept_id, verdict);
CREATE INDEX clips_by_tube ON clips (video_digest, tube, kind);
CREATE INDEX clips_by_digest ON clips (digest);
CREATE TABLE embeddings (
    clip_id INTEGER NOT NULL REFERENCES clips (id),
    space TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (clip_id, space)
);
CREATE TABLE changes (id INTEGER PRIMARY KEY AUTOINCREMENT, words TEXT NOT NULL, before TEXT NOT NULL);
"""
_OUT_OF_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class Database:
    """One connection that threads take turns with.

    Attributes:
        folder: of the bank.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._turn = threading.RLock()

    @classmethod
    def open(cls, folder: Path, *, create: bool) -> "Database":
        """Open the bank in a folder; `create` makes an empty one where there is none.

        Raises:
            BankError: if there is none, or it is of a newer version or no bank.
            OutputError: if it cannot be made.
        """
        path = folder / FILE_NAME
        if not path.exists():
            if not create:
                raise BankError(
                    f"`bank` must be a folder with {FILE_NAME}. Got {folder}, which has none. Check the path, or make a bank "
                    "with `video-tcav propose` or `video-tcav bank import`."
                )
            _create(path)
        with told(folder):
            connection = _connect(path)
            try:
                _check_version(folder, connection)
            except BaseException:
                connection.close()
                raise
        return cls(folder, connection)

    def close(self) -> None:
        """Close the connection; what was confirmed is on disk already."""
        with self._turn:
            self._connection.close()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._turn, told(self.folder):
            return self._connection.execute(sql, [plain(value) for value in parameters]).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A change: on disk in full when the block ends, and not at all if it raises."""
        with self._turn, told(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def plain(value: Any) -> Any:
    """The value, with the bytes of a file's name that are no UTF-8 spelled out: SQLite cannot keep them."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """SQLite's errors in plain words: what, where, and what to do."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise BankError(f"`bank` must be open. Got {folder}: {error}. Open it again.") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        if code & 0xFF in _OUT_OF_SPACE:
            raise OutputError(
                f"`{folder / FILE_NAME}` must be writable. Got: {error}. Free space on the disk or check the rights; "
                "nothing was changed."
            ) from error
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BankError(
                f"`bank` must not be held by another program for {_BUSY_S:.0f} s. Got {folder}: {error}. Try again."
            ) from error
        raise BankError(
            f"`{folder / FILE_NAME}` must be a concept bank. Got: {error}. Restore it from a copy, or begin a new bank."
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # in WAL mode NORMAL may lose the last changes with the power
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(folder: Path, connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchall()
    text = str(rows[0]["value"]) if rows else "none"
    if text.isascii() and text.isdecimal() and int(text) > VERSION:
        raise BankError(
            f"`bank` must be of version {VERSION} at most. Got {folder} of version {text[:20]}. Update video-tcav."
        )
    if text != str(VERSION):
        raise BankError(f"`{folder / FILE_NAME}` must be a concept bank. Got version {text[:20]!r}. Check the path.")


def _create(path: Path) -> None:
    """Make an empty bank under another name and link it into place, so that nobody ever sees half of one."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with told(path.parent), closing(_connect(unfinished)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN;{_SCHEMA}INSERT INTO meta VALUES ('version', '{VERSION}');COMMIT;")
        _link(unfinished, path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(
            f"`bank` must be a folder that can be written to. Got: {reason} for {path.parent}. Give another place."
        ) from error
    finally:
        for leftover in (unfinished, *(unfinished.with_name(unfinished.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):  # what went wrong with the bank itself is what counts
                leftover.unlink()


def _link(unfinished: Path, path: Path) -> None:
    try:
        os.link(unfinished, path)
    except OSError:
        if path.exists():
            return  # another process was first; its bank is as good
        unfinished.replace(path)  # a file system without links
    sync(path.parent)
