"""Tubes of a shot segment: detect in sampled frames, track, and cut into pieces of like length."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from video_tcav.proposals.cutting import pieces
from video_tcav.proposals.detector import Detections, Detector
from video_tcav.proposals.motion import MOTION
from video_tcav.proposals.settings import Settings, Tally
from video_tcav.proposals.shots import ShotSegment
from video_tcav.proposals.tracking import Tube, overlaps, track

_EVERY_FRAME_S = 0.08  # a detector that goes by changes sees at most twelve frames or so a second
_SAME_TUBE = 0.5  # intersection over union
_GOOD_SIDE_PX = 112  # a common input size of video models: larger tubes lose nothing by it
_BORDER_PENALTY = 0.3  # of the quality, for a tube that is cut off at the side all the time


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentTubes:
    """The tubes in a shot segment."""

    tubes: list[Tube]  # each thing, as long as it was followed
    pieces: list[Tube]  # the same, cut to about `piece_s`
    # by label, every box of a detector with its frame, also of those that made no tube
    boxes: dict[str, list[tuple[int, Float[np.ndarray, "box 4"]]]]


def find_tubes(segment: ShotSegment, settings: Settings, tally: Tally) -> SegmentTubes:
    """Everything that the detectors find in a segment; what moves and has another name already is left out."""
    tubes: list[Tube] = []
    boxes: dict[str, list[tuple[int, np.ndarray]]] = {}
    for detector in settings.detectors:
        sampled = sampled_frames(segment.timestamps_s, detector, settings.every_s)
        started = time.perf_counter()
        detections = [_enlarged(frame, segment) for frame in detector.detect(segment.frames[sampled])]
        tally.detector_s += time.perf_counter() - started
        tally.detector_frames += len(sampled)
        for at, frame in zip(sampled.tolist(), detections, strict=True):
            for label in set(frame.labels):
                boxes.setdefault(label, []).append((at, frame.of_label(label)[0]))
        followed = track(
            detections,
            sampled,
            segment.timestamps_s,
            start_score=settings.start_score,
            bridge_s=settings.bridge_s,
            shortest_s=settings.shortest_s,
            smallest_px=settings.smallest_px,
        )
        tubes += [tube for tube in followed if tube.label != MOTION or not _is_covered(tube, tubes)]
    cut = [piece for tube in tubes for piece in pieces(tube, segment.timestamps_s, settings.piece_s)]
    return SegmentTubes(tubes=tubes, pieces=cut, boxes=boxes)


def sampled_frames(
    timestamps_s: Float[np.ndarray, " frame"], detector: Detector, every_s: float
) -> Int[np.ndarray, " sample"]:
    """Indices of the frames that a detector sees: the first, the last, and those between at even distances."""
    length_s = float(timestamps_s[-1] - timestamps_s[0])
    distance_s = min(every_s, _EVERY_FRAME_S) if detector.every_frame else every_s
    wanted_s = timestamps_s[0] + np.linspace(0, length_s, max(1, round(length_s / distance_s)) + 1)
    nearest = np.searchsorted(timestamps_s, wanted_s - 1e-6)  # a microsecond for rounded timestamps
    return np.unique(np.clip(nearest, 0, len(timestamps_s) - 1))


def quality_of(tube: Tube, width: int) -> float:
    """How good a clip a tube makes, in [0, 1]: surely found, throughout, large, not cut off at the picture's sides."""
    side = float((tube.boxes[:, 2:] - tube.boxes[:, :2]).max(1).mean())
    large = min(1.0, side / _GOOD_SIDE_PX) ** 0.5
    at_border = (tube.boxes[:, [0, 2]] <= 1).any(1) | (tube.boxes[:, [0, 2]] >= width - 1).any(1)
    return tube.score * tube.found * large * (1 - _BORDER_PENALTY * float(at_border.mean()))


def _enlarged(detections: Detections, segment: ShotSegment) -> Detections:
    """Boxes of smaller frames in pixels of the video."""
    across, down = segment.size[1] / segment.frames.shape[-1], segment.size[0] / segment.frames.shape[-2]
    return replace(detections, boxes=detections.boxes * np.array([across, down, across, down], np.float32))


def _is_covered(tube: Tube, named: Sequence[Tube]) -> bool:
    """Whether another tube is where this one is, for most of its time."""
    for candidate in named:
        first, end = max(tube.first, candidate.first), min(tube.end, candidate.end)
        if end - first >= 0.5 * len(tube.boxes):
            shares = overlaps(tube.part(first, end).boxes, candidate.part(first, end).boxes)
            if float(shares.mean()) > _SAME_TUBE:
                return True
    return False
