"""Content-addressed files of a bank: named by their SHA-256, written whole or not at all, never outside its folder."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from video_tcav.core.errors import BankError, OutputError
from video_tcav.core.files import reason_of, sync
from video_tcav.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

CLIPS = "clips"

_DIGEST = re.compile(r"[0-9a-f]{64}")
_STAGED = re.compile(r"\.{1,2}new-(\d+)-[0-9a-f]+\..+")  # encoders put a dot in front and an ending behind
_ENDINGS = VIDEO_SUFFIXES | IMAGE_SUFFIXES


def clip_path(folder: Path, digest: str, ending: str) -> Path:
    """The path of a clip of this content; refuses digests and endings that are none: they could lead out of the bank."""
    if not _DIGEST.fullmatch(digest) or ending not in _ENDINGS:
        raise BankError(
            f"`{folder}` must name its clips by their hash. Got {(digest + ending)[:100]!r}. Somebody has changed the "
            "database; restore it from a copy."
        )
    return folder / CLIPS / digest[:2] / (digest + ending)  # at most 256 folders, as git does


def check_inside(folder: Path, path: Path) -> None:
    """Refuse a file that is a link out of the bank."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BankError(f"`bank` must hold its files itself. Got a link out of it: {path}. Put the file there.")


@contextmanager
def staged(folder: Path, ending: str) -> Iterator[Path]:
    """A name inside the bank to write a new file to; what is left there when the block ends is removed."""
    # The process's number says later whether somebody may still write it, see `is_abandoned`.
    path = folder / CLIPS / f".new-{os.getpid()}-{secrets.token_hex(6)}{ending}"
    try:
        path.parent.mkdir(exist_ok=True)
        check_inside(folder, path.parent)
        yield path
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"`{folder}` must be writable. Got: {reason_of(error)}. Free space on the disk or check the rights; "
            "nothing was changed."
        ) from error
    finally:
        with suppress(OSError):  # after `settle` it has another name
            path.unlink()


def copy_synced(source: Path, target: Path) -> None:
    """Copy a file's bytes, and wait until they are on disk."""
    shutil.copyfile(source, target)
    sync(target)


def settle(staged_file: Path, path: Path) -> None:
    """Rename a synced file to its final name, and wait until the name is on disk."""
    if not path.parent.is_dir():
        path.parent.mkdir(exist_ok=True)
        sync(path.parent.parent)  # a folder's entry is lost with the power if its parent is not synced
    staged_file.replace(path)
    sync(path.parent)


def is_abandoned(path: Path) -> bool:
    """Whether no running process is still writing a file that no row names."""
    match = _STAGED.fullmatch(path.name)
    return match is None or not _is_running(int(match[1]))


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # Windows has no signal 0: it would end the process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # a process of another user
        return True
    return True
