"""Masks without weights: what moves, by background subtraction, cut out along edges and colours by GrabCut.

The motion detector says roughly where something moves. The background is the median of each pixel over the frames in which that
region is elsewhere; where it never is, the background is inpainted from around. What differs from the background is the person,
and GrabCut decides about the rest by colours that all frames share. Of somebody who stands still but for an arm, the rest cannot
be told from the scene: masks then hold the arm alone.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from video_tcav.masks.mask_source import ClipMasks, MaskSource, checked_masks, no_person
from video_tcav.masks.stabilisation import align
from video_tcav.media import LoadedClips, read_frames
from video_tcav.media.loader import segment_frames
from video_tcav.media.timeline import read_timeline
from video_tcav.proposals import shot_cuts
from video_tcav.proposals.motion import BlockMotion, block_motion, is_shadow, moving_boxes
from video_tcav.proposals.shots import reduced

# Chosen on rendered clips of other seeds than those of the benchmark. "Share": of the picture's shorter side.
_SIDE_PX = 128  # shorter side at which masks are made: that of the motion detector
_CONTEXT_FRAMES = 64  # of the video around a window: where somebody stands now, the scene is seen at other times
_CONTEXT_S = 2.0  # before and after the window; daylight and camera change little in that time
_JOIN = 0.2  # share: regions of one frame as near as that are one person, whose trunk moves less than the limbs
_RIM = 0.08  # share: that far around what moves the background is not learned from
_LEAST_CHANGE, _LEAST_GUESSED = 12, 20  # grey levels: a difference from a background that is seen, or inpainted
_NOISE_FACTOR = 4  # times the noise, likewise
_SURE, _NONE = 2.0, 0.5  # times that difference: sure where the background is inpainted, and surely none anywhere
_CORE = 0.5  # of the strongest change beside it: less is the blur of an outline
_LEAST_PIECE = 0.1  # of the largest piece in any frame: smaller ones are no persons
_BESIDE = 0.03  # share: as near as that to a large piece, a small one is its hand or head
_LEAST_COLOUR = 3  # grey levels between the channels: less is the codec
_ROUNDS = 2  # of GrabCut: more change little
_AROUND = 0.1  # share: width of the scene around all regions that it sees
_PERSON = (cv2.GC_FGD, cv2.GC_PR_FGD)

Frames = Bool[np.ndarray, "frame height width"]


class MotionMasks(MaskSource):
    """Persons are what moves; the same video gives the same masks. Objects are part of the person."""

    def __init__(self) -> None:
        self.name = "motion"
        self.settings = {"side_px": _SIDE_PX, "context_frames": _CONTEXT_FRAMES}

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        """What moves in each window, with the frames around it for the background; see `MaskSource.masks`."""
        assert loaded.clips is not None
        return checked_masks(loaded, [self._window(loaded, index) for index in range(len(loaded.clips))])

    def _window(self, loaded: LoadedClips, index: int) -> ClipMasks:
        assert loaded.clips is not None
        clip, shown = loaded.clips[index], loaded.frame_indices[index]
        chosen = _context(loaded, shown)
        others = np.setdiff1d(chosen, shown)
        frames = dict(zip(shown.tolist(), clip, strict=True))
        frames |= dict(zip(others.tolist(), read_frames(loaded.source, others), strict=True)) if len(others) else {}
        chosen = _same_shot(sorted(frames), frames, int(shown[len(shown) // 2]))
        wanted = [position for position, frame in enumerate(chosen) if frame in set(shown.tolist())]
        persons = moving_masks(torch.stack([frames[frame] for frame in chosen]), wanted)
        if persons is None:
            raise no_person(loaded.source)
        by_frame = {chosen[position]: person for position, person in zip(wanted, persons, strict=True)}
        nobody = torch.zeros(clip.shape[-2:], dtype=torch.bool)
        person = torch.stack([by_frame.get(frame, nobody) for frame in shown.tolist()])
        return ClipMasks(person=person, how="what moves, against the background")


def moving_masks(
    frames: UInt8[Tensor, "frame 3 height width"], wanted: Sequence[int] | None = None
) -> Bool[Tensor, "wanted height width"] | None:
    """Pixels of what moves in frames that follow each other; `None` where nothing does, or all of the picture does.

    Args:
        frames: of one shot.
        wanted: indices of the frames whose masks are returned, in rising order; the others only tell the background. All if not
            given.
    """
    if len(frames) < 2:
        return None
    height, width = frames.shape[-2:]
    pictures = np.stack([reduced(frame, _SIDE_PX).permute(1, 2, 0).numpy() for frame in frames])
    motion = block_motion(list(pictures))
    boxes = _box_masks(motion)
    if not boxes.any():
        return None
    chosen = np.arange(len(frames)) if wanted is None else np.array(wanted)
    shifts = motion.shifts[chosen]
    cut_out = _cut_out(align(pictures[chosen], shifts), motion, boxes, chosen)
    enlarged = [_enlarged(mask, height, width) for mask in align(cut_out, -shifts, outside=False)]
    return torch.from_numpy(np.stack(enlarged)) if np.any(enlarged) else None


def _box_masks(motion: BlockMotion) -> Frames:
    """Pixels in boxes of what moves; a frame in which it stands still has the boxes of the nearest that has some."""
    boxes = [found for found, _ in moving_boxes(motion)]
    moving = np.array([index for index, found in enumerate(boxes) if len(found)])
    masks = np.zeros(motion.changed.shape, bool)
    for index, mask in enumerate(masks) if len(moving) else ():
        for left, top, right, bottom in boxes[moving[np.abs(moving - index).argmin()]]:
            mask[max(0, int(top)) : int(np.ceil(bottom)), max(0, int(left)) : int(np.ceil(right))] = True
    return masks


def _cut_out(
    pictures: UInt8[np.ndarray, "wanted height width 3"],
    motion: BlockMotion,
    boxes: Frames,
    chosen: Int[np.ndarray, " wanted"],
) -> Frames:
    """What differs from the background in and around the boxes; colours decide where the background is not seen."""
    side = min(motion.changed.shape[1:])
    seeds = (motion.changed | motion.swaying) & boxes
    joined = [_morphed(seed, cv2.MORPH_CLOSE, _JOIN * side) for seed in seeds]
    regions = np.stack([_morphed(mask, cv2.MORPH_DILATE, _RIM * side) for mask in joined])
    background, is_visible = _background(motion.aligned, regions)
    blurred, regions = motion.aligned[chosen], regions[chosen]
    change = np.abs(blurred - background).max(-1)
    noise = _NOISE_FACTOR * motion.noise
    least = np.where(is_visible, max(_LEAST_CHANGE, noise), max(_LEAST_GUESSED, noise))
    differs = (change > least) & (change > _CORE * _around(change)) & regions
    if _has_colours(blurred):  # of a grey picture whatever is darker than the scene would be a shadow
        differs &= ~is_shadow(blurred, background)
    differs = np.stack([_morphed(frame, cv2.MORPH_OPEN, 3) for frame in differs])
    classes = np.full(regions.shape, cv2.GC_BGD, np.uint8)
    is_guessed = (
        regions & ~is_visible & (change >= _NONE * least)
    )  # where the background is seen, the difference decides
    classes[is_guessed] = cv2.GC_PR_BGD
    classes[differs] = cv2.GC_PR_FGD
    classes[differs & (is_visible | (change > _SURE * least))] = cv2.GC_FGD
    return _without_specks(_grab_cut(pictures, classes))


def _around(change: Float[np.ndarray, "frame height width"]) -> Float[np.ndarray, "frame height width"]:
    """The strongest change of a pixel and its neighbours."""
    return np.stack([cv2.dilate(frame, np.ones((3, 3))) for frame in change])


def _has_colours(pictures: Float[np.ndarray, "frame height width 3"]) -> bool:
    return float(np.ptp(pictures, axis=-1).mean()) > _LEAST_COLOUR


def _background(
    pictures: Float[np.ndarray, "frame height width 3"], regions: Frames
) -> tuple[Float[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """Median of the frames in which a pixel is outside of the regions, or inpainted, and where it is the median."""
    is_visible = np.any(~regions, axis=0)
    shown = pictures.copy()
    shown[regions] = np.nan
    median = np.zeros(pictures.shape[1:], np.float32)
    median[is_visible] = np.nanmedian(shown[:, is_visible], axis=0)
    hidden = (~is_visible).astype(np.uint8)
    filled = cv2.inpaint(np.rint(median).astype(np.uint8), hidden, 3, cv2.INPAINT_TELEA)
    return filled.astype(np.float32), is_visible


def _grab_cut(
    pictures: UInt8[np.ndarray, "frame height width 3"], classes: UInt8[np.ndarray, "frame height width"]
) -> Frames:
    """GrabCut of all frames below each other, so that they share their colours.

    Source: Rother, Kolmogorov and Blake 2004, "GrabCut".
    """
    rows, columns = _surroundings(classes != cv2.GC_BGD)
    inner = np.ascontiguousarray(classes[:, rows, columns])
    column = np.ascontiguousarray(pictures[:, rows, columns]).reshape(-1, inner.shape[2], 3)
    mask = inner.reshape(-1, inner.shape[2]).copy()
    is_person = np.isin(mask, _PERSON)
    if is_person.any() and not is_person.all():  # it takes colours of both
        models = np.zeros((1, 65)), np.zeros((1, 65))  # of five Gaussians, as OpenCV wants them
        cv2.setRNGSeed(0)  # which its clusters start from
        cv2.grabCut(column, mask, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.zeros(classes.shape, bool)
    person[:, rows, columns] = np.isin(mask, _PERSON).reshape(inner.shape)
    return person


def _surroundings(regions: Frames) -> tuple[slice, slice]:
    """Rows and columns of the regions and of of what is around them, whose colours tell the scene."""
    ever = regions.any(0)
    slices = []
    for axis in (0, 1):
        along = np.flatnonzero(np.any(ever, axis=1 - axis))
        first, last = (int(along[0]), int(along[-1])) if len(along) else (0, ever.shape[axis] - 1)
        margin = max(2, round(_AROUND * min(ever.shape)))
        slices.append(slice(max(0, first - margin), last + 1 + margin))
    return slices[0], slices[1]


def _without_specks(masks: Frames) -> Frames:
    """The masks without pinholes, and without small pieces that are not beside a large one."""
    closed = [_morphed(mask, cv2.MORPH_CLOSE, 3).astype(np.uint8) for mask in masks]
    numbered = [np.asarray(cv2.connectedComponents(mask)[1], np.int64) for mask in closed]
    areas = [np.bincount(pieces.ravel()) * (np.arange(pieces.max() + 1) > 0) for pieces in numbered]  # 0 is no piece
    least = max(1.0, _LEAST_PIECE * max(area.max() for area in areas))
    large = [area[pieces] >= least for pieces, area in zip(numbered, areas, strict=True)]
    reach = 2 * _BESIDE * min(masks.shape[1:])
    beside = [
        np.unique(pieces[_morphed(mask, cv2.MORPH_DILATE, reach)]) for pieces, mask in zip(numbered, large, strict=True)
    ]
    return np.stack([np.isin(pieces, near[near > 0]) for pieces, near in zip(numbered, beside, strict=True)])


def _morphed(mask: Bool[np.ndarray, "height width"], operation: int, size: float) -> Bool[np.ndarray, "height width"]:
    side = max(3, round(size)) | 1  # odd, so that it acts alike to all sides
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(mask.astype(np.uint8), operation, kernel).astype(bool)


def _enlarged(
    mask: Bool[np.ndarray, "height width"], height: int, width: int
) -> Bool[np.ndarray, "new_height new_width"]:
    """The mask at another size, with outlines that are smooth and not stairs."""
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def _context(loaded: LoadedClips, shown: Int[np.ndarray, " time"]) -> Int[np.ndarray, " frame"]:
    """Frames of a window and of the time around it."""
    timeline = read_timeline(loaded.source)
    first, last = segment_frames(replace(loaded.source, start_s=None, end_s=None), timeline)
    times_s = timeline.timestamps_s
    begin = max(first, int(np.searchsorted(times_s, times_s[shown.min()] - _CONTEXT_S)))
    end = min(last, int(np.searchsorted(times_s, times_s[shown.max()] + _CONTEXT_S, side="right")))
    around = np.linspace(begin, end - 1, min(_CONTEXT_FRAMES, end - begin)).round().astype(np.int64)
    return np.union1d(around, shown)


def _same_shot(chosen: list[int], frames: dict[int, Tensor], middle: int) -> list[int]:
    """The frames between the cuts before and after the middle of the window."""
    edges = [0, *shot_cuts([frames[frame] for frame in chosen]).tolist(), len(chosen)]
    position = chosen.index(middle)
    first = max(edge for edge in edges if edge <= position)
    return chosen[first : min(edge for edge in edges if edge > position)]
