"""From the tubes of a stretch to clips in the bank: the best and most varied first, each thing once."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_tcav._version import __version__
from video_tcav.concepts import ConceptBank, Kind, Origin
from video_tcav.proposals.cutting import cut, follow, squares
from video_tcav.proposals.embedding import SAME, nearest_cosine, thumbnails
from video_tcav.proposals.finding import Found, quality_of
from video_tcav.proposals.grouping import varied_order
from video_tcav.proposals.negatives import negative_tube
from video_tcav.proposals.settings import Settings, Tally
from video_tcav.proposals.stretches import Stretch
from video_tcav.proposals.tracking import Tube

_FORBIDDEN = str.maketrans(dict.fromkeys("/\\:", "-"))
_LONGEST_NAME = 60


@dataclass(kw_only=True)
class VideoStore:
    """Puts the tubes of one video into the bank.

    Attributes:
        bank: where to.
        settings: how.
        path: of the video, absolute.
        digest: of the video.
        quota: how many clips it may have.
        tally: counts of the run.
        tubes: those that were put there.
        seen: their vectors; other videos are not looked at, since a model may see no difference between two people.
        clips: how many clips they are.
        limited: whether there were more than the quota.
    """

    bank: ConceptBank
    settings: Settings
    path: str
    digest: str
    quota: int
    tally: Tally
    tubes: list[str] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list)
    clips: int = 0
    limited: bool = False

    def store(self, stretch: Stretch, found: Found, share: float) -> None:
        """Put a stretch's pieces into the bank.

        Args:
            stretch: the frames.
            found: what is in them.
            share: how much of what is left of the quota this stretch may use, in [0, 1].
        """
        each = len(self.settings.kinds)
        room = self.clips + math.ceil((self.quota - self.clips) * share)
        fps = _fps(stretch)
        crops = [self._crop(stretch, piece, fps) for piece in found.pieces]
        vectors = self._vectors(crops, fps)
        qualities = [quality_of(piece, stretch.frames.shape[-1]) for piece in found.pieces]
        for at in varied_order(qualities, vectors) if found.pieces else []:
            piece, tube = found.pieces[at], self._tube_id(stretch, found.pieces[at])
            near = nearest_cosine(vectors[at], self.seen)
            if near > SAME and not self._has(tube):
                self.tally.duplicates += 1
                continue
            if self.clips + each > room:
                self.limited = True
                break
            self.seen.append(vectors[at])
            quality = qualities[at] * (0.5 + 0.5 * (1 - max(0.0, near)))
            self._add(stretch, piece, tube, quality, vectors[at], fps)
            if self.settings.negatives:
                self._add_negative(stretch, piece, found, quality, fps, room)

    def _add_negative(self, stretch: Stretch, piece: Tube, found: Found, quality: float, fps: float, room: int) -> None:
        same = [tube for tube in found.tubes if tube.label == piece.label]
        negative = negative_tube(
            piece,
            same,
            (stretch.frames.shape[-2], stretch.frames.shape[-1]),
            found=found.weak.get(piece.label, ()),
            seed=self.settings.seed,
        )
        if negative is None or self.clips + len(self.settings.kinds) > room:
            return
        vector = self._vectors([self._crop(stretch, negative, fps)], fps)[0]
        tube = self._tube_id(stretch, negative)
        if nearest_cosine(vector, self.seen) > SAME and not self._has(tube):  # the same empty place again
            return
        self.seen.append(vector)
        self._add(stretch, negative, tube, quality, vector, fps)

    def _add(self, stretch: Stretch, piece: Tube, tube: str, quality: float, vector: np.ndarray, fps: float) -> None:
        concept = concept_of(piece.label)
        frames = stretch.frames[piece.first : piece.end]
        kinds: list[Kind] = [kind for kind in self.settings.kinds if not self._has_kind(tube, kind)]
        versions = cut(frames, piece.boxes, fps=fps, kinds=kinds, side_px=self.settings.side_px, pad=self.settings.pad)
        for kind, (clip, shown) in versions.items():
            added = self.bank.add(
                clip,
                fps=fps,
                concept=concept,
                kind=kind,
                origin=self._origin(stretch, piece, shown),
                tube=tube,
                quality=round(quality, 6),
            )
            if kind == "moving" and self.settings.embedder:
                self.bank.set_embeddings(self.settings.embedder.space, {added.id: vector})
        self.tubes.append(tube)
        self.clips += len(self.settings.kinds)
        if versions:
            self.tally.count(concept, self.digest, len(versions))

    def _origin(self, stretch: Stretch, piece: Tube, shown: Sequence[int]) -> Origin:
        times_s = stretch.timestamps_s[piece.first : piece.end]
        return Origin(
            video=self.path,
            video_digest=self.digest,
            start_s=float(times_s[0]),
            end_s=float(times_s[-1]) + 1 / _fps(stretch),
            times_s=tuple(float(times_s[at]) for at in shown),
            boxes=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in piece.boxes[list(shown)].round(2)),
            label=piece.label,
            score=min(1.0, max(0.0, piece.score)),
            proposer=self._proposer(),
        )

    def _proposer(self) -> dict[str, Any]:
        return {"name": "propose", "video_tcav": __version__, **self.settings.facts()}

    def _crop(self, stretch: Stretch, piece: Tube, fps: float) -> Tensor:
        sides = (stretch.frames.shape[-2], stretch.frames.shape[-1])
        path = squares(piece.boxes, sides, fps=fps, pad=self.settings.pad)
        return follow(stretch.frames[piece.first : piece.end], path, side_px=self.settings.side_px)

    def _vectors(self, crops: Sequence[Tensor], fps: float) -> np.ndarray:
        if not crops:
            return np.zeros((0, 0), np.float32)
        if self.settings.embedder:
            return self.settings.embedder(crops, fps=fps)
        return np.stack([thumbnails(crop) for crop in crops])

    def _tube_id(self, stretch: Stretch, piece: Tube) -> str:
        place = [piece.label, stretch.first + piece.first, len(piece.boxes), piece.boxes[[0, -1]].round(1).tolist()]
        return hashlib.sha256(f"{self.digest} {place}".encode()).hexdigest()[:16]

    def _has(self, tube: str) -> bool:
        return any(self._has_kind(tube, kind) for kind in self.settings.kinds)

    def _has_kind(self, tube: str, kind: Kind) -> bool:
        return self.bank.has(video_digest=self.digest, tube=tube, kind=kind)


def concept_of(label: str) -> str:
    """The concept that a label is proposed for: the label, as far as it can name one."""
    name = "".join(sign for sign in label.translate(_FORBIDDEN) if sign.isprintable())
    return " ".join(name.split())[:_LONGEST_NAME].lstrip(".").strip() or "unnamed"


def _fps(stretch: Stretch) -> float:
    times_s = torch.as_tensor(stretch.timestamps_s)
    return 1 / float(times_s.diff().median()) if len(times_s) > 1 else 25.0
