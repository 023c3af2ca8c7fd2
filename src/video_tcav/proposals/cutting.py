"""From a tube to clips: the crop that follows it, its sharpest frame, and the whole picture with one side greyed."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from video_tcav.concepts import KINDS, Kind
from video_tcav.core.errors import InputError
from video_tcav.proposals.tracking import Tube

GREY = 114
MOST_GROWTH = 2.0
PAD = 0.15
SIDE_PX = 224
PIECE_S = 2.0
_SMOOTH_S = 0.15
_SOFT = 0.08  # of the box's shorter side: width of the edge between picture and grey

Frames = UInt8[Tensor, "time 3 height width"]


def pieces(tube: Tube, timestamps_s: Float[np.ndarray, " frame"], *, piece_s: float = PIECE_S) -> list[Tube]:
    """The tube in equal parts of about `piece_s`, so that all clips are alike in length."""
    if piece_s <= 0:
        raise InputError(f"`piece_s` must be positive. Got {piece_s}. 2 is usual.")
    frame_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 0.0
    length_s = float(timestamps_s[tube.end - 1] - timestamps_s[tube.first]) + frame_s
    count = max(1, min(len(tube.boxes), round(length_s / piece_s)))
    edges = np.linspace(tube.first, tube.end, count + 1).round().astype(int).tolist()
    return [tube.part(first, end) for first, end in pairwise(edges)]


def squares(
    boxes: Float[np.ndarray, "time 4"], frame_size: tuple[int, int], *, fps: float, pad: float = PAD
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
    side = np.clip(np.round(side), 8, min(height, width)).astype(int)
    corner = np.round(middle - side[:, None] / 2).astype(int)
    corner = np.clip(corner, 0, np.stack([width - side, height - side], axis=1))
    return np.concatenate([corner, side[:, None]], axis=1)


def cut(
    frames: Frames,
    boxes: Float[np.ndarray, "time 4"],
    *,
    fps: float,
    kinds: Sequence[Kind] = KINDS,
    side_px: int = SIDE_PX,
    pad: float = PAD,
) -> dict[Kind, tuple[Frames, list[int]]]:
    """The versions of one piece of a tube.

    Args:
        frames: of the piece, whole pictures.
        boxes: one a frame.
        fps: frames per second.
        kinds: which versions.
        side_px: the longest side of a crop, and of the shorter side of a whole picture; nothing is enlarged more than
            twice, and whole pictures not at all.
        pad: how much wider than the box the crop is.

    Returns:
        By kind, the clip and which of the frames it shows.

    Raises:
        InputError: if a version or size is not possible.
    """
    if unknown := set(kinds) - set(KINDS):
        raise InputError(f"`kinds` must be of {', '.join(KINDS)}. Got {', '.join(sorted(unknown))}. Choose among them.")
    if side_px < 16 or not 0 <= pad <= 1:
        raise InputError(f"`side_px` must be at least 16, `pad` from 0 to 1. Got {side_px}, {pad}. Take 224 and 0.15.")
    every = list(range(len(frames)))
    found: dict[Kind, tuple[Frames, list[int]]] = {}
    crop = follow(frames, squares(boxes, (frames.shape[-2], frames.shape[-1]), fps=fps, pad=pad), side_px=side_px)
    if "moving" in kinds:
        found["moving"] = crop, every
    if "still" in kinds:
        best = int(np.argmax([sharpness(picture) for picture in crop]))
        found["still"] = crop[best : best + 1], [best]
    if "focus" in kinds:
        found["focus"] = greyed(frames, boxes, outside=True, side_px=side_px, pad=pad), every
    if "scene" in kinds:
        found["scene"] = greyed(frames, boxes, outside=False, side_px=side_px, pad=pad), every
    return found


def follow(frames: Frames, path: Int[np.ndarray, "time 3"], *, side_px: int = SIDE_PX) -> Frames:
    """The squares of a path, all brought to one size: even, at most `side_px` and twice the smallest square."""
    size = min(side_px, int(MOST_GROWTH * path[:, 2].min())) // 2 * 2
    crops = np.empty((len(frames), size, size, 3), np.uint8)
    for crop, frame, (left, top, side) in zip(crops, frames, path.tolist(), strict=True):
        part = frame[:, top : top + side, left : left + side].permute(1, 2, 0).numpy()
        crop[:] = _resized(np.ascontiguousarray(part), (size, size))
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


def greyed(
    frames: Frames, boxes: Float[np.ndarray, "time 4"], *, outside: bool, side_px: int = SIDE_PX, pad: float = PAD
) -> Frames:
    """Whole pictures with what is outside the box, or inside it, in neutral grey; the edge is soft."""
    height, width = frames.shape[-2:]
    scale = min(1.0, side_px / min(height, width))
    size = max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)
    stretch = np.array([size[0] / width, size[1] / height] * 2)
    pictures = np.empty((len(frames), size[1], size[0], 3), np.uint8)
    for picture, frame, box in zip(pictures, frames, boxes * stretch, strict=True):
        small = _resized(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()), size)
        inside = _soft_box(box, size, pad)[..., None]
        shown = inside if outside else 1 - inside
        picture[:] = np.rint(shown * small + (1 - shown) * GREY).astype(np.uint8)
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
    columns, rows = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    across = np.clip(np.minimum(columns - left, right - columns) + margin, -edge, 0) / edge + 1
    down = np.clip(np.minimum(rows - top, bottom - rows) + margin, -edge, 0) / edge + 1
    return (np.minimum(across[None], down[:, None])).astype(np.float32)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
