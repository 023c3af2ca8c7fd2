"""The index of a store, an SQLite file."""

from pathlib import Path

from video_tcav.core.errors import OutputError, StoreError
from video_tcav.core.sqlite import Database, Format

FILE_NAME = "store.sqlite"
BLOCKS = "blocks"
VERSION = 2
_MAKE_ANEW = "Delete the folder, or give another; what it held will be computed again."

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


def open_database(folder: Path, *, read_only: bool) -> Database:
    """Open the index in a folder, made if there is none.

    Raises:
        StoreError: if it is of a newer version or no index, or there is none and none may be made.
        OutputError: if it cannot be made.
    """
    return Database.open(_FORMAT, folder, create=not read_only, read_only=read_only)


def check_new(folder: Path, *, create: bool) -> None:
    """Refuse to make a store among files of somebody else, or where none may be made."""
    if not create:
        raise _FORMAT.missing(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`store` must be a folder. Got {folder}, a file. Give another place.")
    inside = list(folder.iterdir()) if folder.exists() else []
    # another process may be making the store just now: its lock may need a folder
    if any(path.name != BLOCKS and not path.name.startswith(("store.", ".store.", ".filelock-")) for path in inside):
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


_FORMAT = Format(
    argument="store",
    description="the index of an activation store",
    file_name=FILE_NAME,
    schema=_SCHEMA,
    version_key="activation store",
    version=VERSION,
    busy_s=60.0,
    synchronous="NORMAL",  # a loss of power may cost the last rows, never the index
    error=StoreError,
    if_missing="Check the path.",
    if_newer="Update video-tcav, or give another folder.",
    if_damaged=_MAKE_ANEW,
    cannot_write=cannot_write,
    cannot_make=cannot_write,
    if_older=_MAKE_ANEW,
)
