"""Tracking: boxes in sampled frames joined by ByteTrack and interpolated to tubes, one box a frame."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from video_tcav.core.errors import MissingExtraError
from video_tcav.proposals.detector import Detections

try:
    import supervision
except ImportError:  # the extra `detect`
    supervision = None

# ByteTrack starts tracks with boxes above its threshold only; weaker boxes may continue them (Zhang et al. 2022,
# arXiv:2110.06864). So scores are mapped to 1 and this, below the threshold of 0.5.
_WEAK = 0.2
_GROWTH_PER_S = 2.5  # of a box to each side, by the time between two samples: what is fast leaves its own box
_MOST_GROWTH = 0.6  # of a box to each side: larger boxes would take the neighbours for themselves
_FIRST_OVERLAP = 0.2  # intersection over union of a track's box with the box of the sample before


@dataclass(frozen=True, kw_only=True, eq=False)
class Tube:
    """One thing followed over frames that follow each other.

    Attributes:
        first: index of its first frame.
        boxes: left, top, right, bottom in pixels, one a frame.
        label: what the detector called it.
        score: mean confidence where it was found.
        found: share of the sampled frames of its span in which it was found; the others are interpolated.
    """

    first: int
    boxes: Float[np.ndarray, "time 4"]
    label: str
    score: float
    found: float

    @property
    def end(self) -> int:
        """Index of the frame after its last."""
        return self.first + len(self.boxes)

    def part(self, first: int, end: int) -> "Tube":
        """The same tube between two frames."""
        return replace(self, first=first, boxes=self.boxes[first - self.first : end - self.first])


def track(
    detections: Sequence[Detections],
    sampled: Int[np.ndarray, " sample"],
    timestamps_s: Float[np.ndarray, " frame"],
    *,
    start_score: float = 0.4,
    bridge_s: float = 0.8,
    shortest_s: float = 0.8,
    smallest_px: float = 24,
) -> list[Tube]:
    """Follow the boxes of each label over the frames of one shot.

    Args:
        detections: of each sampled frame.
        sampled: index of these frames, increasing.
        timestamps_s: when every frame of the shot is on display.
        start_score: a tube starts with a box of at least that score; weaker ones may continue it.
        bridge_s: the longest gap that is bridged, by interpolation.
        shortest_s: shorter tubes are dropped.
        smallest_px: so are those whose longer side is smaller, on average.

    Raises:
        MissingExtraError: without `supervision`.
    """
    times_s = timestamps_s[sampled]
    interval_s = float(np.median(np.diff(times_s))) if len(sampled) > 1 else bridge_s
    tubes = []
    for label in sorted({label for frame in detections for label in frame.labels}):
        boxes, scores = zip(*(frame.of_label(label) for frame in detections), strict=True)
        for numbers in _tracks(boxes, scores, start_score, bridge_s, interval_s):
            tubes.append(_tube(numbers, boxes, scores, sampled, label))
    frame_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 0.0
    return [
        tube
        for tube in tubes
        # a tube lasts until its last frame goes; a microsecond for rounded timestamps
        if timestamps_s[tube.end - 1] - timestamps_s[tube.first] + frame_s >= shortest_s - 1e-6
        and (tube.boxes[:, 2:] - tube.boxes[:, :2]).max(1).mean() >= smallest_px
    ]


def _tracks(
    boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray], start_score: float, bridge_s: float, interval_s: float
) -> list[dict[int, int]]:
    """For each track, the number of its box by the sample in which it was found."""
    tracker = _tracker(bridge_s, interval_s)
    growth = min(_MOST_GROWTH, _GROWTH_PER_S * interval_s)
    grown = [_grown(frame_boxes, growth) for frame_boxes in boxes]
    tracks: dict[int, dict[int, int]] = {}
    free = [set(range(len(frame_boxes))) for frame_boxes in boxes]
    for sample, (frame_boxes, frame_scores) in enumerate(zip(grown, scores, strict=True)):
        confidence = np.where(frame_scores >= start_score, 1.0, _WEAK)
        answer = tracker.update_with_detections(_supervision_detections(frame_boxes, confidence))
        box_numbers = answer.data.get("number", np.zeros(0, np.int64))
        for identity, number in zip(answer.tracker_id, box_numbers, strict=True):
            tracks.setdefault(int(identity), {})[sample] = int(number)
            free[sample].discard(int(number))
    for numbers in tracks.values():  # ByteTrack names a track at its second box only: the first is looked up here
        start = min(numbers)
        if start > 0 and (candidates := sorted(free[start - 1])):
            shares = overlaps(grown[start - 1][candidates], grown[start][[numbers[start]]])
            best = int(shares.argmax())
            if shares[best] >= _FIRST_OVERLAP:
                numbers[start - 1] = candidates[best]
                free[start - 1].discard(candidates[best])
    return list(tracks.values())


def check_tracker() -> None:
    """Refuse, before any long work, to follow things without the library that does it."""
    if supervision is None:
        raise MissingExtraError("detect", "Following what a detector found")


def _tracker(bridge_s: float, interval_s: float) -> Any:
    check_tracker()
    assert supervision is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it moves to another package in supervision 0.31
        return supervision.ByteTrack(
            track_activation_threshold=0.5,
            lost_track_buffer=max(1, round(bridge_s / max(interval_s, 1e-3))),
            minimum_matching_threshold=0.9,  # of 1 - IoU: boxes are grown, so any clear overlap is a match
            frame_rate=30,  # the buffer counts samples then: supervision scales it by frame_rate / 30
        )


def _supervision_detections(boxes: np.ndarray, confidence: np.ndarray) -> Any:
    """The boxes as the tracker takes them, each with its number."""
    assert supervision is not None
    return supervision.Detections(
        xyxy=boxes.astype(np.float32),
        confidence=confidence.astype(np.float32),
        class_id=np.zeros(len(boxes), int),
        data={"number": np.arange(len(boxes))},
    )


def _grown(boxes: np.ndarray, share: float) -> np.ndarray:
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * (0.5 + share)
    return np.concatenate([middle - half, middle + half], axis=1)


def _tube(
    numbers: dict[int, int], boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray], sampled: np.ndarray, label: str
) -> Tube:
    """The tube of a track, its boxes interpolated between the samples."""
    samples = sorted(numbers)
    indices = sampled[samples]
    corners = np.stack([boxes[sample][numbers[sample]] for sample in samples])
    frames = np.arange(indices[0], indices[-1] + 1)
    return Tube(
        first=int(indices[0]),
        boxes=np.stack([np.interp(frames, indices, corners[:, edge]) for edge in range(4)], axis=1),
        label=label,
        score=float(np.mean([scores[sample][numbers[sample]] for sample in samples])),
        found=len(samples) / (samples[-1] - samples[0] + 1),
    )


def overlaps(first: Float[np.ndarray, "box 4"], second: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Intersection over union, box by box, or of one box with several."""
    shared = shared_area(first, second)
    areas = [np.prod(np.maximum(0, boxes[:, 2:] - boxes[:, :2]), axis=1) for boxes in (first, second)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


def shared_area(first: Float[np.ndarray, "box 4"], second: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Area of the intersection, box by box, or of one box with several."""
    corner, end = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    return np.prod(np.maximum(0, end - corner), axis=1)
