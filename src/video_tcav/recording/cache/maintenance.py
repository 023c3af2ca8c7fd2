"""Looking after a store: what is in it, whether it is whole, and making it smaller."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.progress import progress_bar
from video_tcav.core.sqlite import Database
from video_tcav.recording.cache.blocks import DTYPES, block_path, fault, files
from video_tcav.recording.cache.database import BLOCKS, FILE_NAME
from video_tcav.recording.cache.row_index import entry_digest


@dataclass(frozen=True, kw_only=True)
class StoreInfo:
    """What a store holds.

    Attributes:
        bytes: on disk, index included.
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


def store_info(folder: Path, database: Database) -> StoreInfo:
    """What a store holds."""
    [total] = database.read(
        "SELECT COUNT(*) AS blocks, COALESCE(SUM(bytes), 0) AS bytes, MAX(used_s) AS used_s FROM blocks"
    )
    [clips] = database.read("SELECT COUNT(DISTINCT key) AS clips FROM rows")
    [rows] = database.read("SELECT COUNT(*) AS rows FROM rows JOIN parts ON parts.block = rows.block")
    index = sum(path.stat().st_size for path in folder.glob(f"{FILE_NAME}*"))
    return StoreInfo(
        bytes=total["bytes"] + index,
        blocks=total["blocks"],
        clips=clips["clips"],
        rows=rows["rows"],
        layers=tuple(row["layer"] for row in database.read("SELECT DISTINCT layer FROM parts ORDER BY layer")),
        models=tuple(row["model"] for row in database.read("SELECT DISTINCT model FROM blocks ORDER BY model")),
        last_used_s=total["used_s"],
    )


def verify(folder: Path, database: Database, alone: bool, *, repair: bool, progress: bool) -> tuple[StoreProblem, ...]:
    """Every block that is not what was written, and, where no other process uses the store, files that belong to none."""
    blocks = database.read("SELECT id, name FROM blocks ORDER BY id")
    problems, broken = [], []
    with progress_bar("checking (blocks)", len(blocks), visible=progress) as advance:
        for block in blocks:
            layers = [row["layer"] for row in database.read("SELECT layer FROM parts WHERE block = ?", [block["id"]])]
            reason = fault_of(folder, database, block["id"], layers)
            if reason:
                broken.append(block["id"])
                problems.append(StoreProblem(path=folder / BLOCKS / block["name"], reason=reason.partition(" ")[2]))
            advance(1)
    named = {block["name"] for block in database.read("SELECT name FROM blocks")}
    loose = [path for path in files(folder) if path.name not in named] if alone else []
    problems += [StoreProblem(path=path, reason="belongs to no row") for path in loose]
    if repair:
        drop(database, broken)
        for path in loose:
            with suppress(OSError):
                path.unlink()
    return tuple(problems)


def prune(
    folder: Path, database: Database, max_bytes: int | None, older_than_s: float | None, *, dry_run: bool
) -> Pruned:
    """Delete blocks, the least recently used first; without a limit all of them."""
    blocks = database.read("SELECT id, name, bytes, used_s FROM blocks ORDER BY used_s, id")
    left = sum(block["bytes"] for block in blocks)
    total, oldest_s = left, None if older_than_s is None else time.time() - older_than_s
    everything = max_bytes is None and oldest_s is None
    doomed = []
    for block in blocks:
        too_old = oldest_s is not None and block["used_s"] < oldest_s
        if everything or too_old or (max_bytes is not None and left > max_bytes):
            doomed.append(block)
            left -= block["bytes"]
    if doomed and not dry_run:
        drop(database, [block["id"] for block in doomed])
        for block in doomed:
            path = block_path(folder, block["name"])
            if path is not None:
                path.unlink(missing_ok=True)
        database.shrink()
    return Pruned(blocks=len(doomed), bytes=total - left, blocks_left=len(blocks) - len(doomed), bytes_left=left)


def drop(database: Database, blocks: Sequence[int]) -> None:
    """Forget blocks, their parts and rows."""
    with database.transaction() as connection:
        connection.executemany("DELETE FROM blocks WHERE id = ?", [(block,) for block in blocks])


def fault_of(folder: Path, database: Database, block: int, layers: Sequence[str]) -> str:
    """The name of a block and what is wrong with these layers of it; empty where nothing is."""
    rows = database.read("SELECT * FROM blocks WHERE id = ?", [block])
    if not rows:
        return "a block was dropped by another process"
    name = rows[0]["name"]
    parts = database.read("SELECT layer, offset, width, dtype, digest FROM parts WHERE block = ?", [block])
    if (
        entry_digest(parts, database.read("SELECT key, row, target FROM rows WHERE block = ?", [block]))
        != rows[0]["entry"]
    ):
        return f"{name} has a changed entry in the index"
    wanted = {
        part["layer"]: (
            part["offset"],
            rows[0]["clips"] * part["width"] * DTYPES[part["dtype"]].itemsize,
            part["digest"],
        )
        for part in parts
        if part["layer"] in layers
    }
    found = fault(block_path(folder, name), rows[0]["bytes"], rows[0]["header"], wanted)
    return f"{name} {found}" if found else ""
