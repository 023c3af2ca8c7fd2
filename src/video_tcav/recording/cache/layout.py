"""Folder of an activation store: its version marker, and files that are either whole or not there."""

import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import xxhash

from video_tcav.core.errors import OutputError, StoreError
from video_tcav.core.files import link_new, read_json, reason_of, sync, write_json

MARKER = "store.json"
BLOCKS, FACTS, FILE_DIGESTS = "blocks", "facts", "file_digests"
UNFINISHED = "unfinished"
"""Files that are being written; what a killed process left there goes when one process next has the store alone."""
VERSION = 3
_OLD_INDEX = "store.sqlite"  # of versions 1 and 2
_MAKE_ANEW = "Delete the folder, or give another; what it held will be computed again."


def check_folder(folder: Path, *, create: bool) -> None:
    """Refuse a folder that is no store of this version and cannot become one.

    Raises:
        StoreError: if it is of another version or holds other files, or there is no store and none may be made.
        OutputError: if it is a file.
    """
    if (folder / MARKER).exists() or (folder / _OLD_INDEX).exists():
        version = _version(folder)
        if version != VERSION:
            cure = "Update video-tcav, or give another folder." if version > VERSION else _MAKE_ANEW
            raise StoreError(f"`store` must be of version {VERSION}. Got {folder} of version {version}. {cure}")
        return
    if not create:
        raise StoreError(f"`store` must be a folder with {MARKER}. Got {folder}, which has none. Check the path.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`store` must be a folder. Got {folder}, a file. Give another place.")
    # another process may be making the store just now, with files of these names
    ours = ("store.", ".store.", ".filelock-", UNFINISHED)
    if folder.exists() and any(not path.name.startswith(ours) for path in folder.iterdir()):
        raise StoreError(
            f"`store` must be an activation store, or a new or empty folder. Got {folder}, which holds other files. "
            "Give a folder of its own."
        )


def write_marker(folder: Path) -> None:
    """Make the folder a store of this version."""
    if not (folder / MARKER).exists():
        write_json(folder / MARKER, {"activation store": VERSION})


def _version(folder: Path) -> int:
    if not (folder / MARKER).exists():  # only the index of an older version
        return 2
    try:
        return int(read_json(folder / MARKER)["activation store"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"`{folder / MARKER}` must be the marker of an activation store. Got: {reason_of(error)}. {_MAKE_ANEW}"
        ) from error


def write_whole(
    store: Path, path: Path, content: Iterable[bytes | memoryview], *, durable: bool = True, replace: bool = True
) -> None:
    """Write a file of the store: complete before it gets its name.

    Args:
        store: folder of the store.
        path: of the file, somewhere below.
        content: piece by piece.
        durable: whether it is on the disk by then, and not in the system's memory only.
        replace: whether to put it in place of a file that is there already; else the first one stays.

    Raises:
        OutputError: if the disk is full or the folder cannot be written to; nothing is left behind.
    """
    unfinished = store / UNFINISHED / f"{secrets.token_hex(16)}.tmp"
    try:
        unfinished.parent.mkdir(exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("xb") as file:
            file.writelines(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if replace:
            unfinished.replace(path)
        else:
            link_new(unfinished, path)
        if durable:  # the name as well, which is an entry of the folder
            sync(path.parent)
    except OSError as error:
        raise OutputError(
            f"`store` {store} must be writable. Got: {reason_of(error)}. Free space on the disk (`video-tcav cache prune`) or "
            "check the rights, and run again: it goes on where it stopped."
        ) from error
    finally:
        with suppress(OSError):  # what went wrong with the file itself is what counts
            unfinished.unlink(missing_ok=True)


def read_checked_json(path: Path) -> Any:
    """What `write_checked_json` wrote; `None` where there is no such file, or it was damaged."""
    try:
        digest, _, text = path.read_bytes().partition(b"\n")
        return json.loads(text) if digest.decode() == xxhash.xxh3_128_hexdigest(text) else None
    except (OSError, ValueError):
        return None


def write_checked_json(store: Path, path: Path, content: Any, *, replace: bool = True) -> None:
    """Write JSON below a line with its digest; see `write_whole`."""
    text = json.dumps(content).encode()
    write_whole(store, path, [xxhash.xxh3_128_hexdigest(text).encode(), b"\n", text], replace=replace)
