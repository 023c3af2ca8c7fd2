"""The files of a bank: under the hash of their content, there in full or not at all, never outside its folder."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from video_tcav.core.errors import BankError, OutputError
from video_tcav.core.files import sync
from video_tcav.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

CLIPS = "clips"

_DIGEST = re.compile(r"[0-9a-f]{64}")
_STAGED = re.compile(r"\.{1,2}new-(\d+)-[0-9a-f]+\..+")  # encoders put a dot in front and an ending behind
_ENDINGS = VIDEO_SUFFIXES | IMAGE_SUFFIXES


def clip_path(folder: Path, digest: str, ending: str) -> Path:
    """Where a clip of this content lies.

    Raises:
        BankError: if digest or ending are none: a path made of them could lead out of the bank.
    """
    if not _DIGEST.fullmatch(digest) or ending not in _ENDINGS:
        raise BankError(
            f"`{folder}` must name its clips by their hash. Got {(digest + ending)[:100]!r}. Somebody has changed the "
            "database; restore it from a copy."
        )
    return folder / CLIPS / digest[:2] / (digest + ending)


def check_inside(folder: Path, path: Path) -> None:
    """Refuse a file that is a link out of the bank.

    Raises:
        BankError: if it is.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BankError(f"`bank` must hold its files itself. Got a link out of it: {path}. Put the file there.")


@contextmanager
def staged(folder: Path, ending: str) -> Iterator[Path]:
    """A name inside the bank to write a new file to; what is left there when the block ends is removed.

    Raises:
        OutputError: if the disk is full or the folder cannot be written to.
    """
    path = folder / CLIPS / f".new-{os.getpid()}-{secrets.token_hex(6)}{ending}"
    try:
        path.parent.mkdir(exist_ok=True)
        check_inside(folder, path.parent)
        yield path
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(
            f"`{folder}` must be writable. Got: {reason}. Free space on the disk or check the rights; nothing was changed."
        ) from error
    finally:
        with suppress(OSError):  # mostly it has its name for good by now
            path.unlink()


def copy_synced(source: Path, target: Path) -> None:
    """Copy a file's bytes, and see that they are on disk."""
    shutil.copyfile(source, target)
    sync(target)


def settle(staged_file: Path, path: Path) -> None:
    """Give a synced file its name for good; the name is on disk as well."""
    if not path.parent.is_dir():
        path.parent.mkdir(exist_ok=True)
        sync(path.parent.parent)
    staged_file.replace(path)
    sync(path.parent)


def is_abandoned(path: Path) -> bool:
    """Whether no process can still mean to use a file that no row names."""
    match = _STAGED.fullmatch(path.name)
    return match is None or not _is_running(int(match[1]))


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # Windows has no signal 0: it would end the process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
