"""Activation store: rows go in by batches, and are found again by their keys, in this process or any other."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import RLock
from typing import Any, Self

from torch import Tensor

import video_tcav.recording.cache.maintenance as maintenance
from video_tcav.core.errors import OutputError, StoreError
from video_tcav.core.files import reason_of
from video_tcav.core.lock import FolderLock
from video_tcav.recording.cache.block_index import BlockIndex, StoredClip
from video_tcav.recording.cache.blocks import Block, RowKind, damage, decode_block, encode_block, write_block
from video_tcav.recording.cache.file_digests import FileDigests
from video_tcav.recording.cache.layout import (
    FACTS,
    UNFINISHED,
    check_folder,
    read_checked_json,
    write_checked_json,
    write_marker,
)
from video_tcav.recording.cache.maintenance import Pruned, StoreInfo, StoreProblem
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.rows import FileRow, parse_bytes

_USED_AGAIN_S = 60.0  # the time of use is not written more often than that
_CHECKED_AT_ONCE = 4  # blocks; hashing and reading release Python's lock


class ActivationStore(FileDigests):
    """A folder of activations and gradients: what it holds is never computed again. Use it in a `with`.

    Any number of processes may use one folder at once. Rows are added by batches, each in full or not at all, so a
    process may be killed at any moment.

    Attributes:
        folder: of the store.
        read_only: whether nothing is added.
        durable: whether a block is on the disk before it gets its name, and not in the system's memory only.
        warnings: one line for each block that was found damaged and is not used.
    """

    def __init__(self, folder: Path, lock: FolderLock, *, read_only: bool, durable: bool) -> None:
        super().__init__(folder, read_only=read_only)
        self.folder = folder
        self.read_only = read_only
        self.durable = durable
        self.warnings: list[str] = []
        self._lock = lock
        self._threads = RLock()  # a run adds rows from a thread of its own
        self._indices: dict[Path, BlockIndex] = {}
        self._sound: set[tuple[Path, str]] = set()
        self._damaged: set[Path] = set()

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
        check_folder(folder, create=create and not read_only)
        if read_only is None:
            read_only = folder.exists() and not os.access(folder, os.W_OK)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder, read_only=read_only)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"`store` must be a folder that can be written to. Got: {reason_of(error)} for {folder}. Give another place."
            ) from error
        try:
            if not read_only:
                if lock.alone():  # then nobody is writing, and a killed process left these behind
                    maintenance.delete((folder / UNFINISHED).glob("*.tmp"))
                write_marker(folder)
            lock.share()
            return cls(folder, lock, read_only=read_only, durable=durable)
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Close the store; rows that were added are written already. Damaged blocks are deleted, if no other process is here."""
        try:
            self.write_digests()
            # not before: other processes, and rows of this one, may lie in sound layers of the same file
            if self._damaged and not self.read_only and self._lock.alone():
                maintenance.delete(path for path in self._damaged if maintenance.problem_of(path))
        finally:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def find(self, kind: RowKind, keys: Iterable[bytes], layers: Sequence[str]) -> dict[bytes, StoredClip]:
        """Clips that are there; every block is checked against its digests the first time it is used.

        Args:
            kind: what the rows are.
            keys: of the clips.
            layers: dotted names.

        Returns:
            Clips with at least one of the layers.
        """
        with self._threads:
            self.write_digests()
            index = self._index(kind)
            wanted = list(dict.fromkeys(keys))  # copies of one clip have one key
            self._check(index, index.blocks(wanted, layers), layers)
            self._note_use(index.blocks(wanted, layers))
            return {key: clip for key in wanted if (clip := index.clip(key, layers)) is not None}

    def sources(self, kind: RowKind, keys: Iterable[bytes]) -> dict[bytes, tuple[int, bool]]:
        """How many clips sources have, and whether they are stills; of those with rows of this kind."""
        with self._threads:
            index = self._index(kind)
            return {key: index.sources[key] for key in keys if key in index.sources}

    def add(
        self,
        kind: RowKind,
        keys: Sequence[bytes],
        layers: Mapping[str, Tensor],
        *,
        answers: Sequence[ClassAnswer] | None = None,
        sources: Mapping[bytes, tuple[int, bool]] | None = None,
    ) -> dict[str, list[FileRow]]:
        """Add the rows of one batch; those of a layer that all its clips have already are left out.

        Args:
            kind: what the rows are.
            keys: of the clips, in the order of the rows.
            layers: one row a clip; float32 or float64, on the CPU, contiguous.
            answers: what the model says of each clip, for gradients.
            sources: by key, how many clips a source has, and whether it is a still.

        Returns:
            Where the rows of the new layers lie.

        Raises:
            OutputError: if the disk is full; then nothing was added.
        """
        if self.read_only:
            return {}
        with self._threads:
            missing = self._index(kind, unless_unchanged=True).missing_layers(keys, layers)
            if not missing:
                return {}
            rows = {layer: layers[layer] for layer in missing}
            block = self._write(encode_block(kind, keys, rows, answers, sources or {}))
        return {layer: [block.row(layer, index) for index in range(len(keys))] for layer in missing}

    def add_encoded(self, content: memoryview) -> None:
        """Add a block that another machine has encoded, unless all its rows are there already.

        Raises:
            OutputError: if the disk is full; then nothing was added.
        """
        with self._threads:
            block = decode_block(self.folder, [content])
            if self._index(block.kind, unless_unchanged=True).missing_layers(block.keys, block.first_rows):
                self._write([content])

    def _write(self, content: Sequence[memoryview]) -> Block:
        block = write_block(self.folder, content, durable=self.durable)
        self._indices[block.path.parent].add(block)
        self._damaged.discard(block.path)
        self._sound.update((block.path, layer) for layer in block.first_rows)
        return block

    def fact(self, key: bytes, make: Callable[[], Any]) -> Any:
        """A small fact that all runs must share, made by the first that needs it: any JSON value."""
        path = self.folder / FACTS / key.hex()
        value = read_checked_json(path)
        if value is not None:
            return value
        made = make()
        if self.read_only:
            return made
        if read_checked_json(path) is None:
            with suppress(OSError):  # a damaged one would stay the first
                path.unlink(missing_ok=True)
            write_checked_json(self.folder, path, made, replace=False)
        value = read_checked_json(path)  # of two processes at once, the first one decides
        return made if value is None else value

    def info(self) -> StoreInfo:
        """What the store holds."""
        return maintenance.store_info(self.folder)

    def verify(self, *, repair: bool = False, progress: bool = False) -> tuple[StoreProblem, ...]:
        """Read every block and compare it with its digests.

        Args:
            repair: whether to delete what is damaged, so that it is computed again.
            progress: whether to show a progress bar.

        Returns:
            The blocks that are damaged.

        Raises:
            StoreError: for `repair`, if another process uses the store.
        """
        problems = maintenance.find_problems(self.folder, progress=progress)
        if repair:
            with self._alone("repaired"):
                maintenance.delete(problem.path for problem in problems)
        return problems

    def prune(
        self, *, max_size: str | int | None = None, older_than_s: float | None = None, dry_run: bool = False
    ) -> Pruned:
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
        with nullcontext() if dry_run else self._alone("pruned"):
            return maintenance.prune(self.folder, max_bytes, older_than_s, dry_run=dry_run)

    @contextmanager
    def _alone(self, done: str) -> Iterator[None]:
        """Inside, no other process uses the store, and files may be deleted."""
        if not self._lock.alone():
            self._lock.share()
            raise StoreError(
                f"`store` must not be used by another process while it is {done}. Got {self.folder}, in use. Try again when "
                "that run has ended."
            )
        try:
            yield
        finally:
            # blocks may be gone: read the folder anew
            self._indices.clear()
            self._sound.clear()
            self._lock.share()

    def _index(self, kind: RowKind, *, unless_unchanged: bool = False) -> BlockIndex:
        folder = kind.folder(self.folder)
        index = self._indices.setdefault(folder, BlockIndex(folder))
        index.refresh(unless_unchanged=unless_unchanged)
        return index

    def _check(self, index: BlockIndex, blocks: Sequence[Block], layers: Sequence[str]) -> None:
        """Compare what was not read before with its digest, several blocks at once."""
        unchecked: dict[Block, list[str]] = {}
        for block in blocks:
            names = [name for name in layers if name in block.first_rows and (block.path, name) not in self._sound]
            if names:
                unchecked[block] = names
        with ThreadPoolExecutor(_CHECKED_AT_ONCE) as pool:
            reasons = list(pool.map(damage, unchecked, unchecked.values()))
        for (block, names), reason in zip(unchecked.items(), reasons, strict=True):
            if reason:
                index.drop(block, reason)
            else:
                self._sound.update((block.path, name) for name in names)
        for path in index.damaged.keys() - self._damaged:
            reason = index.damaged[path]
            self.warnings.append(f"store {self.folder}: {path.name} {reason}; its clips are computed again.")
            self._damaged.add(path)

    def _note_use(self, blocks: Sequence[Block]) -> None:
        """The time of a file's last change says when it was last used."""
        if self.read_only:
            return
        now = time.time()
        for block in blocks:
            if block.used_s < now - _USED_AGAIN_S:
                with suppress(OSError):
                    os.utime(block.path)
