"""Which clip a row stands for."""

from dataclasses import dataclass
from typing import Literal

Version = Literal["none", "frozen", "reversed", "shuffled"]


@dataclass(frozen=True, kw_only=True)
class ClipId:
    """Which clip a row stands for."""

    source: str
    window: int
    version: Version = "none"
