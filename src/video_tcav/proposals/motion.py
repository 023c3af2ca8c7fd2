"""What moves: the difference from a background that the frames themselves give, with a shaking camera held still.

No weights. The background of a second or two is the median of its frames, laid over each other by the shift that fits
them best. What leaves it, and is no shadow, moves.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from video_tcav.proposals.detector import Detections, Detector, check_labels, clipped

MOTION = "motion"
_SIDE_PX = 128  # of the pictures that are compared: fine detail is noise here
_BLOCK_FRAMES = 64
_SHAKE = 0.05  # of the picture's side, to either side
_LEAST_CHANGE = 8  # grey levels
_NOISE_FACTOR = 4
_SHADOW = (0.45, 0.97)  # how dark it makes what it falls on, in all colours alike
_SHADOW_COLOUR = 0.08
_LEAST_SHARE = 0.0007  # of the picture, for a speck
_LEAST_BOX_SHARE = 0.002
_MOST_SHARE = 0.5  # where more than this changes, the camera moves or the light does
_JOIN = 0.07  # of the picture's side: parts as near as that are one thing
_EDGE = 0.01  # of the changed pixels may lie beyond an edge of the box
_SCORE_AT = 0.02  # of the picture changing in one place gives a score of one half


class MotionDetector(Detector):
    """What moves, with the label `motion`; the same frames give the same boxes."""

    every_frame = True

    def __init__(self, *, labels: Sequence[str] | None = None) -> None:
        check_labels(labels, (MOTION,), MOTION)
        self.name = MOTION
        self.settings = {"side_px": _SIDE_PX, "block_frames": _BLOCK_FRAMES}

    def detect(self, frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
        """Boxes around what moves; the frames must follow each other."""
        blocks = max(1, round(len(frames) / _BLOCK_FRAMES))
        return [found for part in torch.tensor_split(frames, blocks) for found in _detect(part)]


def _detect(frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
    height, width = frames.shape[-2:]
    scale = min(1.0, _SIDE_PX / min(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = [
        cv2.GaussianBlur(cv2.resize(frame.permute(1, 2, 0).numpy(), size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
        for frame in frames
    ]
    shifts = shake_of(small)
    changed = _changed(small, shifts)
    stretch = np.array([width / size[0], height / size[1]] * 2)
    found = []
    for mask, shift in zip(changed, shifts, strict=True):
        boxes, shares = _boxes(mask)
        boxes = (boxes + np.tile(shift, 2)) * stretch
        found.append(clipped(boxes, shares / (shares + _SCORE_AT), [MOTION] * len(boxes), (height, width)))
    return found


def shake_of(pictures: Sequence[UInt8[np.ndarray, "height width 3"]]) -> Int[np.ndarray, "frame 2"]:
    """How many pixels, right and down, each picture's scene lies from where it lies in the middle one."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.int16) for picture in pictures]
    height, width = grey[0].shape
    reach = max(2, round(_SHAKE * min(height, width)))
    still = grey[len(grey) // 2][reach : height - reach, reach : width - reach][::2, ::2]  # every fourth pixel tells it

    def cost(grid: np.ndarray, shift: tuple[int, int]) -> float:
        right, down = shift
        moved = grid[reach + down : height - reach + down, reach + right : width - reach + right][::2, ::2]
        return float(np.minimum(np.abs(still - moved), 20).mean())  # what moves counts little

    shifts = []
    steps = range(-reach, reach + 1, 2)
    for grid in grey:
        costs = {shift: cost(grid, shift) for shift in ((0, 0), *((right, down) for down in steps for right in steps))}
        best = min(costs, key=lambda shift: costs[shift])
        for right in (-1, 0, 1):
            for down in (-1, 0, 1):
                near = (int(np.clip(best[0] + right, -reach, reach)), int(np.clip(best[1] + down, -reach, reach)))
                costs.setdefault(near, cost(grid, near))
        shifts.append(min(costs, key=lambda shift: costs[shift]))
    return np.array(shifts)


def _changed(
    pictures: Sequence[UInt8[np.ndarray, "height width 3"]], shifts: Int[np.ndarray, "frame 2"]
) -> Bool[np.ndarray, "frame height width"]:
    """What differs from the background, with every picture shifted onto the middle one."""
    height, width = pictures[0].shape[:2]
    aligned = np.stack(
        [
            cv2.warpAffine(
                picture,
                np.array([[1, 0, -right], [0, 1, -down]], np.float32),
                (width, height),
                borderMode=cv2.BORDER_REPLICATE,
            )
            for picture, (right, down) in zip(pictures, shifts, strict=True)
        ]
    ).astype(np.float32)
    background = np.median(aligned, axis=0)
    change = np.abs(aligned - background).max(-1)
    ratio = (aligned + 1) / (background + 1)
    dark = (ratio.mean(-1) > _SHADOW[0]) & (ratio.mean(-1) < _SHADOW[1])
    shadow = dark & (ratio.max(-1) - ratio.min(-1) < _SHADOW_COLOUR)
    changed = (change > max(_LEAST_CHANGE, _NOISE_FACTOR * float(np.median(change)))) & ~shadow
    for mask, (right, down) in zip(changed, shifts.tolist(), strict=True):  # what the shift brought in is no picture
        mask[: 1 - down if down < 0 else 0] = False
        mask[height - (down + 1 if down > 0 else 0) :] = False
        mask[:, : 1 - right if right < 0 else 0] = False
        mask[:, width - (right + 1 if right > 0 else 0) :] = False
    return changed


def _boxes(changed: Bool[np.ndarray, "height width"]) -> tuple[np.ndarray, np.ndarray]:
    """Box of each thing that moves, and which share of the picture changes in it."""
    area = changed.size
    _, parts, facts, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    large = facts[:, cv2.CC_STAT_AREA] >= max(3, _LEAST_SHARE * area)
    large[0] = False
    solid = large[np.asarray(parts, np.int64)]
    if not solid.any() or solid.mean() > _MOST_SHARE:
        return np.zeros((0, 4)), np.zeros(0)
    reach = max(3, round(_JOIN * min(changed.shape))) | 1
    joined = cv2.dilate(solid.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, things = cv2.connectedComponents(joined)
    boxes, shares = [], []
    for thing in range(1, count):
        rows, columns = np.nonzero(solid & (things == thing))
        left, right = np.quantile(columns, [_EDGE, 1 - _EDGE])
        top, bottom = np.quantile(rows, [_EDGE, 1 - _EDGE])
        if (right + 1 - left) * (bottom + 1 - top) >= _LEAST_BOX_SHARE * area:
            boxes.append((left, top, right + 1, bottom + 1))
            shares.append(len(rows) / area)
    return np.array(boxes).reshape(-1, 4), np.array(shares)
