"""Interface of detectors: frames in, boxes with scores and labels out."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.errors import InputError

LEAST_SCORE = 0.1
"""Detectors return boxes down to this score: the tracker continues tubes with weak boxes."""
MOST_OVERLAP = 0.5
"""Boxes of one label that overlap by more (intersection over union) are one: non-maximum suppression."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """The boxes in one frame.

    Attributes:
        boxes: left, top, right, bottom in pixels of the frame.
        scores: confidence in [0, 1].
        labels: what each box shows.
    """

    boxes: Float[np.ndarray, "box 4"]
    scores: Float[np.ndarray, " box"]
    labels: tuple[str, ...]

    @classmethod
    def none(cls) -> "Detections":
        """No box."""
        return cls(boxes=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32), labels=())

    def of_label(self, label: str) -> tuple[Float[np.ndarray, "box 4"], Float[np.ndarray, " box"]]:
        """Boxes and scores of one label."""
        chosen = [name == label for name in self.labels]
        return self.boxes[chosen], self.scores[chosen]


class Detector(ABC):
    """Finds things in frames; subclass it for a detector of your own.

    Attributes:
        name: the spec that it was made by.
        every_frame: whether it must see all frames of a shot in their order, because it goes by what changes.
        side_px: shorter side of the frames beyond which it sees no more, so that it may be given smaller ones; `None` if
            it wants them as they are.
        settings: what else decides about its answers; stored with each clip.
    """

    name: str
    every_frame: bool = False
    side_px: int | None = None
    settings: Mapping[str, Any]

    @abstractmethod
    def detect(self, frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
        """The boxes in each frame, down to a score of 0.1: the tracker makes use of weak boxes, too."""


def check_labels(labels: Sequence[str] | None, names: Sequence[str], detector: str) -> tuple[str, ...]:
    """The labels to find, all of which the detector must know; all that it knows if not given."""
    if labels is None:
        return tuple(names)
    for label in labels:
        if label not in names:
            near = difflib.get_close_matches(label, names, n=3, cutoff=0.4)
            cure = f"Closest: {', '.join(near)}." if near else f"It knows {', '.join(sorted(set(names))[:8])}, ..."
            raise InputError(f"`label` must be one of the {len(names)} labels of {detector}. Got {label!r}. {cure}")
    return tuple(labels)


def clipped(
    boxes: Float[np.ndarray, "box 4"],
    scores: Float[np.ndarray, " box"],
    labels: Sequence[str],
    frame_size: tuple[int, int],
) -> Detections:
    """Detections inside a frame of `(height, width)`, those of less than a pixel left out, the best first."""
    height, width = frame_size
    inside = np.clip(boxes.reshape(-1, 4), 0, [width, height, width, height]).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    visible = [int(at) for at in order if inside[at, 2] - inside[at, 0] >= 1 and inside[at, 3] - inside[at, 1] >= 1]
    return Detections(
        boxes=inside[visible], scores=scores[visible].astype(np.float32), labels=tuple(labels[at] for at in visible)
    )
