"""What moves: the difference from a background that the frames themselves give, with a shaking camera held still.

No weights. The background of a second or two is the median of its frames, laid over each other by the shift that fits
them best. What leaves it, and is no shadow, moves. Somebody who waves moves an arm, and the rest of the body sways by
less than a pixel: no frame shows that, but the frames of a second or two together do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from video_tcav.proposals.detector import Detections, Detector, check_labels, clipped

MOTION = "motion"
_SIDE_PX = 128  # of the pictures that are compared: fine detail is noise here
_BLUR_PX = 0.8  # standard deviation
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
_RIM = 0.4  # of the strongest change around it: less is the blurred rim of a thing, not the thing
_RIM_PX = 5
_SWAY_FACTOR = 2.5  # what changes so many times as much as usual, most of the time, is part of a thing all the time
_MOST_SWAY = 0.08  # of the picture: where more sways, the camera does
_MOST_SWEPT = 0.4  # of the picture: what has swept more is several things
_BESIDE = 0.25  # of the picture's side: the body of an arm that moves is as near as half of that
_STAY = 0.7  # of the time
_LEAST_SWAY = 0.6  # grey levels
_SAME_THING = 0.03  # of the picture's side: what has moved as near as that, at any time, may be one thing
_GAP = 0.75  # of the larger part's longer side: parts of one thing are no farther from each other
_SCORE_AT = 0.008  # of the picture that a thing has swept gives a score of one half


@dataclass(frozen=True, kw_only=True, eq=False)
class _Moving:
    """What moves in a block of frames.

    Attributes:
        changed: what differs from the background, frame by frame.
        swaying: what does so most of the time, if only a little.
        things: number of the thing that each place belongs to; 0 for none.
        swept: by thing, the share of the picture that it changes in some frame.
    """

    changed: Bool[np.ndarray, "frame height width"]
    swaying: Bool[np.ndarray, "height width"]
    things: Int[np.ndarray, "height width"]
    swept: Float[np.ndarray, " thing"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """A part of a thing in one frame: its box, and which things' places it touches."""

    box: tuple[float, float, float, float]
    things: frozenset[int]


class MotionDetector(Detector):
    """What moves, with the label `motion`; the same frames give the same boxes."""

    every_frame = True
    side_px = _SIDE_PX

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
        cv2.GaussianBlur(
            cv2.resize(frame.permute(1, 2, 0).numpy(), size, interpolation=cv2.INTER_AREA), (0, 0), _BLUR_PX
        )
        for frame in frames
    ]
    shifts = shake_of(small)
    moving = _moving(small, shifts)
    stretch = np.array([width / size[0], height / size[1]] * 2)
    found = []
    for changed, shift in zip(moving.changed, shifts, strict=True):
        boxes, shares = _boxes(changed, moving)
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


def _moving(pictures: Sequence[UInt8[np.ndarray, "height width 3"]], shifts: Int[np.ndarray, "frame 2"]) -> _Moving:
    """What differs from the background, with every picture shifted onto the middle one."""
    aligned = np.stack([_shifted(picture, shift) for picture, shift in zip(pictures, shifts, strict=True)])
    background = np.median(aligned, axis=0)
    change = np.abs(aligned - background).max(-1)
    seen = np.stack([_seen(change.shape[1:], shift) for shift in shifts.tolist()])
    noise = float(np.median(change))
    strong = change > max(_LEAST_CHANGE, _NOISE_FACTOR * noise)
    changed = strong & np.stack([_is_core(one) for one in change]) & ~_is_shadow(aligned, background) & seen
    usual = np.median(change, axis=0)
    swaying = (usual > max(_LEAST_SWAY, _SWAY_FACTOR * float(np.median(usual)))) & _is_core(usual) & seen.all(0)
    swaying = _staying(cv2.medianBlur(swaying.astype(np.uint8), 3) > 0, changed)
    ever = changed.any(0)
    things = cv2.connectedComponents(_widened(ever | swaying, _SAME_THING))[1]
    swept = np.bincount(things[ever], minlength=int(things.max()) + 1) / things.size
    return _Moving(changed=changed, swaying=swaying, things=things, swept=swept)


def _staying(
    swaying: Bool[np.ndarray, "height width"], changed: Bool[np.ndarray, "frame height width"]
) -> Bool[np.ndarray, "height width"]:
    """What sways beside something that moves there most of the time; not the wall that somebody's light falls on."""
    beside = np.mean([_widened(one, _BESIDE) for one in changed], axis=0) > _STAY
    found = swaying & beside
    return found if found.mean() <= _MOST_SWAY else np.zeros_like(found)


def _shifted(
    picture: UInt8[np.ndarray, "height width 3"], shift: Int[np.ndarray, "2"]
) -> Float[np.ndarray, "height width 3"]:
    """The picture with its scene moved back by a shift."""
    height, width = picture.shape[:2]
    back = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    return cv2.warpAffine(picture, back, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _seen(size: tuple[int, ...], shift: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Where there is a picture: what the shift brought in is none."""
    (height, width), (right, down) = size, shift
    seen = np.ones((height, width), bool)
    seen[: 1 - down if down < 0 else 0] = False
    seen[height - (down + 1 if down > 0 else 0) :] = False
    seen[:, : 1 - right if right < 0 else 0] = False
    seen[:, width - (right + 1 if right > 0 else 0) :] = False
    return seen


def _is_core(change: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Where it changes nearly as much as anywhere around."""
    return change > _RIM * cv2.dilate(change, np.ones((_RIM_PX, _RIM_PX)))


def _is_shadow(
    aligned: Float[np.ndarray, "frame height width 3"], background: Float[np.ndarray, "height width 3"]
) -> Bool[np.ndarray, "frame height width"]:
    """Where it is darker than the background in all colours alike."""
    ratio = (aligned + 1) / (background + 1)
    dark = (ratio.mean(-1) > _SHADOW[0]) & (ratio.mean(-1) < _SHADOW[1])
    return dark & (ratio.max(-1) - ratio.min(-1) < _SHADOW_COLOUR)


def _widened(mask: Bool[np.ndarray, "height width"], share: float) -> UInt8[np.ndarray, "height width"]:
    """The mask, grown by half a share of the picture's side."""
    reach = max(3, round(share * min(mask.shape))) | 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))


def _boxes(changed: Bool[np.ndarray, "height width"], moving: _Moving) -> tuple[np.ndarray, np.ndarray]:
    """Box of each thing that moves in a frame, and which share of the picture it sweeps in the block."""
    area = changed.size
    _, specks, facts, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    large = facts[:, cv2.CC_STAT_AREA] >= max(3, _LEAST_SHARE * area)
    large[0] = False
    solid = large[np.asarray(specks, np.int64)]
    if not solid.any() or solid.mean() > _MOST_SHARE:
        return np.zeros((0, 4)), np.zeros(0)
    whole = solid | moving.swaying
    _, places = cv2.connectedComponents(_widened(whole, _JOIN))
    parts = []
    for number in np.unique(places[solid]).tolist():
        inside = whole & (places == number)
        rows, columns = np.nonzero(inside)
        left, right = np.quantile(columns, [_EDGE, 1 - _EDGE])
        top, bottom = np.quantile(rows, [_EDGE, 1 - _EDGE])
        things = frozenset(np.unique(moving.things[inside]).tolist()) - {0}
        parts.append(_Part(box=(left, top, right + 1, bottom + 1), things=things))
    boxes, shares = [], []
    single = frozenset(np.flatnonzero(moving.swept <= _MOST_SWEPT).tolist())
    for part in _joined(parts, single):
        left, top, right, bottom = part.box
        if (right - left) * (bottom - top) >= _LEAST_BOX_SHARE * area:
            boxes.append(part.box)
            shares.append(max(moving.swept[list(part.things)]))
    return np.array(boxes).reshape(-1, 4), np.array(shares)


def _joined(parts: list[_Part], single: frozenset[int]) -> list[_Part]:
    """Parts of one thing made one, such as arms and legs with a body between them that stands still."""
    for at, one in enumerate(parts):
        for other in parts[at + 1 :]:
            if one.things & other.things & single and _are_near(one.box, other.box):
                corners = np.array([one.box, other.box])
                left, top, right, bottom = [*corners[:, :2].min(0).tolist(), *corners[:, 2:].max(0).tolist()]
                both = _Part(box=(left, top, right, bottom), things=one.things | other.things)
                return _joined([both, *(part for part in parts if part is not one and part is not other)], single)
    return parts


def _are_near(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    across, down = (max(one[side], other[side]) - min(one[side + 2], other[side + 2]) for side in (0, 1))
    longest = max(box[side + 2] - box[side] for box in (one, other) for side in (0, 1))
    return max(across, down) < _GAP * longest
