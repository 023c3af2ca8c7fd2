"""Maintenance of a store: what it holds, whether it is whole, and deleting the least recently used blocks."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.progress import progress_bar
from video_tcav.recording.cache.blocks import SUFFIX, Block, DamagedBlockError, damage, read_block
from video_tcav.recording.cache.layout import BLOCKS


@dataclass(frozen=True, kw_only=True)
class StoreInfo:
    """What a store holds.

    Attributes:
        bytes: on disk, everything included.
        blocks: files of rows.
        clips: distinct clips, twins counted by themselves and gradients apart from activations.
        rows: of all layers together.
        layers: dotted names.
        models: by which the rows were computed.
        last_used_s: seconds since 1970; `None` for an empty store.
    """

    bytes: int
    blocks: int
    clips: int
    rows: int
    layers: tuple[str, ...]
    models: tuple[str, ...]
    last_used_s: float | None


@dataclass(frozen=True, kw_only=True)
class StoreProblem:
    """A file of a store that is not as it should be, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was deleted, and what is left; in bytes of blocks."""

    blocks: int
    bytes: int
    blocks_left: int
    bytes_left: int


def store_info(store: Path) -> StoreInfo:
    """What a store holds; damaged blocks are left out."""
    blocks: list[Block] = []
    for path in block_files(store):
        with suppress(DamagedBlockError):
            blocks.append(read_block(path))
    return StoreInfo(
        bytes=sum(path.stat().st_size for path in store.rglob("*") if path.is_file()),
        blocks=len(blocks),
        clips=len({key for block in blocks for key in block.keys}),
        # copies of one clip in a batch have one key, and count as one row
        rows=sum(len(set(block.keys)) * len(block.first_rows) for block in blocks),
        layers=tuple(sorted({layer for block in blocks for layer in block.first_rows})),
        models=tuple(sorted({block.kind.model for block in blocks})),
        last_used_s=max((block.used_s for block in blocks), default=None),
    )


def find_problems(store: Path, *, progress: bool) -> tuple[StoreProblem, ...]:
    """Every block that is not what was written."""
    problems, paths = [], block_files(store)
    with progress_bar("checking (blocks)", len(paths), visible=progress) as advance:
        for path in paths:
            if reason := problem_of(path):
                problems.append(StoreProblem(path=path, reason=reason))
            advance(1)
    return tuple(problems)


def problem_of(path: Path) -> str:
    """What is wrong with the file of a block; empty where nothing is."""
    try:
        block = read_block(path)
    except DamagedBlockError as error:
        return str(error)
    return damage(block, block.first_rows)


def delete(paths: Iterable[Path]) -> None:
    """Delete files, as far as that is possible."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def prune(store: Path, max_bytes: int | None, older_than_s: float | None, *, dry_run: bool) -> Pruned:
    """Delete blocks, the least recently used first; without a limit all of them."""
    sizes = {path: path.stat() for path in block_files(store)}
    oldest_first = sorted(sizes, key=lambda path: (sizes[path].st_mtime_ns, path))
    total = left = sum(status.st_size for status in sizes.values())
    oldest_s = None if older_than_s is None else time.time() - older_than_s
    everything = max_bytes is None and oldest_s is None
    expired = []
    for path in oldest_first:
        too_old = oldest_s is not None and sizes[path].st_mtime < oldest_s
        if everything or too_old or (max_bytes is not None and left > max_bytes):
            expired.append(path)
            left -= sizes[path].st_size
    if not dry_run:
        delete(expired)
    return Pruned(blocks=len(expired), bytes=total - left, blocks_left=len(sizes) - len(expired), bytes_left=left)


def block_files(store: Path) -> list[Path]:
    """All blocks, damaged ones included."""
    return sorted((store / BLOCKS).glob(f"*/*{SUFFIX}"))
