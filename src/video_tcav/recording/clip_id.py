"""Clip identifiers of rows, and seeds of shuffled twins."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Version = Literal["none", "frozen", "reversed", "shuffled"]


@dataclass(frozen=True, kw_only=True)
class ClipId:
    """Which clip a row stands for."""

    source: str
    window: int
    version: Version = "none"


def shuffle_seed(seed: int, key: str) -> int:
    """Seed of a source's shuffled twin: the same wherever its folder lies."""
    return zlib.crc32(f"{seed} {Path(key).name}".encode())
