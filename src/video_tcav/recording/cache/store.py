"""The store itself: rows go in by batches, and are found again by their keys, in this process or any other."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from video_tcav.core.errors import OutputError, StoreError
from video_tcav.core.files import reason_of
from video_tcav.core.lock import FolderLock
from video_tcav.core.sqlite import Database
from video_tcav.media import VideoSource
from video_tcav.recording.cache import maintenance as upkeep
from video_tcav.recording.cache.blocks import files, write_block
from video_tcav.recording.cache.database import FILE_NAME, check_new, open_database
from video_tcav.recording.cache.file_digests import Contents
from video_tcav.recording.cache.row_index import (
    About,
    find_rows,
    find_sources,
    insert_block,
    insert_sources,
    missing_layers,
    named_block,
    place_of,
    places,
)
from video_tcav.recording.rows import FileRow, parse_bytes

_USED_AGAIN_S = 60.0
_CHECKED_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """Where the rows of one clip lie.

    Attributes:
        rows: by layer.
        target: value of the target, for gradients.
    """

    rows: Mapping[str, FileRow]
    target: float | None


class ActivationStore:
    """A folder of activations and gradients: what it holds is never computed again. Use it in a `with`.

    Any number of processes may use one folder at once. Rows are added by batches, each in full or not at all, so a
    process may be killed at any moment.

    Attributes:
        folder: of the store.
        read_only: whether nothing is added.
        durable: whether a block is on the disk before the index names it, and not in the system's memory only.
        warnings: one line for each block that was found damaged and given up.
    """

    def __init__(self, folder: Path, database: Database, lock: FolderLock, *, read_only: bool, durable: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self.durable = durable
        self.warnings: list[str] = []
        self._database = database
        self._lock = lock
        self._contents = Contents(database, read_only=read_only)
        self._sound: set[tuple[int, str]] = set()
        self._given_up: set[int] = set()

    @classmethod
    def open(
        cls, folder: str | Path, *, create: bool = True, read_only: bool | None = None, durable: bool = True
    ) -> Self:
        """Open the store in a folder.

        Args:
            folder: of the store; a new or empty folder becomes one.
            create: whether one is made where there is none.
            read_only: whether to add nothing; if not given, where the folder may not be written to.
            durable: whether to wait for the disk with each batch; not needed for a store that goes with its run.

        Raises:
            StoreError: if the folder is something else, the store is of another version, or there is none.
            OutputError: if it cannot be made.
        """
        folder = Path(folder)
        if not (folder / FILE_NAME).exists():
            check_new(folder, create=create and not read_only)
        elif read_only is None:
            read_only = not os.access(folder, os.W_OK)
        read_only = bool(read_only)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder, read_only=read_only)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"`store` must be a folder that can be written to. Got: {reason_of(error)} for {folder}. Give another place."
            ) from error
        try:
            alone = not read_only and lock.alone()
            if not alone:
                lock.share()
            store = cls(folder, open_database(folder, read_only=read_only), lock, read_only=read_only, durable=durable)
        except BaseException:
            lock.close()
            raise
        if alone:  # nobody can be writing: what no row names was left behind by a killed process
            store.sweep()
            lock.share()
        return store

    def close(self) -> None:
        """Close the store; what was added is written already."""
        try:
            self._contents.write()
        finally:
            self._database.close()
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def source_digest(self, source: VideoSource) -> str:
        """Digest of a source; its file is read only if it was not before, or has changed since.

        Raises:
            MediaError: if it cannot be read.
        """
        return self._contents.source_digest(source)

    def unchanged(self, source: VideoSource) -> bool:
        """Whether the file is still the one whose digest was given."""
        return self._contents.unchanged(source)

    def find(self, keys: Iterable[bytes], layers: Sequence[str]) -> dict[bytes, StoredClip]:
        """What is there of some clips; every block is checked against its digest the first time it is used.

        Args:
            keys: of the clips.
            layers: dotted names.

        Returns:
            Clips with at least one of the layers.
        """
        self._contents.write()
        found: dict[bytes, StoredClip] = {}
        blocks: set[int] = set()
        rows = find_rows(self._database, keys, layers)
        self._check((row["block"], row["layer"]) for row in rows)
        for row in rows:
            known = found.get(row["key"], StoredClip(rows={}, target=row["target"]))
            if row["layer"] not in known.rows and (row["block"], row["layer"]) in self._sound:
                blocks.add(row["block"])
                place = place_of(self.folder, row)
                found[row["key"]] = replace(known, rows={**known.rows, row["layer"]: place})
        self._note_use(sorted(blocks))
        return found

    def add(
        self,
        about: About,
        keys: Sequence[bytes],
        layers: Mapping[str, Tensor],
        *,
        targets: Sequence[float] | None = None,
        sources: Mapping[bytes, tuple[int, bool]] | None = None,
    ) -> dict[str, list[FileRow]]:
        """Add the rows of one batch; those of a layer that all its clips have already are left out.

        Args:
            about: what the rows are.
            keys: of the clips, in the order of the rows.
            layers: one row a clip; float32 or float64, on the CPU, contiguous.
            targets: value of the target for each clip.
            sources: by key, how many clips a source has, and whether it is a still.

        Returns:
            Where the rows of the new layers lie.

        Raises:
            OutputError: if the disk is full; then nothing was added.
        """
        new = missing_layers(self._database, keys, layers)
        if self.read_only or not new:
            self._note_sources(sources or {})
            return {}
        block = write_block(self.folder, {layer: layers[layer] for layer in new}, durable=self.durable)
        path = named_block(self.folder, block.name)
        try:
            with self._database.transaction() as connection:
                if not missing_layers(self._database, keys, new):  # another process was first
                    path.unlink()
                    return {}
                number = insert_block(connection, about, block, keys, targets)
                insert_sources(connection, sources or {})
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
        self._sound.update((number, layer) for layer in block.parts)
        return {layer: places(path, part, len(keys)) for layer, part in block.parts.items()}

    def sources(self, keys: Iterable[bytes]) -> dict[bytes, tuple[int, bool]]:
        """How many clips sources have, and whether they are stills; of those that are known."""
        return find_sources(self._database, keys)

    def fact(self, key: bytes, make: Callable[[], Any]) -> Any:
        """A small fact that all runs must share, made by the first that needs it: any JSON value."""
        return self._contents.fact(key, make)

    def info(self) -> upkeep.StoreInfo:
        """What the store holds."""
        return upkeep.store_info(self.folder, self._database)

    def verify(self, *, repair: bool = False, progress: bool = False) -> tuple[upkeep.StoreProblem, ...]:
        """Read every block and compare it with its digests.

        Args:
            repair: whether to drop what is damaged, so that it is computed again.
            progress: whether to show a progress bar.

        Returns:
            The blocks that are damaged or missing, and files that belong to none.
        """
        return upkeep.verify(self.folder, self._database, self._alone(), repair=repair, progress=progress)

    def prune(
        self, *, max_size: str | int | None = None, older_than_s: float | None = None, dry_run: bool = False
    ) -> upkeep.Pruned:
        """Delete blocks, the least recently used first; without a limit all of them.

        Args:
            max_size: what may stay, in bytes or as in 10GB.
            older_than_s: delete what was not used for so long.
            dry_run: whether to say only what would be deleted.

        Raises:
            StoreError: if another process uses the store.
            InputError: if `max_size` is no size.
        """
        max_bytes = None if max_size is None else parse_bytes(max_size, "max_size")
        if not dry_run and not self._lock.alone():
            raise StoreError(
                f"`store` must not be used by another process while it is pruned. Got {self.folder}, in use. Try again when "
                "that run has ended."
            )
        pruned = upkeep.prune(self.folder, self._database, max_bytes, older_than_s, dry_run=dry_run)
        if not dry_run:
            self.sweep()
            self._lock.share()
        return pruned

    def sweep(self) -> None:
        """Remove files that no row names; only for a process that has the store alone."""
        named = {row["name"] for row in self._database.read("SELECT name FROM blocks")}
        for path in files(self.folder):
            if path.name not in named:
                with suppress(OSError):
                    path.unlink()

    def _alone(self) -> bool:
        alone = not self.read_only and self._lock.alone()
        self._lock.share()
        return alone

    def _check(self, parts: Iterable[tuple[int, str]]) -> None:
        """Compare what was not read before with its digest, several blocks at once."""
        unchecked: dict[int, list[str]] = {}
        for block, layer in sorted(set(parts) - self._sound):
            if block not in self._given_up:
                unchecked.setdefault(block, []).append(layer)
        with ThreadPoolExecutor(_CHECKED_AT_ONCE) as pool:
            faults = pool.map(
                lambda block: upkeep.fault_of(self.folder, self._database, block, unchecked[block]), unchecked
            )
            for (block, layers), reason in zip(unchecked.items(), faults, strict=True):
                if reason:
                    self._give_up(block, reason)
                else:
                    self._sound.update((block, layer) for layer in layers)

    def _give_up(self, block: int, reason: str) -> None:
        """Drop a damaged block from the index; its file stays while others may read sound parts of it."""
        self._given_up.add(block)
        self._sound.difference_update([part for part in self._sound.copy() if part[0] == block])
        self.warnings.append(f"store {self.folder}: {reason}; its clips are computed again.")
        if not self.read_only:
            upkeep.drop(self._database, [block])

    def _note_use(self, blocks: Sequence[int]) -> None:
        if self.read_only or not blocks:
            return
        now = time.time()
        with self._database.transaction() as connection:
            sql = "UPDATE blocks SET used_s = ? WHERE id = ? AND used_s < ?"
            connection.executemany(sql, [(now, block, now - _USED_AGAIN_S) for block in blocks])

    def _note_sources(self, sources: Mapping[bytes, tuple[int, bool]]) -> None:
        if self.read_only or sources.keys() <= self.sources(sources).keys():
            return
        with self._database.transaction() as connection:
            insert_sources(connection, sources)
