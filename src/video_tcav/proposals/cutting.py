"""Clips of a tube, read at full resolution: the crop that follows it, its sharpest frame, the whole picture half greyed."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from video_tcav.concepts import Kind
from video_tcav.media import VideoSource, iter_frames
from video_tcav.media.sampling import nearest_frames
from video_tcav.media.timeline import Timeline
from video_tcav.proposals.tracking import Tube

GREY = 114  # grey level of what YOLO's letterbox fills with, about the mean of natural images
MOST_GROWTH = 2.0  # of a small crop: more would only show the interpolation
_SMOOTH_S = 0.15  # standard deviation of the path's smoothing; the size is smoothed over twice the time
_LEAST_SIDE_PX = 8  # of a square
_SOFT = 0.08  # of the box's shorter side: width of the edge between picture and grey

Frames = UInt8[Tensor, "time 3 height width"]


def pieces(tube: Tube, timestamps_s: Float[np.ndarray, " frame"], piece_s: float) -> list[Tube]:
    """The tube cut to about `piece_s`, equal in time, so that all clips are alike in length."""
    frame_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 0.0
    length_s = float(timestamps_s[tube.end - 1] - timestamps_s[tube.first]) + frame_s
    count = max(1, min(len(tube.boxes), round(length_s / piece_s)))
    times_s = timestamps_s[tube.first : tube.end]
    cuts_s = times_s[0] + length_s * np.arange(1, count) / count
    cuts = tube.first + np.searchsorted(times_s, cuts_s - frame_s / 2)  # half a frame: the nearest, not the next
    edges = sorted({tube.first, *cuts.tolist(), tube.end})
    return [tube.part(first, end) for first, end in pairwise(edges)]


def squares(
    boxes: Float[np.ndarray, "time 4"], frame_size: tuple[int, int], *, fps: float, pad: float
) -> Int[np.ndarray, "time 3"]:
    """Left, top and side of the square around each box, padded, on a smoothed path, inside the frame.

    Args:
        boxes: of each frame.
        frame_size: `(height, width)` of the frames; the square is never larger than the shorter of them.
        fps: frames per second, for the smoothing.
        pad: how much wider than the box, of its longer side.
    """
    height, width = frame_size
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = (boxes[:, 2:] - boxes[:, :2]).max(1) * (1 + pad)
    if len(boxes) > 1:
        sigma = max(1e-3, _SMOOTH_S * fps)
        middle = gaussian_filter1d(middle, sigma, axis=0, mode="nearest")
        side = gaussian_filter1d(side, 2 * sigma, mode="nearest")
    side = np.clip(np.round(side), _LEAST_SIDE_PX, min(height, width)).astype(int)
    corner = np.round(middle - side[:, None] / 2).astype(int)
    corner = np.clip(corner, 0, np.stack([width - side, height - side], axis=1))
    return np.concatenate([corner, side[:, None]], axis=1)


def versions(
    crop: Frames,
    whole: Frames,
    boxes: Float[np.ndarray, "time 4"],
    *,
    kinds: Sequence[Kind],
    pad: float,
) -> dict[Kind, tuple[Frames, list[int]]]:
    """The versions of one piece of a tube: by kind, the clip and which of the frames it shows.

    Args:
        crop: what follows the tube.
        whole: the whole pictures; only used for the kinds that show them.
        boxes: one a frame, in pixels of `whole`.
        kinds: which versions.
        pad: how much wider than the box is what shows the thing.
    """
    every = list(range(len(crop)))
    clips: dict[Kind, tuple[Frames, list[int]]] = {}
    if "moving" in kinds:
        clips["moving"] = crop, every
    if "still" in kinds:
        best = int(np.argmax([sharpness(picture) for picture in crop]))
        clips["still"] = crop[best : best + 1], [best]
    if "focus" in kinds:
        clips["focus"] = greyed(whole, boxes, outside=True, pad=pad), every
    if "scene" in kinds:
        clips["scene"] = greyed(whole, boxes, outside=False, pad=pad), every
    return clips


def crop_size(path: Int[np.ndarray, "time 3"], side_px: int) -> int:
    """Size that all squares of a path are resized to: even, at most `side_px` and twice the smallest square."""
    return min(side_px, int(MOST_GROWTH * path[:, 2].min())) // 2 * 2


def square(
    picture: UInt8[np.ndarray, "height width 3"], corner_and_side: Int[np.ndarray, "3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """A square of a picture, given by left, top and side, resized."""
    left, top, side = corner_and_side.tolist()
    return _resized(np.ascontiguousarray(picture[top : top + side, left : left + side]), (size, size))


def shrunk(picture: UInt8[np.ndarray, "height width 3"], side_px: int) -> np.ndarray:
    """A whole picture with even sides, the shorter of them at most `side_px`; never enlarged."""
    height, width = picture.shape[:2]
    scale = min(1.0, side_px / min(height, width))
    return _resized(picture, (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)))


def greyed(frames: Frames, boxes: Float[np.ndarray, "time 4"], *, outside: bool, pad: float) -> Frames:
    """Whole pictures with what is outside the box, or inside it, in neutral grey; the edge is soft."""
    height, width = frames.shape[-2:]
    pictures = np.empty((len(frames), height, width, 3), np.uint8)
    for picture, frame, box in zip(pictures, frames, boxes, strict=True):
        inside = _soft_box(box, (width, height), pad)[..., None]
        weight = inside if outside else 1 - inside
        picture[:] = np.rint(weight * frame.permute(1, 2, 0).numpy() + (1 - weight) * GREY).astype(np.uint8)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


def sharpness(picture: UInt8[Tensor, "3 height width"]) -> float:
    """Variance of the Laplacian: high where edges are crisp."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def _soft_box(box: Float[np.ndarray, "4"], size: tuple[int, int], pad: float) -> Float[np.ndarray, "height width"]:
    """One inside the padded box, zero outside, and a ramp between that ends outside of the box itself."""
    left, top, right, bottom = box
    margin = pad / 2 * max(right - left, bottom - top)
    edge = max(1.0, _SOFT * min(right - left, bottom - top))
    columns, rows = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5  # middles of the pixels
    across = np.clip(np.minimum(columns - left, right - columns) + margin, -edge, 0) / edge + 1
    down = np.clip(np.minimum(rows - top, bottom - rows) + margin, -edge, 0) / edge + 1
    return (np.minimum(across[None], down[:, None])).astype(np.float32)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


class FullResolutionFrames:
    """A second decoder that follows the detectors through a video; frames that no tube needs are passed over."""

    def __init__(self, source: VideoSource, timeline: Timeline) -> None:
        self._frames = iter_frames(source, timeline=timeline)
        self._next = 0

    def close(self) -> None:
        """Close the file."""
        self._frames.close()

    def pictures(
        self,
        tubes: Sequence[Tube],
        paths: Sequence[Int[np.ndarray, "time 3"]],
        *,
        offset: int,
        side_px: int,
        whole: bool,
    ) -> list[tuple[Frames, Frames]]:
        """For each tube the squares that follow it, and its whole frames made smaller; of these none if not wanted.

        Args:
            tubes: one at least, all in one segment, which is not before an earlier one.
            paths: left, top and side of the square in each frame of each tube.
            offset: index of the segment's first frame in the video.
            side_px: the longest side of a crop, and of the shorter side of whole frames.
            whole: whether whole frames are wanted.
        """
        first, end = min(tube.first for tube in tubes), max(tube.end for tube in tubes)
        sizes = [crop_size(path, side_px) for path in paths]
        crops = [np.empty((len(path), size, size, 3), np.uint8) for path, size in zip(paths, sizes, strict=True)]
        shrunk_frames = np.empty((0, 0, 0, 3), np.uint8)
        for index, frame in self._between(offset + first, offset + end):
            picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            for tube, path, crop in zip(tubes, paths, crops, strict=True):
                at = index - offset - tube.first
                if 0 <= at < len(path):
                    crop[at] = square(picture, path[at], crop.shape[1])
            if whole:
                small = shrunk(picture, side_px)
                if not len(shrunk_frames):
                    shrunk_frames = np.empty((end - first, *small.shape), np.uint8)
                shrunk_frames[index - offset - first] = small
        # whole frames are shared: tubes of one segment overlap in time
        shared = torch.from_numpy(shrunk_frames).permute(0, 3, 1, 2)
        return [
            (torch.from_numpy(crop).permute(0, 3, 1, 2), shared[tube.first - first : tube.end - first])
            for tube, crop in zip(tubes, crops, strict=True)
        ]

    def _between(self, first: int, end: int) -> Iterator[tuple[int, UInt8[Tensor, "3 height width"]]]:
        while self._next < end:
            frame = next(self._frames)
            self._next += 1
            if self._next > first:
                yield self._next - 1, frame


def evenly(times_s: Float[np.ndarray, " time"], until_s: float, fps: float) -> Int[np.ndarray, " frame"]:
    """Resampling to a constant rate: index of the frame nearest to each frame of a clip, from the first until `until_s`."""
    count = max(1, round((until_s - float(times_s[0])) * fps))
    return nearest_frames(times_s, times_s[0] + np.arange(count) / fps)
