"""What a store remembers besides rows: digests of files that have not changed, and facts that runs share."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from video_tcav.core.escaping import well_formed
from video_tcav.core.sqlite import Database
from video_tcav.media import MemorySource, VideoSource
from video_tcav.media.digest import file_digest, segment_digest
from video_tcav.media.timeline import frame_files

_SETTLED_S = 2.0
"""A file that changed just now may change again within one tick of its file system's clock."""


class Contents:
    """Digests and facts, in the index of a store."""

    def __init__(self, database: Database, *, read_only: bool) -> None:
        self._database = database
        self._read_only = read_only
        self._given: dict[Path, str] = {}
        self._new: list[tuple[str, str, str]] = []

    def source_digest(self, source: VideoSource) -> str:
        """Digest of a source; its file is read only if it was not before, or has changed since.

        Raises:
            MediaError: if it cannot be read.
        """
        if isinstance(source, MemorySource):
            return source.digest
        path = source.path.absolute()
        signature = file_signature(path)
        self._given[path] = signature
        name = well_formed(str(path))
        rows = self._database.read("SELECT digest FROM files WHERE path = ? AND signature = ?", [name, signature])
        if rows and signature:
            return segment_digest(rows[0]["digest"], source)
        digest = file_digest(source.path)
        if signature and not self._read_only and _is_settled(path) and file_signature(path) == signature:
            self._new.append((name, signature, digest))
        return segment_digest(digest, source)

    def write(self) -> None:
        """Write the digests that are new, in one transaction."""
        new, self._new = self._new, []
        if new:
            with self._database.transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", new)

    def unchanged(self, source: VideoSource) -> bool:
        """Whether the file is still the one whose digest was given; clips in memory are taken to be."""
        if isinstance(source, MemorySource):
            return True
        path = source.path.absolute()
        return bool(self._given.get(path)) and file_signature(path) == self._given[path]

    def fact(self, key: bytes, make: Callable[[], Any]) -> Any:
        """A small fact that all runs must share, made by the first that needs it."""
        known = self._fact(key)
        if known is not None:
            return known
        value = make()
        if not self._read_only:
            with self._database.transaction() as connection:
                known = self._fact(key)  # another process may have been first
                if known is None:
                    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, json.dumps(value)))
        return value if known is None else known

    def _fact(self, key: bytes) -> Any:
        rows = self._database.read("SELECT value FROM facts WHERE key = ?", [key])
        try:
            return json.loads(rows[0]["value"]) if rows else None
        except ValueError:
            return None


def file_signature(path: Path) -> str:
    """What changes with the content of a file or folder of frames; empty where that cannot be told."""
    try:
        found = [path, *frame_files(path)] if path.is_dir() else [path]
        stats = [one.stat() for one in found]
    except (OSError, ValueError):
        return ""
    return " ".join(f"{s.st_dev} {s.st_ino} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns}" for s in stats)


def _is_settled(path: Path) -> bool:
    try:
        stats = [one.stat() for one in ([path, *frame_files(path)] if path.is_dir() else [path])]
    except (OSError, ValueError):
        return False
    return time.time() - max(max(s.st_mtime, s.st_ctime) for s in stats) > _SETTLED_S
