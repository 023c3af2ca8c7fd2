"""Index of the blocks of one kind, in memory: which block holds which clip, read from the headers in one folder."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from video_tcav.recording.cache.blocks import SUFFIX, Block, DamagedBlockError, read_block
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.rows import FileRow


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """Where the rows of one clip lie.

    Attributes:
        rows: by layer.
        answer: what the model says of the clip, for gradients.
    """

    rows: Mapping[str, FileRow]
    answer: ClassAnswer | None


class BlockIndex:
    """Blocks of one folder.

    Attributes:
        sources: by key of a source, how many clips it has, and whether it is a still.
        damaged: files that are not as they were written, with the reason.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed_ns = -1  # time of the folder's last change when it was last read
        self._names: set[str] = set()
        self._rows: dict[bytes, list[tuple[Block, int]]] = {}
        self.sources: dict[bytes, tuple[int, bool]] = {}
        self.damaged: dict[Path, str] = {}

    def refresh(self, *, unless_unchanged: bool = False) -> None:
        """Read the headers of blocks that came since the last call.

        Args:
            unless_unchanged: whether to trust the folder's time of change, which may hide what came within one tick of the
                file system's clock. Before a batch is added that is good enough: at worst, some rows are there twice.
        """
        try:
            changed_ns = self._folder.stat().st_mtime_ns
            if unless_unchanged and changed_ns == self._changed_ns:
                return
            with os.scandir(self._folder) as entries:
                names = {entry.name for entry in entries if entry.name.endswith(SUFFIX)}
        except FileNotFoundError:
            return
        # sorted: where two blocks hold one clip, the next run takes the same one
        for name in sorted(names - self._names):
            path = self._folder / name
            try:
                self.add(read_block(path))
            except DamagedBlockError as error:
                self._names.add(name)
                self.damaged[path] = str(error)
        self._changed_ns = changed_ns

    def add(self, block: Block) -> None:
        """Enter a block."""
        self._names.add(block.path.name)
        self.damaged.pop(block.path, None)
        self.sources.update(block.sources)
        for index, key in enumerate(block.keys):
            self._rows.setdefault(key, []).append((block, index))
        # our own block is no reason to read the folder again
        with suppress(OSError):
            self._changed_ns = self._folder.stat().st_mtime_ns

    def drop(self, block: Block, reason: str) -> None:
        """Take out a block that is damaged."""
        self.damaged[block.path] = reason
        for key in set(block.keys):
            self._rows[key] = [(holder, index) for holder, index in self._rows[key] if holder is not block]

    def blocks(self, keys: Iterable[bytes], layers: Sequence[str]) -> list[Block]:
        """Blocks with rows of these clips at any of these layers."""
        holders = {id(block): block for key in keys for block, _ in self._rows.get(key, ())}
        return [block for block in holders.values() if any(layer in block.first_rows for layer in layers)]

    def clip(self, key: bytes, layers: Sequence[str]) -> StoredClip | None:
        """A clip with those of the layers that are there; `None` without any."""
        rows: dict[str, FileRow] = {}
        answer = None
        for block, index in self._rows.get(key, ()):
            for layer in layers:
                if layer in block.first_rows and layer not in rows:
                    rows[layer] = block.row(layer, index)
                    answer = answer if block.answers is None else block.answers[index]
        return StoredClip(rows=rows, answer=answer) if rows else None

    def missing_layers(self, keys: Sequence[bytes], layers: Iterable[str]) -> list[str]:
        """The layers that at least one of the clips does not have."""
        return [
            layer
            for layer in layers
            if not all(any(layer in block.first_rows for block, _ in self._rows.get(key, ())) for key in keys)
        ]
