"""Content digests of video files, kept with their size, inode and times, so that a second run does not read the files."""

import math
import os
import time
from pathlib import Path

import xxhash

from video_tcav.core.escaping import well_formed
from video_tcav.media import VideoSource
from video_tcav.media.digest import file_digest, segment_digest
from video_tcav.media.memory_clips import InMemorySource
from video_tcav.media.timeline import frame_files
from video_tcav.recording.cache.layout import FILE_DIGESTS, read_checked_json, write_checked_json

_SETTLED_S = 2.0
"""A file that changed just now may change again within one tick of its file system's clock."""


class FileDigests:
    """Digests of files, in the folder of a store or, without one, for as long as the process lives."""

    def __init__(self, store: Path | None = None, *, read_only: bool = False) -> None:
        self._store, self._keeps = store, store is not None and not read_only
        self._signatures: dict[Path, str] = {}
        self._unwritten: dict[str, tuple[str, str]] = {}
        self._entries = self._read()

    def source_digest(self, source: VideoSource) -> str:
        """Digest of a source; its file is read only if it was not before, or has changed since.

        Raises:
            MediaError: if it cannot be read.
        """
        if isinstance(source, InMemorySource):
            return segment_digest(source.digest, source)
        path = source.path.absolute()
        signature = self._signatures[path] = file_signature(path)
        name = well_formed(str(path))
        signed = self._unwritten.get(name) or self._entries.get(name) or ("", "")
        if signature and signed[0] == signature:
            return segment_digest(signed[1], source)
        digest = file_digest(source.path)
        if signature and self._keeps and _is_settled(path) and file_signature(path) == signature:
            self._unwritten[name] = signature, digest
        return segment_digest(digest, source)

    def unchanged(self, source: VideoSource) -> bool:
        """Whether the file is still the one whose digest was returned; clips in memory are taken to be."""
        if isinstance(source, InMemorySource):
            return True
        path = source.path.absolute()
        return bool(self._signatures.get(path)) and file_signature(path) == self._signatures[path]

    def write_digests(self) -> None:
        """Write the digests that are new.

        Processes that do so at the same moment may lose some of each other's: these files are then hashed again.
        """
        if self._unwritten and self._store is not None:
            self._entries = self._read() | self._unwritten
            self._unwritten = {}
            write_checked_json(self._store, self._store / FILE_DIGESTS, self._entries)

    def _read(self) -> dict[str, tuple[str, str]]:
        return {} if self._store is None else read_checked_json(self._store / FILE_DIGESTS) or {}


def file_signature(path: Path) -> str:
    """What changes with the content of a file or folder of frames; empty where that cannot be told."""
    stats = _stats(path)
    text = " ".join(f"{s.st_dev} {s.st_ino} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns}" for s in stats)
    return xxhash.xxh3_128_hexdigest(text.encode()) if stats else ""  # of one length, however many frames there are


def _is_settled(path: Path) -> bool:
    latest_s = max((max(s.st_mtime, s.st_ctime) for s in _stats(path)), default=math.inf)
    return time.time() - latest_s > _SETTLED_S


def _stats(path: Path) -> list[os.stat_result]:
    """Of the file, or the folder and its frames; none where one cannot be told."""
    try:
        return [file.stat() for file in ([path, *frame_files(path)] if path.is_dir() else [path])]
    except (OSError, ValueError):
        return []
