"""Progress log of `propose`: one small file a video, beside the bank, written after the last of its tubes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from video_tcav.concepts import ConceptBank, Kind
from video_tcav.core.files import write_json
from video_tcav.core.limits import parse_json

_FOLDER = "proposed"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a video gave: its tubes in the bank, and how many frames the detectors saw."""

    tubes: tuple[str, ...]
    quota: int  # of clips
    limited: bool  # whether there was more than the quota
    frames: int


class ProgressLog:
    """The videos of a bank that are done with the same settings."""

    def __init__(self, bank: ConceptBank, settings: dict[str, Any]) -> None:
        self._bank, self._settings = bank, settings

    def find(self, video_digest: str, kinds: Sequence[Kind], quota: int) -> Done | None:
        """What the video gave, if it was done so, its tubes are all in the bank, and no more are allowed now."""
        try:
            content = parse_json(self._path(video_digest).read_text())
            done = Done(**{**content, "tubes": tuple(content["tubes"])})
        except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: the video is done again
            return None
        if done.limited and quota > done.quota:
            return None
        complete = all(
            self._bank.has(video_digest=video_digest, tube=tube, kind=kind) for tube in done.tubes for kind in kinds
        )
        return done if complete else None

    def write(self, video_digest: str, done: Done) -> None:
        """Note that the video is done."""
        write_json(self._path(video_digest), asdict(done))

    def _path(self, video_digest: str) -> Path:
        key = hashlib.sha256(json.dumps([video_digest, self._settings], sort_keys=True).encode()).hexdigest()
        return self._bank.folder / _FOLDER / f"{key[:32]}.json"
