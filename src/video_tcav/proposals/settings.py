"""Settings of `propose`, and its result: counts by concept, skipped videos."""

import math
from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from video_tcav.concepts import KINDS, Kind
from video_tcav.core.checks import at_least, between, positive, require
from video_tcav.media import Skipped
from video_tcav.proposals.detector import Detector
from video_tcav.proposals.embedding import ClipEmbedder

_METHOD = 2  # raise it where the same settings give other clips: then every video is done again
_SPELLED_OUT = ("detectors", "labels", "kinds", "embedder")  # in `facts`, as plain values


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """How clips are proposed.

    Attributes:
        detectors: what finds things.
        labels: what to find; all that the detectors know if `None`.
        every_s: distance of the frames that a detector sees, unless it needs all.
        kinds: which versions of each tube.
        piece_s: length of a clip, about.
        pad: how much wider than its box a crop is.
        side_px: longest side of a crop.
        start_score: a tube starts with a box of at least that score.
        bridge_s: longest gap that is bridged.
        shortest_s: shorter tubes are dropped.
        smallest_px: so are smaller ones.
        negatives: whether to propose places without the label, too.
        embedder: sees which clips are alike; plain pixels do if `None`.
        seed: of every random draw.
    """

    detectors: tuple[Detector, ...]
    labels: tuple[str, ...] | None = None
    every_s: float = 0.2
    kinds: tuple[Kind, ...] = KINDS
    piece_s: float = 2.0
    pad: float = 0.15
    side_px: int = 224
    start_score: float = 0.4
    bridge_s: float = 0.8
    shortest_s: float = 0.8
    smallest_px: float = 24
    negatives: bool = False
    embedder: ClipEmbedder | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        positive("every_s", self.every_s, "0.2 sees five frames a second.")
        spans_s = self.piece_s, self.shortest_s, self.bridge_s
        seconds = self.piece_s > 0 and all(0 <= span_s < math.inf for span_s in spans_s)
        require(seconds, "piece_s`, `shortest_s` and `bridge_s", "be seconds", spans_s, "Take 2, 0.8 and 0.8.")
        between("start_score", self.start_score, "0.4 is usual.")
        named = bool(self.kinds) and not set(self.kinds) - set(KINDS)
        require(named, "kinds", f"be of {', '.join(KINDS)}", list(self.kinds), "Choose among them.")
        at_least("side_px", self.side_px, 16, cure="224 is usual.")
        require(0 <= self.pad <= 1, "pad", "be from 0 to 1", self.pad, "0.15 is usual.")

    @property
    def detector_side_px(self) -> int | None:
        """Shorter side of the frames that every detector is content with; `None` if one wants them as they are."""
        sides = [detector.side_px for detector in self.detectors if detector.side_px is not None]
        return max(sides) if len(sides) == len(self.detectors) else None

    def facts(self) -> dict[str, Any]:
        """All that decides which clips are proposed."""
        return {
            "method": _METHOD,
            "detectors": [[detector.name, dict(detector.settings)] for detector in self.detectors],
            "labels": list(self.labels) if self.labels is not None else None,
            "kinds": list(self.kinds),
            "embedding": self.embedder.space if self.embedder else None,
            **{field.name: getattr(self, field.name) for field in fields(self) if field.name not in _SPELLED_OUT},
        }


@dataclass(frozen=True, kw_only=True)
class ProposedCount:
    """What was proposed for one concept.

    Attributes:
        concept: its name when the clips came into the bank.
        tubes: how many things, each followed for about two seconds.
        clips: their clips, in all versions.
        videos: how many videos they are from.
    """

    concept: str
    tubes: int
    clips: int
    videos: int


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """What a run proposed.

    Attributes:
        counts: by concept.
        groups: how many tubes each concept has that was made from clips that look alike.
        videos: how many videos were gone through now.
        done_before: how many had been done before and were left alone.
        duplicates: tubes that were left out because they show what another one does.
        limited: whether there were more than `max_clips`.
        detector_frames: how many frames the detectors saw.
        detector_s: for how long they worked.
        skipped: videos that could not be used, and why.
    """

    counts: tuple[ProposedCount, ...]
    groups: dict[str, int] = field(default_factory=dict)
    videos: int = 0
    done_before: int = 0
    duplicates: int = 0
    limited: bool = False
    detector_frames: int = 0
    detector_s: float = 0.0
    skipped: tuple[Skipped, ...] = ()

    @property
    def clips(self) -> int:
        """Clips that are new in the bank."""
        return sum(count.clips for count in self.counts)

    @property
    def frames_per_s(self) -> float:
        """Frames that the detectors saw in a second of their own work."""
        return self.detector_frames / self.detector_s if self.detector_s else 0.0

    def to_frame(self) -> pd.DataFrame:
        """One row a concept."""
        columns = [column.name for column in fields(ProposedCount)]
        return pd.DataFrame([vars(count) for count in self.counts], columns=columns)


@dataclass(kw_only=True)
class Tally:
    """Counts of a run while it goes on; see `Proposals`. `tubes` has the video's digest and the clips of each, by concept."""

    tubes: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    videos: int = 0
    done_before: int = 0
    duplicates: int = 0
    limited: bool = False
    detector_frames: int = 0
    detector_s: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)

    def result(self, groups: dict[str, int]) -> Proposals:
        """The result of the run; concepts with the most tubes first."""
        counts = [
            ProposedCount(
                concept=concept,
                tubes=len(tubes),
                clips=sum(clips for _, clips in tubes),
                videos=len({video_digest for video_digest, _ in tubes}),
            )
            for concept, tubes in sorted(self.tubes.items(), key=lambda item: -len(item[1]))
        ]
        totals = {name: value for name, value in vars(self).items() if name not in ("tubes", "skipped")}
        return Proposals(counts=tuple(counts), groups=groups, skipped=tuple(self.skipped), **totals)
