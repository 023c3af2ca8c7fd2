"""From boxes in sampled frames to tubes: one thing followed over the frames of a shot."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from video_tcav.core.errors import MissingExtraError
from video_tcav.proposals.detector import Detections

try:
    import supervision
except ImportError:  # the extra `detect`
    supervision = None

_WEAK = 0.2  # what ByteTrack is told of boxes below `start_score`: it may go on with them, not start
_GROWTH_PER_S = 2.5  # of a box to each side, by the time between two samples: what is fast leaves its own box
_MOST_GROWTH = 0.6
_FIRST_OVERLAP = 0.2


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
        boxes = self.boxes[first - self.first : end - self.first]
        return Tube(first=first, boxes=boxes, label=self.label, score=self.score, found=self.found)


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
    """Follow what was found over the frames of one shot, each label by itself.

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
    labels = sorted({label for one in detections for label in one.labels})
    times_s = timestamps_s[sampled]
    interval_s = float(np.median(np.diff(times_s))) if len(sampled) > 1 else bridge_s
    tubes = []
    for label in labels:
        boxes = [one.boxes[[name == label for name in one.labels]] for one in detections]
        scores = [one.scores[[name == label for name in one.labels]] for one in detections]
        for samples, places in _tracks(boxes, scores, start_score, bridge_s, interval_s):
            tubes.append(_tube(samples, places, boxes, scores, sampled, label))
    frame_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 0.0
    return [
        tube
        for tube in tubes
        if timestamps_s[tube.end - 1] - timestamps_s[tube.first] + frame_s >= shortest_s - 1e-6
        and (tube.boxes[:, 2:] - tube.boxes[:, :2]).max(1).mean() >= smallest_px
    ]


def _tracks(
    boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray], start_score: float, bridge_s: float, interval_s: float
) -> list[tuple[list[int], list[int]]]:
    """For each track the samples in which it was found, and the number of its box there."""
    tracker = _tracker(bridge_s, interval_s)
    growth = min(_MOST_GROWTH, _GROWTH_PER_S * interval_s)
    grown = [_grown(each, growth) for each in boxes]
    found: dict[int, dict[int, int]] = {}
    free = [set(range(len(each))) for each in boxes]
    for sample, (seen, confidence) in enumerate(zip(grown, scores, strict=True)):
        told = supervision_detections(seen, np.where(confidence >= start_score, 1.0, _WEAK))
        answer = tracker.update_with_detections(told)
        numbers = answer.data.get("number", np.zeros(0, np.int64))
        for identity, number in zip(answer.tracker_id, numbers, strict=True):
            found.setdefault(int(identity), {})[sample] = int(number)
            free[sample].discard(int(number))
    for places in found.values():  # ByteTrack names a track at its second box only
        start = min(places)
        if start > 0 and free[start - 1]:
            overlaps = {at: overlap(grown[start - 1][at], grown[start][places[start]]) for at in free[start - 1]}
            best = max(overlaps, key=lambda at: overlaps[at])
            if overlaps[best] >= _FIRST_OVERLAP:
                places[start - 1] = best
                free[start - 1].discard(best)
    return [(sorted(places), [places[sample] for sample in sorted(places)]) for places in found.values()]


def check_tracker() -> None:
    """Refuse, before any long work, to follow things without the library that does it.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if supervision is None:
        raise MissingExtraError("detect", "Following what a detector found")


def _tracker(bridge_s: float, interval_s: float) -> Any:
    check_tracker()
    assert supervision is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it moves to another package in 0.31
        return supervision.ByteTrack(
            track_activation_threshold=0.5,
            lost_track_buffer=max(1, round(bridge_s / max(interval_s, 1e-3))),
            minimum_matching_threshold=0.9,
            frame_rate=30,  # the buffer counts samples then
        )


def supervision_detections(boxes: np.ndarray, confidence: np.ndarray) -> Any:
    """The boxes as the tracker takes them, each with its number."""
    assert supervision is not None
    if len(boxes) == 0:
        return supervision.Detections.empty()
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
    samples: list[int],
    places: list[int],
    boxes: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    sampled: np.ndarray,
    label: str,
) -> Tube:
    at = sampled[samples]
    known = np.stack([boxes[sample][place] for sample, place in zip(samples, places, strict=True)])
    frames = np.arange(at[0], at[-1] + 1)
    every = np.stack([np.interp(frames, at, known[:, edge]) for edge in range(4)], axis=1)
    score = float(np.mean([scores[sample][place] for sample, place in zip(samples, places, strict=True)]))
    found = len(samples) / (samples[-1] - samples[0] + 1)
    return Tube(first=int(at[0]), boxes=every, label=label, score=score, found=found)


def overlap(one: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> float:
    """Intersection over union of two boxes."""
    return float(overlaps(one[None], other[None])[0])


def overlaps(some: Float[np.ndarray, "box 4"], others: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Intersection over union, box by box."""
    shared = shared_area(some, others)
    areas = [np.prod(np.maximum(0, each[:, 2:] - each[:, :2]), axis=1) for each in (some, others)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


def shared_area(some: Float[np.ndarray, "box 4"], others: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Area of the intersection, box by box."""
    corner, end = np.maximum(some[:, :2], others[:, :2]), np.minimum(some[:, 2:], others[:, 2:])
    return np.prod(np.maximum(0, end - corner), axis=1)
