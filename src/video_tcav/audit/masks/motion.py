"""Masks without weights: what moves, by background subtraction, cut out along edges and colours by GrabCut.

The motion detector says roughly where something moves. The background is the median of each pixel over the frames in which that
region is elsewhere; where it never is, the background is inpainted from around. What differs from the background is the person,
and GrabCut decides about the rest by colours that all frames share. Of somebody who stands still but for an arm, the rest cannot
be told from the scene: masks then hold the arm alone.
"""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from video_tcav.audit.masks.mask_source import ClipMasks, MaskSource, checked_masks, no_person
from video_tcav.audit.stabilisation import align
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
_LEAST_CHANGE, _NOISE_FACTOR = 20, 4  # grey levels, and times the noise: a difference from the background
_SURE, _NONE = 2.0, 0.5  # times that difference: sure where the background is inpainted, and surely none anywhere
_LEAST_PIECE = 0.1  # of the largest piece: smaller ones are no limbs
_ROUNDS = 2  # of GrabCut: more change little

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
        persons = moving_masks(torch.stack([frames[frame] for frame in chosen]))
        if persons is None:
            raise no_person(loaded.source)
        by_frame = dict(zip(chosen, persons, strict=True))
        nobody = torch.zeros(clip.shape[-2:], dtype=torch.bool)
        person = torch.stack([by_frame.get(frame, nobody) for frame in shown.tolist()])
        return ClipMasks(person=person, how="what moves, against the background")


def moving_masks(frames: UInt8[Tensor, "frame 3 height width"]) -> Bool[Tensor, "frame height width"] | None:
    """Pixels of what moves in frames that follow each other; `None` where nothing does, or all of the picture does."""
    if len(frames) < 2:
        return None
    height, width = frames.shape[-2:]
    pictures = np.stack([reduced(frame, _SIDE_PX).permute(1, 2, 0).numpy() for frame in frames])
    motion = block_motion(list(pictures))
    boxes = _box_masks(motion)
    if not boxes.any():
        return None
    aligned = align(pictures, motion.shifts)
    masks = align(_cut_out(aligned, motion, boxes), -motion.shifts, outside=False)
    enlarged = [_enlarged(mask, height, width) for mask in masks]
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


def _cut_out(aligned: UInt8[np.ndarray, "frame height width 3"], motion: BlockMotion, boxes: Frames) -> Frames:
    """What differs from the background in and around the boxes; colours decide where the difference does not."""
    side = min(motion.changed.shape[1:])
    seeds = (motion.changed | motion.swaying) & boxes
    regions = np.stack(
        [_morphed(_morphed(seed, cv2.MORPH_CLOSE, _JOIN * side), cv2.MORPH_DILATE, _RIM * side) for seed in seeds]
    )
    background, is_visible = _background(motion.aligned, regions)
    change = np.abs(motion.aligned - background).max(-1)
    least = max(_LEAST_CHANGE, _NOISE_FACTOR * motion.noise)
    differs = (change > least) & ~is_shadow(motion.aligned, background) & regions
    differs = np.stack([_morphed(frame, cv2.MORPH_OPEN, 3) for frame in differs])
    classes = np.full(regions.shape, cv2.GC_BGD, np.uint8)
    classes[regions] = cv2.GC_PR_BGD
    classes[differs] = cv2.GC_PR_FGD
    classes[differs & (is_visible | (change > _SURE * least))] = cv2.GC_FGD
    classes[change < _NONE * least] = cv2.GC_BGD
    return np.stack([_solid(mask) for mask in _grab_cut(aligned, classes)])


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
    count, height, width = classes.shape
    column = np.ascontiguousarray(pictures).reshape(count * height, width, 3)
    mask = classes.reshape(count * height, width).copy()
    is_person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if is_person.any() and not is_person.all():  # it takes colours of both
        models = np.zeros((1, 65)), np.zeros((1, 65))  # of five Gaussians, as OpenCV wants them
        cv2.setRNGSeed(0)  # which its clusters start from
        cv2.grabCut(column, mask, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).reshape(classes.shape)


def _solid(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The mask without pinholes, and without specks beside its largest piece."""
    closed = _morphed(mask, cv2.MORPH_CLOSE, 3).astype(np.uint8)
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(closed)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    large = [number for number in range(1, count) if areas[number - 1] >= _LEAST_PIECE * areas.max()]
    return np.isin(pieces, large)


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
