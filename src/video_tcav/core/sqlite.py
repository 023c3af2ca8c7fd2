"""SQLite files: created atomically, upgraded in one transaction, write-ahead log, errors in plain words."""

import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_tcav.core.errors import OutputError, VideoTcavError
from video_tcav.core.escaping import well_formed
from video_tcav.core.files import link_new, reason_of, sync
from video_tcav.core.scratch import scratch_folder

_BUSY_S = 20.0  # other programs hold the file for one change; a slow network disk may take seconds for that
_OUT_OF_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of database file: its schema, and the words of its errors.

    Attributes:
        argument: name of the folder in messages.
        description: of the file in messages, such as "a concept bank".
        file_name: in the folder.
        schema: that makes version 1; with a table `meta` of keys and values, which also holds the version.
        upgrades: SQL that makes version 2 of version 1, 3 of 2, …; a new file goes through all of them as well.
        error: for a file that cannot be used.
        if_missing: what to do where there is none.
        if_damaged: what to do about a file that is none.
    """

    argument: str
    description: str
    file_name: str
    schema: str
    upgrades: Sequence[str] = ()
    error: type[VideoTcavError]
    if_missing: str
    if_damaged: str

    @property
    def version(self) -> int:
        """Of the files that this program writes."""
        return 1 + len(self.upgrades)


class Database:
    """A connection that threads share under a lock.

    Attributes:
        folder: of its file.
    """

    def __init__(self, form: Format, folder: Path, connection: sqlite3.Connection, opened: ExitStack) -> None:
        self.folder = folder
        self._form = form
        self._connection = connection
        self._opened = opened
        self._lock = threading.RLock()

    @classmethod
    def open(cls, form: Format, folder: Path, *, create: bool) -> "Database":
        """Open the file in a folder, upgraded to this version; `create` makes an empty one where there is none.

        Raises:
            VideoTcavError: the format's own, if there is none, or it is of a newer version or another kind.
            OutputError: if it cannot be made.
        """
        path = folder / form.file_name
        if not path.exists():
            if not create:
                raise form.error(
                    f"`{form.argument}` must be a folder with {form.file_name}. Got {folder}, which has none. "
                    f"{form.if_missing}"
                )
            _create(form, path)
        with _plain_errors(form, folder), ExitStack() as opened:
            writable = os.access(folder, os.W_OK) and os.access(path, os.W_OK)
            connection = opened.enter_context(closing(_connect(str(path))) if writable else _reading(path))
            if _version(form, folder, connection) < form.version and not writable:
                connection = opened.enter_context(_upgraded_copy(form, path))
            else:
                _upgrade(form, folder, connection)
            return cls(form, folder, connection, opened.pop_all())

    def close(self) -> None:
        """Close the connection; what was committed is on disk already."""
        with self._lock:
            self._opened.close()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, _plain_errors(self._form, self.folder):
            return self._connection.execute(sql, [plain(value) for value in parameters]).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A change: on disk in full when the block ends, and not at all if it raises."""
        with self._lock, _plain_errors(self._form, self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def plain(value: Any) -> Any:
    """The value, with lone surrogates (bytes of a file name that are no UTF-8) spelled out: SQLite cannot keep them."""
    return well_formed(value) if isinstance(value, str) else value


@contextmanager
def _plain_errors(form: Format, folder: Path) -> Iterator[None]:
    """SQLite's errors in plain words: what, where, and what to do."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise form.error(f"`{form.argument}` must be open. Got {folder}: {error}. Open it again.") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        if code & 0xFF in _OUT_OF_SPACE:
            raise OutputError(
                f"`{folder / form.file_name}` must be writable. Got: {error}. Free space on the disk or check the rights; "
                "nothing was changed."
            ) from error
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise form.error(
                f"`{form.argument}` must not be held by another program for {_BUSY_S:.0f} s. Got {folder}: {error}. "
                "Try again."
            ) from error
        raise form.error(
            f"`{folder / form.file_name}` must be {form.description}. Got: {error}. {form.if_damaged}"
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection that writes no file, also where the folder may not be written to.

    The write-ahead log of a killed or running process holds changes that are not in the file yet. Where SQLite cannot read
    the log in place, since it would have to write an index of it, both are read as a copy. Without a log no process is
    writing, and the file alone is complete (`immutable`).
    """
    log = path.with_name(f"{path.name}-wal")
    address = path.absolute().as_uri()
    with ExitStack() as opened:
        if not (log.exists() and log.stat().st_size):
            connection = _connect(f"{address}?immutable=1")
        else:
            try:
                if not path.with_name(f"{path.name}-shm").exists():
                    raise sqlite3.OperationalError("the index of the log is missing")
                connection = _connect(f"{address}?mode=ro")
            except sqlite3.OperationalError:
                folder = opened.enter_context(scratch_folder())
                for file in (path, log):
                    shutil.copyfile(file, folder / file.name)
                connection = _connect(str(folder / path.name))
        with closing(connection):
            connection.execute("PRAGMA query_only = ON")
            yield connection


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=address.startswith("file:")
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # with a log, NORMAL may lose the last changes with the power
        connection.execute("PRAGMA trusted_schema = OFF")
        if address.endswith("?mode=ro"):
            connection.execute("SELECT COUNT(*) FROM sqlite_master")  # SQLite opens the log with the first query only
    except BaseException:
        connection.close()
        raise
    return connection


def _version(form: Format, folder: Path, connection: sqlite3.Connection) -> int:
    """The version of a file; refuses what is newer, or no file of this kind."""
    rows = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchall()
    text = str(rows[0]["value"]) if rows else "none"
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number > form.version:
        raise form.error(
            f"`{form.argument}` must be of version {form.version} at most. Got {folder} of version {text[:20]}. "
            "Update video-tcav."
        )
    if number < 1:
        raise form.error(
            f"`{folder / form.file_name}` must be {form.description}. Got version {text[:20]!r}. Check the path."
        )
    return number


def _upgrade(form: Format, folder: Path, connection: sqlite3.Connection) -> None:
    """Bring an older file to this version: all of it, or nothing."""
    if _version(form, folder, connection) == form.version:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # read again under the lock: another process may have been first
        for script in form.upgrades[_version(form, folder, connection) - 1 :]:
            for statement in script.split(";\n"):  # `executescript` would commit half of it
                connection.execute(statement)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", [str(form.version)])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _upgraded_copy(form: Format, path: Path) -> Iterator[sqlite3.Connection]:
    """An older file that may not be written to, upgraded as a copy and then only read."""
    with scratch_folder() as folder, _reading(path) as original, closing(_connect(str(folder / path.name))) as copy:
        original.backup(copy)
        _upgrade(form, path.parent, copy)
        copy.execute("PRAGMA query_only = ON")
        yield copy


def _create(form: Format, path: Path) -> None:
    """Make an empty database under another name and link it into place, so that no process opens half of one."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _plain_errors(form, path.parent), closing(_connect(str(unfinished))) as connection:
            schema = ";\n".join((form.schema, *form.upgrades))
            connection.executescript(f"BEGIN;{schema};INSERT INTO meta VALUES ('version', '{form.version}');COMMIT;")
            # last, since closing copies the log into the file, which fails without an error on a full disk
            connection.execute("PRAGMA journal_mode = WAL")
        link_new(unfinished, path)  # where another process was first, its file is as good
        sync(path.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"`{form.argument}` must be a folder that can be written to. Got: {reason_of(error)} for {path.parent}. "
            "Give another place."
        ) from error
    finally:
        for leftover in (unfinished, *(unfinished.with_name(unfinished.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):  # the error of the write itself must not be replaced by this one
                leftover.unlink()
