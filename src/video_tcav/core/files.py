"""Files that are either whole or not there: written to a temporary name, synced and renamed."""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_tcav.core.errors import OutputError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, renamed to `path` when the block ends without an error.

    Raises:
        OutputError: if the folder cannot be written to, or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"`{path}` must be writable. Got: {error.strerror or error}. Give another place to write to."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_file_writable(path: Path) -> None:
    """Prove, before any long work, that a file of this name can be written.

    Raises:
        OutputError: if it is a folder, or its folder cannot be written to.
    """
    if path.is_dir():
        raise OutputError(f"`{path}` must be writable. Got: it is a folder. Give the name of a file.")
    check_writable(path.parent)


def check_writable(folder: Path) -> Path:
    """Make `folder` and prove, before any long work, that a file can be written there.

    Raises:
        OutputError: if it cannot.
    """
    probe = folder / ".video-tcav-write-check"
    with atomic_path(probe) as temporary:
        temporary.write_bytes(b"")
    probe.unlink(missing_ok=True)
    return folder


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON that any reader accepts: NaN and infinity become null."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON.
    """
    return json.loads(path.read_text(encoding="utf-8"))


def _plain(content: Any) -> Any:
    match content:
        case dict():
            return {key: _plain(value) for key, value in content.items()}
        case list() | tuple():
            return [_plain(value) for value in content]
        case float() if not math.isfinite(content):
            return None
    return content


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
