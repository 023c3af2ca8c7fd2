"""Rows in the index: which block holds which clip, at which layers."""

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from video_tcav.core.errors import StoreError
from video_tcav.core.sqlite import Database
from video_tcav.recording.cache.blocks import DTYPES, Block, Part, block_path
from video_tcav.recording.rows import FileRow


@dataclass(frozen=True, kw_only=True)
class About:
    """What all rows of a batch share, for people who look at a store."""

    model: str
    model_digest: str
    space: str
    role: str


def find_rows(database: Database, keys: Iterable[bytes], layers: Sequence[str]) -> list[sqlite3.Row]:
    """Every row of these clips at these layers, those that were added first in front."""
    marks = ", ".join("?" * len(layers))
    sql = (
        "SELECT r.key, r.block, r.row, r.target, b.name, p.layer, p.offset, p.width, p.dtype FROM rows r "
        "JOIN blocks b ON b.id = r.block JOIN parts p ON p.block = r.block "
        f"WHERE r.key IN ({{}}) AND p.layer IN ({marks}) ORDER BY r.block"
    )
    return list(database.read_many(sql, list(dict.fromkeys(keys)), layers))


def missing_layers(database: Database, keys: Sequence[bytes], layers: Iterable[str]) -> list[str]:
    """The layers that at least one of the clips does not have."""
    layers = list(layers)
    there = {(row["key"], row["layer"]) for row in find_rows(database, keys, layers)}
    return [layer for layer in layers if any((key, layer) not in there for key in keys)]


def insert_block(
    connection: sqlite3.Connection,
    about: About,
    block: Block,
    keys: Sequence[bytes],
    targets: Sequence[float] | None,
) -> int:
    """Enter a block, its parts and its rows; returns its number."""
    values = [None] * len(keys) if targets is None else targets
    first = {key: row for row, key in reversed(list(enumerate(keys)))}  # copies have one key
    rows = [(key, row, values[row]) for key, row in first.items()]
    parts = [(layer, part.offset, part.width, part.dtype, part.digest) for layer, part in block.parts.items()]
    number = connection.execute(
        "INSERT INTO blocks (name, model, model_digest, space, role, clips, bytes, header, entry, used_s) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (block.name, *astuple(about), len(keys), block.bytes, block.header, entry_digest(parts, rows), time.time()),
    ).lastrowid
    assert number is not None
    connection.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)", [(number, *part) for part in parts])
    connection.executemany(
        "INSERT INTO rows VALUES (?, ?, ?, ?)", [(key, number, row, value) for key, row, value in rows]
    )
    return number


def entry_digest(parts: Iterable[Sequence[Any]], rows: Iterable[Sequence[Any]]) -> bytes:
    """Digest of what the index says of a block: `(layer, offset, width, dtype, digest)`, and `(key, row, target)`."""
    lines = [sorted(map(repr, map(tuple, some))) for some in (parts, rows)]
    return hashlib.blake2b(repr(lines).encode(), digest_size=16).digest()


def insert_sources(connection: sqlite3.Connection, sources: Mapping[bytes, tuple[int, bool]]) -> None:
    """Enter how many clips sources have, and whether they are stills."""
    rows = [(key, clips, int(still), _proof(key, clips, still)) for key, (clips, still) in sources.items()]
    connection.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?)", rows)


def find_sources(database: Database, keys: Iterable[bytes]) -> dict[bytes, tuple[int, bool]]:
    """How many clips sources have, and whether they are stills; of those that are known."""
    rows = database.read_many("SELECT * FROM sources WHERE key IN ({})", list(dict.fromkeys(keys)))
    found = {row["key"]: (row["clips"], bool(row["still"]), row["proof"]) for row in rows}
    return {key: (clips, still) for key, (clips, still, proof) in found.items() if proof == _proof(key, clips, still)}


def _proof(key: bytes, clips: int, still: bool) -> bytes:
    return hashlib.blake2b(repr((key, clips, bool(still))).encode(), digest_size=16).digest()


def place_of(folder: Path, row: sqlite3.Row) -> FileRow:
    """Where a row of `find_rows` lies."""
    path, dtype = named_block(folder, row["name"]), DTYPES[row["dtype"]]
    offset = row["offset"] + row["row"] * row["width"] * dtype.itemsize
    return FileRow(path=path, offset=offset, width=row["width"], dtype=dtype)


def named_block(folder: Path, name: str) -> Path:
    """Path of a block.

    Raises:
        StoreError: for a name that could lead out of the store.
    """
    path = block_path(folder, name)
    if path is None:
        raise StoreError(f"`store` {folder} must name its blocks itself. Got {name[:100]!r}. Delete the folder.")
    return path


def places(path: Path, part: Part, rows: int) -> list[FileRow]:
    """Where the rows of one layer of a block lie."""
    dtype = DTYPES[part.dtype]
    step = part.width * dtype.itemsize
    return [FileRow(path=path, offset=part.offset + row * step, width=part.width, dtype=dtype) for row in range(rows)]
