"""Motion detector: median-background subtraction with camera-shake compensation.

No weights. The background of a block of frames is their median, laid over each other by the shift that fits them best.
What differs from it, and is no shadow, moves. Somebody who waves moves an arm, and the rest of the body sways by less than
a pixel: no single frame shows that, but the frames of a block together do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from video_tcav.proposals.detector import Detections, Detector, check_labels, clipped
from video_tcav.proposals.shots import reduced

MOTION = "motion"

# Chosen on rendered and real videos other than those of the tests. "Share": of the picture's area or of its shorter side.
_SIDE_PX = 128  # shorter side of the pictures that are compared: fine detail is noise here
_BLUR_PX = 0.8  # standard deviation of a Gaussian
_BLOCK_FRAMES = 64  # one or two seconds: long enough for things to leave where they stood, short enough for daylight
_SHAKE = 0.05  # share of the side: how far the camera may shake to either side
_LEAST_CHANGE = 8  # grey levels
_NOISE_FACTOR = 4  # a change is this many times the median change of the block
_SHADOW = (0.45, 0.97)  # how dark a shadow makes what it falls on, in all colours alike
_SHADOW_COLOUR = 0.08  # by how much the ratios of the colours may differ in a shadow
_LEAST_SHARE = 0.0007  # of the area: smaller specks are noise
_LEAST_BOX_SHARE = 0.002  # of the area
_MOST_SHARE = 0.5  # of the area: where more than this changes, the camera moves or the light does
_JOIN = 0.07  # share of the side: regions as near as that are one object
_EDGE = 0.01  # of the changed pixels may lie beyond an edge of the box
_RIM = 0.4  # of the strongest change around it: less is the blurred rim of an object, not the object
_RIM_PX = 5
_SWAY_FACTOR = 2.5  # what changes so many times as much as usual, most of the time, is part of an object all the time
_MOST_SWAY = 0.08  # of the area: where more sways, the camera does
_MOST_SWEPT = 0.4  # of the area: what has swept more is several objects
_BESIDE = 0.25  # share of the side: the body of an arm that moves is as near as half of that
_STAY = 0.7  # of the time
_LEAST_SWAY = 0.6  # grey levels
_SAME_OBJECT = 0.03  # share of the side: what has moved as near as that, at any time, may be one object
_GAP = 0.75  # of the larger region's longer side: regions of one object are no farther from each other
_SCORE_AT = 0.008  # of the area, swept by an object, gives a score of one half
_MOST_COST = 20  # grey levels: what moves counts little when the scene's shift is measured


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockMotion:
    """What moves in a block of frames, whose pictures are shifted so that their scenes lie on that of the middle one."""

    shifts: Int[np.ndarray, "frame 2"]  # in pixels, right and down, of each picture's scene before that
    aligned: Float[np.ndarray, "frame height width 3"]
    noise: float  # grey levels: the median change of the block
    changed: Bool[np.ndarray, "frame height width"]  # differs from the background
    swaying: Bool[np.ndarray, "height width"]  # does so most of the time, if only a little
    objects: Int[np.ndarray, "height width"]  # number of the object that a pixel belongs to; 0 for none
    swept: Float[np.ndarray, " object"]  # share of the picture that an object changes in some frame


@dataclass(frozen=True, kw_only=True, eq=False)
class _Region:
    """A moving region in one frame: its box, and the objects whose pixels it touches."""

    box: tuple[float, float, float, float]
    objects: frozenset[int]


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
        return [detections for block in torch.tensor_split(frames, blocks) for detections in _detect(block)]


def _detect(frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
    height, width = frames.shape[-2:]
    motion = block_motion([reduced(frame, _SIDE_PX).permute(1, 2, 0).numpy() for frame in frames])
    stretch = np.array([width / motion.changed.shape[2], height / motion.changed.shape[1]] * 2)
    detections = []
    for (boxes, shares), shift in zip(moving_boxes(motion), motion.shifts, strict=True):
        boxes = (boxes + np.tile(shift, 2)) * stretch
        scores = shares / (shares + _SCORE_AT)
        detections.append(clipped(boxes, scores, [MOTION] * len(boxes), (height, width)))
    return detections


def block_motion(pictures: Sequence[UInt8[np.ndarray, "height width 3"]]) -> BlockMotion:
    """What moves in pictures that follow each other, of at most `MotionDetector.side_px` pixels at the shorter side."""
    blurred = [cv2.GaussianBlur(picture, (0, 0), _BLUR_PX) for picture in pictures]
    return _motion(blurred, shake_of(blurred))


def moving_boxes(
    motion: BlockMotion,
) -> list[tuple[Float[np.ndarray, "object 4"], Float[np.ndarray, " object"]]]:
    """For each frame, boxes of what moves (left, top, right, bottom) and the share of the picture that each sweeps."""
    return [_boxes(changed, motion) for changed in motion.changed]


def shake_of(pictures: Sequence[UInt8[np.ndarray, "height width 3"]]) -> Int[np.ndarray, "frame 2"]:
    """Shift in pixels, right and down, of each picture's scene against that of the middle one."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.int16) for picture in pictures]
    height, width = grey[0].shape
    reach = max(2, round(_SHAKE * min(height, width)))
    # every fourth pixel is enough
    still = grey[len(grey) // 2][reach : height - reach, reach : width - reach][::2, ::2]

    def cost(picture: np.ndarray, shift: tuple[int, int]) -> float:
        right, down = shift
        moved = picture[reach + down : height - reach + down, reach + right : width - reach + right][::2, ::2]
        return float(np.minimum(np.abs(still - moved), _MOST_COST).mean())

    # A coarse grid of shifts first, then the neighbours of the best; no shift comes first, so that it wins a tie.
    steps = range(-reach, reach + 1, 2)
    coarse = ((0, 0), *((right, down) for down in steps for right in steps))
    shifts = []
    for picture in grey:
        costs = {shift: cost(picture, shift) for shift in coarse}
        best = min(costs, key=lambda shift: costs[shift])
        for right, down in product((-1, 0, 1), repeat=2):
            near = (int(np.clip(best[0] + right, -reach, reach)), int(np.clip(best[1] + down, -reach, reach)))
            costs.setdefault(near, cost(picture, near))
        shifts.append(min(costs, key=lambda shift: costs[shift]))
    return np.array(shifts)


def _motion(pictures: Sequence[UInt8[np.ndarray, "height width 3"]], shifts: Int[np.ndarray, "frame 2"]) -> BlockMotion:
    """What differs from the background, with every picture shifted onto the middle one."""
    aligned = np.stack([_shifted(picture, shift) for picture, shift in zip(pictures, shifts, strict=True)])
    background = np.median(aligned, axis=0)
    change = np.abs(aligned - background).max(-1)
    visible = np.stack([_visible(change.shape[1:], shift) for shift in shifts.tolist()])
    noise = float(np.median(change))
    strong = change > max(_LEAST_CHANGE, _NOISE_FACTOR * noise)
    changed = strong & np.stack([_is_core(frame) for frame in change]) & ~is_shadow(aligned, background) & visible
    # Sway: too weak for one frame, but its median over the block stands out from that of the rest of the picture.
    usual = np.median(change, axis=0)
    swaying = (usual > max(_LEAST_SWAY, _SWAY_FACTOR * float(np.median(usual)))) & _is_core(usual) & visible.all(0)
    swaying = _near_motion(cv2.medianBlur(swaying.astype(np.uint8), 3) > 0, changed)
    ever = changed.any(0)
    objects = cv2.connectedComponents(_widened(ever | swaying, _SAME_OBJECT))[1]
    swept = np.bincount(objects[ever], minlength=int(objects.max()) + 1) / objects.size
    return BlockMotion(
        shifts=shifts,
        aligned=aligned,
        noise=noise,
        changed=changed,
        swaying=swaying,
        objects=objects,
        swept=swept,
    )


def _near_motion(
    swaying: Bool[np.ndarray, "height width"], changed: Bool[np.ndarray, "frame height width"]
) -> Bool[np.ndarray, "height width"]:
    """What sways beside something that moves there most of the time; not the wall that somebody's light falls on."""
    beside = np.mean([_widened(frame, _BESIDE) for frame in changed], axis=0) > _STAY
    near = swaying & beside
    return near if near.mean() <= _MOST_SWAY else np.zeros_like(near)


def _shifted(
    picture: UInt8[np.ndarray, "height width 3"], shift: Int[np.ndarray, "2"]
) -> Float[np.ndarray, "height width 3"]:
    """The picture with its scene moved back by a shift."""
    height, width = picture.shape[:2]
    back = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    return cv2.warpAffine(picture, back, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _visible(size: tuple[int, ...], shift: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Pixels that the picture has after a shift: what the shift brought in at the border is none."""

    def along(length: int, move: int) -> Bool[np.ndarray, " pixel"]:
        # one more row or column than the shift: the border is repeated there
        index = np.arange(length) + move
        return (index > 0) & (index < length - 1) if move else np.ones(length, bool)

    (height, width), (right, down) = size, shift
    return along(height, down)[:, None] & along(width, right)


def _is_core(change: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Where it changes nearly as much as anywhere around."""
    return change > _RIM * cv2.dilate(change, np.ones((_RIM_PX, _RIM_PX)))


def is_shadow(
    aligned: Float[np.ndarray, "frame height width 3"], background: Float[np.ndarray, "height width 3"]
) -> Bool[np.ndarray, "frame height width"]:
    """Where it is darker than the background in all colours alike."""
    ratio = (aligned + 1) / (background + 1)  # + 1 grey level: black has no ratio
    dark = (ratio.mean(-1) > _SHADOW[0]) & (ratio.mean(-1) < _SHADOW[1])
    return dark & (ratio.max(-1) - ratio.min(-1) < _SHADOW_COLOUR)


def _widened(mask: Bool[np.ndarray, "height width"], share: float) -> UInt8[np.ndarray, "height width"]:
    """The mask, grown by half a share of the picture's side."""
    reach = max(3, round(share * min(mask.shape))) | 1  # odd, so that it grows alike to all sides
    return cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))


def _boxes(changed: Bool[np.ndarray, "height width"], motion: BlockMotion) -> tuple[np.ndarray, np.ndarray]:
    """Box of each object that moves in a frame, and which share of the picture it sweeps in the block."""
    area = changed.size
    _, specks, statistics, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    large = statistics[:, cv2.CC_STAT_AREA] >= max(3, _LEAST_SHARE * area)
    large[0] = False  # component 0 is the background
    solid = large[np.asarray(specks, np.int64)]
    if not solid.any() or solid.mean() > _MOST_SHARE:
        return np.zeros((0, 4)), np.zeros(0)
    mask = solid | motion.swaying
    _, components = cv2.connectedComponents(_widened(mask, _JOIN))
    regions = []
    for number in np.unique(components[solid]).tolist():
        inside = mask & (components == number)
        rows, columns = np.nonzero(inside)
        left, right = np.quantile(columns, [_EDGE, 1 - _EDGE])
        top, bottom = np.quantile(rows, [_EDGE, 1 - _EDGE])
        objects = frozenset(np.unique(motion.objects[inside]).tolist()) - {0}
        regions.append(_Region(box=(left, top, right + 1, bottom + 1), objects=objects))
    boxes, shares = [], []
    single = frozenset(np.flatnonzero(motion.swept <= _MOST_SWEPT).tolist())
    for region in _joined(regions, single):
        left, top, right, bottom = region.box
        if (right - left) * (bottom - top) >= _LEAST_BOX_SHARE * area:
            boxes.append(region.box)
            shares.append(max(motion.swept[list(region.objects)]))
    return np.array(boxes).reshape(-1, 4), np.array(shares)


def _joined(regions: list[_Region], single: frozenset[int]) -> list[_Region]:
    """Regions of one object joined, such as arms and legs with a body between them that stands still."""
    for first, second in combinations(regions, 2):
        if first.objects & second.objects & single and _are_near(first.box, second.box):
            corners = np.array([first.box, second.box])
            left, top, right, bottom = [*corners[:, :2].min(0).tolist(), *corners[:, 2:].max(0).tolist()]
            union = _Region(box=(left, top, right, bottom), objects=first.objects | second.objects)
            # from the start again: the union may be near to a region that neither was near to
            return _joined([union, *(r for r in regions if r is not first and r is not second)], single)
    return regions


def _are_near(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    across, down = (max(first[side], second[side]) - min(first[side + 2], second[side + 2]) for side in (0, 1))
    longest = max(box[side + 2] - box[side] for box in (first, second) for side in (0, 1))
    return max(across, down) < _GAP * longest
