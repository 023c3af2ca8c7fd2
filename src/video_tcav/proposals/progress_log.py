"""Which videos are done: one small file each, beside the bank, written when the last of its tubes is in the bank."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from video_tcav.concepts import ConceptBank, Kind
from video_tcav.core.files import write_json

_FOLDER = "proposed"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a video gave.

    Attributes:
        tubes: the tubes that are in the bank.
        quota: how many clips it was allowed.
        limited: whether it had more.
        frames: how many the detectors saw.
    """

    tubes: tuple[str, ...]
    quota: int
    limited: bool
    frames: int


class Ledger:
    """The record of a bank, for one way to propose."""

    def __init__(self, bank: ConceptBank, settings: dict[str, Any]) -> None:
        self._bank, self._settings = bank, settings

    def find(self, video_digest: str, kinds: Sequence[Kind], quota: int) -> Done | None:
        """What the video gave, if it was done in this way, its tubes are all in the bank, and no more are allowed now."""
        try:
            found = json.loads(self._path(video_digest).read_text())
            done = Done(**{**found, "tubes": tuple(found["tubes"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if done.limited and quota > done.quota:
            return None
        there = all(
            self._bank.has(video_digest=video_digest, tube=tube, kind=kind) for tube in done.tubes for kind in kinds
        )
        return done if there else None

    def note(self, video_digest: str, done: Done) -> None:
        """The video is done."""
        write_json(self._path(video_digest), asdict(done))

    def _path(self, video_digest: str) -> Path:
        key = hashlib.sha256(json.dumps([video_digest, self._settings], sort_keys=True).encode()).hexdigest()
        return self._bank.folder / _FOLDER / f"{key[:32]}.json"
