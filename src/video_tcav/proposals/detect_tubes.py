"""The tubes of a stretch: detect in sampled frames, follow, and cut into pieces of like length."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from video_tcav.proposals.cutting import pieces
from video_tcav.proposals.detector import Detections, Detector
from video_tcav.proposals.motion import MOTION
from video_tcav.proposals.settings import Settings, Tally
from video_tcav.proposals.shot_segments import Stretch
from video_tcav.proposals.tracking import Tube, overlaps, track

_EVERY_FRAME_S = 0.08  # a detector that goes by changes sees at most twelve frames or so a second
_SAME_TUBE = 0.5
_GOOD_SIDE_PX = 112


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What is in a stretch.

    Attributes:
        tubes: each thing, as long as it was followed.
        pieces: the same, in parts of about `piece_s`.
        weak: by label, every box that a detector saw, with its frame; those that made no tube, too.
    """

    tubes: list[Tube]
    pieces: list[Tube]
    weak: dict[str, list[tuple[int, Float[np.ndarray, "box 4"]]]]


def find_tubes(stretch: Stretch, settings: Settings, tally: Tally) -> Found:
    """Everything that the detectors find in a stretch; what moves and has another name already is left out."""
    tubes: list[Tube] = []
    weak: dict[str, list[tuple[int, np.ndarray]]] = {}
    for detector in settings.detectors:
        sampled = sampled_frames(stretch.timestamps_s, detector, settings.every_s)
        started = time.perf_counter()
        detections = [_enlarged(one, stretch) for one in detector.detect(stretch.frames[sampled])]
        tally.detector_s += time.perf_counter() - started
        tally.detector_frames += len(sampled)
        _keep_weak(weak, detections, sampled)
        found = track(
            detections,
            sampled,
            stretch.timestamps_s,
            start_score=settings.start_score,
            bridge_s=settings.bridge_s,
            shortest_s=settings.shortest_s,
            smallest_px=settings.smallest_px,
        )
        tubes += [tube for tube in found if tube.label != MOTION or not _is_known(tube, tubes)]
    parts = [part for tube in tubes for part in pieces(tube, stretch.timestamps_s, piece_s=settings.piece_s)]
    return Found(tubes=tubes, pieces=parts, weak=weak)


def sampled_frames(
    timestamps_s: Float[np.ndarray, " frame"], detector: Detector, every_s: float
) -> Int[np.ndarray, " sample"]:
    """Which frames a detector sees: the first, the last, and those between at even distances."""
    count = len(timestamps_s)
    length_s = float(timestamps_s[-1] - timestamps_s[0])
    distance_s = min(every_s, _EVERY_FRAME_S) if detector.every_frame else every_s
    wanted = timestamps_s[0] + np.linspace(0, length_s, max(1, round(length_s / distance_s)) + 1)
    nearest = np.searchsorted(timestamps_s, wanted - 1e-6)
    return np.unique(np.clip(nearest, 0, count - 1))


def quality_of(tube: Tube, width: int) -> float:
    """How good a clip a tube makes, in [0, 1]: surely found, throughout, large, not cut off at the picture's sides."""
    side = float((tube.boxes[:, 2:] - tube.boxes[:, :2]).max(1).mean())
    large = min(1.0, side / _GOOD_SIDE_PX) ** 0.5
    at_border = (tube.boxes[:, [0, 2]] <= 1).any(1) | (tube.boxes[:, [0, 2]] >= width - 1).any(1)
    whole = 1 - 0.3 * float(at_border.mean())
    return tube.score * tube.found * large * whole


def _enlarged(found: Detections, stretch: Stretch) -> Detections:
    """What was found in smaller frames, in pixels of the video."""
    across, down = stretch.size[1] / stretch.frames.shape[-1], stretch.size[0] / stretch.frames.shape[-2]
    boxes = found.boxes * np.array([across, down, across, down], np.float32)
    return Detections(boxes=boxes, scores=found.scores, labels=found.labels)


def _keep_weak(weak: dict[str, list], detections: Sequence[Detections], sampled: np.ndarray) -> None:
    for at, one in zip(sampled.tolist(), detections, strict=True):
        for label in set(one.labels):
            weak.setdefault(label, []).append((at, one.boxes[[name == label for name in one.labels]]))


def _is_known(tube: Tube, others: Sequence[Tube]) -> bool:
    """Whether another tube is where this one is, for most of its time."""
    for other in others:
        first, end = max(tube.first, other.first), min(tube.end, other.end)
        if end - first < 0.5 * len(tube.boxes):
            continue
        if float(overlaps(tube.part(first, end).boxes, other.part(first, end).boxes).mean()) > _SAME_TUBE:
            return True
    return False
