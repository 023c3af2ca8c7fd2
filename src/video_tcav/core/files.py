"""Atomic files: written to a temporary name, synced and renamed; and JSON and text in them."""

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from video_tcav.core.errors import OutputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.limits import parse_json, read_bounded

_MOST_JSON_BYTES = 2**30  # digests of some million clips
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, renamed to `path` when the block ends without an error.

    A device that is there already, such as `/dev/stdout`, is written to and stays.

    Raises:
        OutputError: if the folder cannot be written to, or the disk is full.
    """
    temporary = None
    device = path.exists() and not path.is_file() and not path.is_dir()
    try:
        with _output_errors(path):
            if not device:
                path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=None if device else path.parent)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            if device:
                path.write_bytes(temporary.read_bytes())
            else:
                _rename(temporary, path)
    finally:
        if temporary is not None:
            with suppress(OSError):  # what went wrong with the file itself is what counts
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, renamed to `folder` when the block ends without an error, and removed otherwise.

    What a killed process left under the temporary name is removed first, so only one process at a time may fill a folder.

    Raises:
        OutputError: if `folder` holds something or cannot be written to.
    """
    with _output_errors(folder):
        exists = folder.exists()
        # An empty folder is filled from within: it may be a mount, or the only place that can be written to.
        partial = (folder if exists else folder.parent) / f".{folder.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        if exists and any(folder.iterdir()):
            raise OutputError(f"`folder` must be new or empty. Got {folder}, which holds something. Give another name.")
        partial.mkdir(parents=True)
    try:
        yield partial
        with _output_errors(folder):
            if exists:
                for path in sorted(
                    partial.iterdir(), key=Path.is_file
                ):  # files, such as a manifest, after what they name
                    path.rename(folder / path.name)
            else:
                partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors into one that names the path and the cure."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a full disk
        raise OutputError(f"`{path}` must be writable. Got: {reason_of(error)}. {cure_of(error)}") from error


def _rename(temporary: Path, path: Path) -> None:
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    mask = os.umask(0)  # which can only be read by setting it
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)  # `mkstemp` makes files that only their owner may read
    temporary.replace(path)


def beside(path: str, folder: Path) -> str:
    """A path as a settings file in `folder` means it: relative to that folder."""
    # `~` is expanded where paths are read.
    return path if Path(path).is_absolute() or path.startswith("~") else str(folder / path)


def reason_of(error: Exception) -> str:
    """Why something could not be read or written, in the system's words."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(reason.split())


def cure_of(error: Exception) -> str:
    """What to do about a file that could not be written."""
    full = getattr(error, "errno", None) in _FULL or "No space left" in str(error)
    return "Free space on the disk, or give another place." if full else "Give another place to write to."


def write_in_turn(folder: Path, writers: Mapping[str, Callable[[Path], object]]) -> None:
    """Write the files of one result by their writers, in order: small ones first; a file that does not fit stops no other.

    Raises:
        OutputError: if any could not be written, naming the written ones and the others.
    """
    written, failures = [], {}
    for name, write in writers.items():
        try:
            write(folder / name)
            written.append(name)
        except OutputError as error:
            failures[name] = error
    if failures:
        first = next(iter(failures.values()))
        raise OutputError(f"{first} Written: {', '.join(written) or 'nothing'}. Not written: {', '.join(failures)}.")


def link_new(unfinished: Path, path: Path) -> None:
    """Give a file its name unless there is one of that name, which a rename would replace."""
    try:
        os.link(unfinished, path)
    except OSError:
        if not path.exists():
            unfinished.replace(path)  # a file system without links


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folder as a file, and needs none to be synced
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_file_writable(path: Path) -> None:
    """Refuse, before any long work, a path that no file can be written to."""
    if path.is_dir():
        raise OutputError(f"`{path}` must be writable. Got: it is a folder. Give the name of a file.")
    check_writable(path.parent)


def check_writable(folder: Path) -> Path:
    """Make `folder`; refuses, before any long work, one that no file can be written to."""
    probe = folder / ".video-tcav-write-check"
    with atomic_path(probe) as temporary:
        temporary.write_bytes(b"")
    probe.unlink(missing_ok=True)
    return folder


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON that any reader accepts: NaN and infinity become null."""
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def as_read_back(content: Any) -> Any:
    """What `read_json` returns of a file that `write_json` wrote: tuples are lists, NaN is null, names are spelled out."""
    return json.loads(json.dumps(_plain(content), ensure_ascii=False, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; what UTF-8 cannot hold is spelled out, see `core.escaping`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(well_formed(text).encode("utf-8"))


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON, no regular file, or holds characters that are none.
    """
    text = read_bounded(path, most=_MOST_JSON_BYTES).decode("utf-8")
    content = parse_json(text)
    if "\\ud" in text.lower():  # the escape of half a character; `write_json` writes none
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    return content


def _plain(content: Any) -> Any:
    match content:
        case dict():
            return {_plain(key): _plain(value) for key, value in content.items()}
        case str():
            return well_formed(content)  # before JSON escapes it, else it would be read back as half a character
        case list() | tuple():
            return [_plain(value) for value in content]
        case float() if not math.isfinite(content):
            return None
    return content
