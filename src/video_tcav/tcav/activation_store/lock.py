"""Who uses a store: any number of processes share it, one alone may delete from it."""

import fcntl
import os
import time
from pathlib import Path

from video_tcav.core.errors import StoreError

FILE_NAME = "store.lock"
_WAIT_S = 120.0
_POLL_S = 0.05


class FolderLock:
    """A lock that ends with the process, however it ends; nobody holds it during a pass alone."""

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self._folder = folder
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
        try:
            self._handle = os.open(folder / FILE_NAME, flags | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # a copy of a store that may not be written to needs none
            self._handle = -1

    def alone(self) -> bool:
        """Take the store for this process alone, if no other uses it."""
        return self._try(fcntl.LOCK_EX)

    def share(self) -> None:
        """Use the store beside others; waits while one of them deletes.

        Raises:
            StoreError: if that takes too long.
        """
        for _ in range(int(_WAIT_S / _POLL_S)):
            if self._try(fcntl.LOCK_SH):
                return
            time.sleep(_POLL_S)
        raise StoreError(
            f"`store` must not be pruned for more than {_WAIT_S:.0f} s. Got {self._folder}, held by another process. Try again."
        )

    def close(self) -> None:
        """Let go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _try(self, kind: int) -> bool:
        if self._handle < 0:
            return kind == fcntl.LOCK_SH
        try:
            fcntl.flock(self._handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: reading and adding need none
            return kind == fcntl.LOCK_SH
        return True
