"""Clips of a segment's tubes written to the bank: the best and most varied first, duplicates left out."""

import hashlib
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from video_tcav._version import __version__
from video_tcav.concepts import ConceptBank, Kind, Origin
from video_tcav.media import VideoSource
from video_tcav.media.timeline import Timeline
from video_tcav.proposals.cutting import FullResolutionFrames, evenly, squares, versions
from video_tcav.proposals.detect_tubes import SegmentTubes, quality_of
from video_tcav.proposals.embedding import SAME, nearest_cosine, thumbnails
from video_tcav.proposals.grouping import varied_order
from video_tcav.proposals.negatives import negative_tube
from video_tcav.proposals.settings import Settings, Tally
from video_tcav.proposals.shots import ShotSegment
from video_tcav.proposals.tracking import Tube

_FORBIDDEN = str.maketrans(dict.fromkeys("/\\:", "-"))  # which no concept's name may hold
_LONGEST_NAME = 60  # leaves room for the words of a group within the 80 of a concept


@dataclass(frozen=True, kw_only=True, eq=False)
class Video:
    """A whole video, its digest and its timeline."""

    source: VideoSource
    digest: str
    timeline: Timeline


@dataclass(frozen=True, kw_only=True, eq=False)
class _TubeClip:
    """A piece of a tube, at a constant frame rate."""

    tube: Tube  # frame by frame of the video
    crop: Tensor
    whole: Tensor  # whole pictures of all frames of the tube, made smaller; empty if no version shows them
    indices: np.ndarray  # which frames of the tube the crop shows
    boxes: np.ndarray  # one for each frame of the crop, in pixels of the video
    times_s: np.ndarray  # of each frame of the crop in the video
    until_s: float


@dataclass(kw_only=True)
class BankWriter:
    """Writes the tubes of one video to the bank."""

    bank: ConceptBank
    settings: Settings
    video: Video
    quota: int  # of clips
    tally: Tally
    tubes: list[str] = field(default_factory=list)
    # of these tubes alone: between two people in different videos, a model may see no difference
    vectors: list[np.ndarray] = field(default_factory=list)
    clips: int = 0  # of these tubes
    limited: bool = False  # whether there were more than the quota

    def __post_init__(self) -> None:
        self.frames = FullResolutionFrames(self.video.source, self.video.timeline)

    def write(self, segment: ShotSegment, tubes: SegmentTubes, share: float) -> None:
        """Write a segment's pieces to the bank; it may use a share, in [0, 1], of what is left of the quota."""
        if not tubes.pieces:
            return
        each, first = len(self.settings.kinds), len(self.tubes)
        room = self.clips + math.ceil((self.quota - self.clips) * share)
        positives, negatives = self._cut(segment, tubes)
        vectors = self._vectors([clip.crop for clip in positives], segment.fps)
        qualities = [quality_of(piece, segment.size[1]) for piece in tubes.pieces]
        for at in varied_order(qualities, vectors):
            tube_id, vector = self._tube_id(segment, tubes.pieces[at]), vectors[at]
            near = nearest_cosine(vector, self.vectors)
            # What an earlier run wrote is no duplicate: it is counted again, so that the same clips come out.
            if near > SAME and len(self._missing(tube_id)) == each:
                self.tally.duplicates += 1
                continue
            if self.clips + each > room:
                self.limited = True
                break
            # Half of the quality is for being unlike all that the video gave before: the order of review.
            quality = qualities[at] * (0.5 + 0.5 * (1 - max(0.0, near)))
            self._add(segment, positives[at], tube_id, quality, vector)
            if at in negatives and self.clips + each <= room:
                self._add_negative(segment, negatives[at], quality)
        if self.settings.embedder:
            # also for clips that were there: an earlier run may have had no model, or was killed before this line
            vector_of = dict(zip(self.tubes[first:], self.vectors[first:], strict=True))
            moving = [
                clip for clip in self.bank.clips(video=self.video.digest, kind="moving") if clip.tube in vector_of
            ]
            self.bank.set_embeddings(self.settings.embedder.space, {clip.id: vector_of[clip.tube] for clip in moving})

    def _cut(self, segment: ShotSegment, tubes: SegmentTubes) -> tuple[list[_TubeClip], dict[int, _TubeClip]]:
        """Cut out every piece and, where they are wanted, by the number of a piece a place without its label."""
        negatives: dict[int, Tube] = {}
        for number, piece in enumerate(tubes.pieces if self.settings.negatives else ()):
            same = [tube for tube in tubes.tubes if tube.label == piece.label]
            boxes = tubes.boxes.get(piece.label, ())
            negative = negative_tube(piece, same, segment.size, label_boxes=boxes, seed=self.settings.seed)
            if negative is not None:
                negatives[number] = negative
        cut = [*tubes.pieces, *negatives.values()]
        pictures = self.frames.pictures(
            cut,
            [squares(tube.boxes, segment.size, fps=segment.fps, pad=self.settings.pad) for tube in cut],
            offset=segment.first,
            side_px=self.settings.side_px,
            whole=bool({"focus", "scene"} & set(self.settings.kinds)),
        )
        clips = []
        ends_s = np.append(segment.timestamps_s[1:], segment.until_s)
        for tube, (crop, whole) in zip(cut, pictures, strict=True):
            times_s, until_s = segment.timestamps_s[tube.first : tube.end], float(ends_s[tube.end - 1])
            indices = evenly(times_s, until_s, segment.fps)
            clips.append(
                _TubeClip(
                    tube=tube,
                    crop=crop[indices],
                    whole=whole,
                    indices=indices,
                    boxes=tube.boxes[indices],
                    times_s=times_s[indices],
                    until_s=until_s,
                )
            )
        count = len(tubes.pieces)
        return clips[:count], dict(zip(negatives, clips[count:], strict=True))

    def _add_negative(self, segment: ShotSegment, clip: _TubeClip, quality: float) -> None:
        vector = self._vectors([clip.crop], segment.fps)[0]
        tube_id = self._tube_id(segment, clip.tube)
        # the same empty place is not written twice
        if nearest_cosine(vector, self.vectors) <= SAME or len(self._missing(tube_id)) < len(self.settings.kinds):
            self._add(segment, clip, tube_id, quality, vector)

    def _add(self, segment: ShotSegment, clip: _TubeClip, tube_id: str, quality: float, vector: np.ndarray) -> None:
        concept = concept_of(clip.tube.label)
        height, width = segment.size
        whole = clip.whole[clip.indices] if len(clip.whole) else clip.whole
        shrink = np.array([whole.shape[-1] / width, whole.shape[-2] / height] * 2)
        missing = self._missing(tube_id)
        made = versions(clip.crop, whole, clip.boxes * shrink, kinds=missing, pad=self.settings.pad)
        for kind, (frames, indices) in made.items():
            self.bank.add(
                frames,
                fps=segment.fps,
                concept=concept,
                kind=kind,
                origin=self._origin(clip, indices),
                tube=tube_id,
                quality=round(quality, 6),
            )
        self.vectors.append(vector)
        self.tubes.append(tube_id)
        self.clips += len(self.settings.kinds)
        if missing:
            self.tally.tubes[concept].append((self.video.digest, len(missing)))

    def _origin(self, clip: _TubeClip, indices: Sequence[int]) -> Origin:
        boxes = clip.boxes[list(indices)].round(2).tolist()
        return Origin(
            video=str(self.video.source.path.absolute()),
            video_digest=self.video.digest,
            start_s=float(clip.times_s[0]),
            end_s=clip.until_s,
            times_s=tuple(float(clip.times_s[at]) for at in indices),
            boxes=tuple((left, top, right, bottom) for left, top, right, bottom in boxes),
            label=clip.tube.label,
            score=min(1.0, max(0.0, clip.tube.score)),
            proposer={"name": "propose", "video_tcav": __version__, **self.settings.facts()},
        )

    def _vectors(self, crops: Sequence[Tensor], fps: float) -> np.ndarray:
        if self.settings.embedder:
            return self.settings.embedder(crops, fps=fps)
        return np.stack([thumbnails(crop) for crop in crops])

    def _tube_id(self, segment: ShotSegment, piece: Tube) -> str:
        """The same for the same boxes of the same video, so that a run that was killed goes on with its tubes."""
        ends = piece.boxes[[0, -1]].round(1).tolist()
        span = [piece.label, segment.first + piece.first, len(piece.boxes), ends]
        return hashlib.sha256(f"{self.video.digest} {span}".encode()).hexdigest()[:16]

    def _missing(self, tube_id: str) -> list[Kind]:
        """Versions of a tube that the bank has not."""
        kinds = self.settings.kinds
        return [kind for kind in kinds if not self.bank.has(video_digest=self.video.digest, tube=tube_id, kind=kind)]


def concept_of(label: str) -> str:
    """The concept that a label is proposed for: the label, as far as it can name one."""
    composed = unicodedata.normalize("NFC", label)  # as the bank spells names
    name = "".join(sign for sign in composed.translate(_FORBIDDEN) if sign.isprintable())
    return " ".join(name.split())[:_LONGEST_NAME].lstrip(".").strip() or "unnamed"
