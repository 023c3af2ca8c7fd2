"""From the tubes of a stretch to clips in the bank: the best and most varied first, each thing once."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from video_tcav._version import __version__
from video_tcav.concepts import ConceptBank, Kind, Origin
from video_tcav.proposals.cutting import squares, versions
from video_tcav.proposals.detect_tubes import Found, quality_of
from video_tcav.proposals.embedding import SAME, nearest_cosine, thumbnails
from video_tcav.proposals.full_resolution_frames import Pictures, SecondReading, evenly
from video_tcav.proposals.grouping import varied_order
from video_tcav.proposals.negatives import negative_tube
from video_tcav.proposals.settings import Settings, Tally
from video_tcav.proposals.shot_segments import Stretch
from video_tcav.proposals.tracking import Tube

_FORBIDDEN = str.maketrans(dict.fromkeys("/\\:", "-"))
_LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """A piece of a tube, at a constant frame rate.

    Attributes:
        tube: the piece, frame by frame of the video.
        crop: what follows it.
        pictures: what it was cut out with.
        shown: which frames of the tube the crop shows.
        boxes: one for each frame of the crop, in pixels of the video.
        times_s: when each of these is on display in the video.
        until_s: when the last one goes.
    """

    tube: Tube
    crop: Tensor
    pictures: Pictures
    shown: np.ndarray
    boxes: np.ndarray
    times_s: np.ndarray
    until_s: float

    def whole(self) -> Tensor:
        """The whole pictures, made smaller; empty if no version shows them."""
        whole = self.pictures.whole
        return whole[self.shown + (self.tube.first - self.pictures.first)] if len(whole) else whole


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    """What was cut out of a stretch: its pieces, and by the number of a piece a place without its label."""

    positives: list[_Piece]
    negatives: dict[int, _Piece]


@dataclass(kw_only=True)
class VideoStore:
    """Puts the tubes of one video into the bank.

    Attributes:
        bank: where to.
        settings: how.
        path: of the video, absolute.
        digest: of the video.
        frames: the video's own frames, to be cut from.
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
    frames: SecondReading
    quota: int
    tally: Tally
    tubes: list[str] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list)
    clips: int = 0
    limited: bool = False

    def store(self, stretch: Stretch, found: Found, share: float) -> None:
        """Put a stretch's pieces into the bank.

        Args:
            stretch: what was looked through.
            found: what is in it.
            share: how much of what is left of the quota this stretch may use, in [0, 1].
        """
        if not found.pieces:
            return
        each = len(self.settings.kinds)
        room = self.clips + math.ceil((self.quota - self.clips) * share)
        read = self._read(stretch, found)
        vectors = self._vectors([one.crop for one in read.positives], stretch.fps)
        qualities = [quality_of(piece, stretch.size[1]) for piece in found.pieces]
        for at in varied_order(qualities, vectors):
            one, tube = read.positives[at], self._tube_id(stretch, found.pieces[at])
            near = nearest_cosine(vectors[at], self.seen)
            if near > SAME and not self._has(tube):
                self.tally.duplicates += 1
                continue
            if self.clips + each > room:
                self.limited = True
                break
            self.seen.append(vectors[at])
            quality = qualities[at] * (0.5 + 0.5 * (1 - max(0.0, near)))
            self._add(stretch, one, tube, quality, vectors[at])
            negative = read.negatives.get(at)
            if negative is not None and self.clips + each <= room:
                self._add_negative(stretch, negative, quality)

    def _read(self, stretch: Stretch, found: Found) -> "_Read":
        """Cut out every piece and, where they are wanted, the places without its label."""
        negatives: dict[int, Tube] = {}
        for at, piece in enumerate(found.pieces if self.settings.negatives else ()):
            same = [tube for tube in found.tubes if tube.label == piece.label]
            weak = found.weak.get(piece.label, ())
            negative = negative_tube(piece, same, stretch.size, found=weak, seed=self.settings.seed)
            if negative is not None:
                negatives[at] = negative
        tubes = [*found.pieces, *negatives.values()]
        pad, side_px, fps = self.settings.pad, self.settings.side_px, stretch.fps
        pictures = self.frames.pictures(
            tubes,
            [squares(tube.boxes, stretch.size, fps=fps, pad=pad) for tube in tubes],
            offset=stretch.first,
            side_px=side_px,
            whole=bool({"focus", "scene"} & set(self.settings.kinds)),
        )
        pieces = []
        ends_s = np.append(stretch.timestamps_s[1:], stretch.until_s)
        for tube, crop in zip(tubes, pictures.crops, strict=True):
            times_s, until_s = stretch.timestamps_s[tube.first : tube.end], float(ends_s[tube.end - 1])
            shown = evenly(times_s, until_s, fps)
            pieces.append(
                _Piece(
                    tube=tube,
                    crop=crop[shown],
                    pictures=pictures,
                    shown=shown,
                    boxes=tube.boxes[shown],
                    times_s=times_s[shown],
                    until_s=until_s,
                )
            )
        count = len(found.pieces)
        return _Read(positives=pieces[:count], negatives=dict(zip(negatives, pieces[count:], strict=True)))

    def _add_negative(self, stretch: Stretch, negative: "_Piece", quality: float) -> None:
        vector = self._vectors([negative.crop], stretch.fps)[0]
        tube = self._tube_id(stretch, negative.tube)
        if nearest_cosine(vector, self.seen) > SAME and not self._has(tube):  # the same empty place again
            return
        self.seen.append(vector)
        self._add(stretch, negative, tube, quality, vector)

    def _add(self, stretch: Stretch, piece: "_Piece", tube: str, quality: float, vector: np.ndarray) -> None:
        concept = concept_of(piece.tube.label)
        kinds: list[Kind] = [kind for kind in self.settings.kinds if not self._has_kind(tube, kind)]
        height, width = stretch.size
        whole = piece.whole()
        shrink = np.array([whole.shape[-1] / width, whole.shape[-2] / height] * 2)
        made = versions(piece.crop, whole, piece.boxes * shrink, kinds=kinds, pad=self.settings.pad)
        for kind, (clip, shown) in made.items():
            added = self.bank.add(
                clip,
                fps=stretch.fps,
                concept=concept,
                kind=kind,
                origin=self._origin(piece, shown),
                tube=tube,
                quality=round(quality, 6),
            )
            if kind == "moving" and self.settings.embedder:
                self.bank.set_embeddings(self.settings.embedder.space, {added.id: vector})
        self.tubes.append(tube)
        self.clips += len(self.settings.kinds)
        if made:
            self.tally.count(concept, self.digest, len(made))

    def _origin(self, piece: "_Piece", shown: Sequence[int]) -> Origin:
        return Origin(
            video=self.path,
            video_digest=self.digest,
            start_s=float(piece.times_s[0]),
            end_s=piece.until_s,
            times_s=tuple(float(piece.times_s[at]) for at in shown),
            boxes=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in piece.boxes[list(shown)].round(2)),
            label=piece.tube.label,
            score=min(1.0, max(0.0, piece.tube.score)),
            proposer={"name": "propose", "video_tcav": __version__, **self.settings.facts()},
        )

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
