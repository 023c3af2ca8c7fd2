"""File locks between processes: exclusive, or shared by readers; the system releases those of a process that ends."""

import sqlite3
from pathlib import Path

from filelock import FileLock, ReadWriteLock, Timeout

from video_tcav.core.errors import StoreError

FILE_NAME = "store.lock"
_WAIT_S = 120.0  # much longer than deleting takes: a process that holds the lock for so long hangs


def try_lock(path: Path) -> FileLock | None:
    """An exclusive lock, acquired; `None` if another process has it.

    Raises:
        OSError: if the file cannot be made, or its file system has no locks.
    """
    lock = FileLock(path, thread_local=False)  # any thread may release it
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


class FolderLock:
    """A lock of an activation store: any number of processes share it, one alone may delete from it.

    Args:
        folder: of the store.
        read_only: whether the folder may be one that cannot be written to; then nothing is locked there.

    Raises:
        OSError: if the file of the lock cannot be made.
    """

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self._folder = folder
        self._lock: ReadWriteLock | None = None
        if not (read_only and not (folder / FILE_NAME).exists()):
            self._open(read_only)

    def alone(self) -> bool:
        """Acquire the store for this process alone, if no other uses it."""
        if self._lock is None:
            return False
        self._open()
        try:
            self._lock.acquire_write(blocking=False)
        except (Timeout, sqlite3.Error, OSError):  # in use, or a file system without locks
            return False
        return True

    def share(self) -> None:
        """Use the store beside other processes; waits while one of them deletes.

        Raises:
            StoreError: if that takes too long.
        """
        if self._lock is None:
            return
        self._open()
        try:
            self._lock.acquire_read(timeout=_WAIT_S)
        except Timeout as error:
            raise StoreError(
                f"`store` must not be pruned for more than {_WAIT_S:.0f} s. Got {self._folder}, held by another process. "
                "Try again."
            ) from error
        except (sqlite3.Error, OSError):  # a file system without locks: reading and adding need none
            self.close()

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _open(self, may_fail: bool = False) -> None:
        """A lock that is not acquired: it can only be opened again to go from shared to exclusive and back."""
        self.close()
        try:
            self._lock = ReadWriteLock(self._folder / FILE_NAME, is_singleton=False)
        except (sqlite3.Error, OSError):
            if not may_fail:
                raise
