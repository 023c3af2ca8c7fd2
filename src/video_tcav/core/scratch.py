"""Scratch folders: temporary folders that are removed with their process, or at the next start after a kill.

A process that is killed (SIGKILL, loss of power) cannot remove its folder. Each folder has a file lock that its process holds
and the system releases however the process ends, in whatever container it was. Folders whose lock is free are removed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from video_tcav.core.errors import OutputError
from video_tcav.core.lock import try_lock

PREFIX = "video-tcav-"
LOCK = "in-use.lock"
_TRIES = 5  # another process takes a new folder for abandoned only before its lock is there


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder below the temporary folder (`TMPDIR`), removed when the block ends."""
    remove_abandoned_folders()
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        lock.release()  # first: Windows removes no file that is open
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned_folders() -> None:
    """Remove the folders of this user's killed processes; never one that is in use or has no lock."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:  # closed also where a folder goes meanwhile
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False) and _is_ours(entry.stat()):
                _remove_abandoned(Path(entry.path))


def remove_empty_compiler_caches() -> None:
    """Remove the folder that PyTorch makes in the temporary folder on import, where nothing was compiled into it."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:  # closed also where a folder goes meanwhile
        for entry in entries:
            if entry.name.startswith("torchinductor_") and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):  # not empty, or another user's
                    Path(entry.path).rmdir()


def _remove_abandoned(folder: Path) -> None:
    if not (folder / LOCK).is_file():
        return
    try:
        lock = try_lock(folder / LOCK)
    except OSError:  # on a disk that may not be written to
        return
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _is_ours(state: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or state.st_uid == os.getuid()


def _locked_folder() -> tuple[Path, FileLock]:
    """A folder and its lock; made again where another process took it for abandoned between the two."""
    for _ in range(_TRIES):
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as error:
            raise OutputError(
                f"`TMPDIR` must be a folder that can be written to. Got: {error.strerror} for {tempfile.gettempdir()}. "
                "Set it to another."
            ) from error
        with suppress(OSError):
            lock = try_lock(folder / LOCK)
            if lock is not None:
                if (folder / LOCK).exists():
                    return folder, lock
                lock.release()
        shutil.rmtree(folder, ignore_errors=True)
    raise OutputError(
        f"`TMPDIR` must be on a disk where files can be locked. Got {tempfile.gettempdir()}. Set it to another."
    )
