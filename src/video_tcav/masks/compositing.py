"""Compositing: pixels of one clip over another, with soft edges, and clips brought to the size of another."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

Clip = UInt8[Tensor, "time 3 height width"]

_EDGE = 0.006
"""Standard deviation of an edge's blur, as a share of the shorter side: 0.7 pixels of 120, about what a lens does."""
_LEAST_EDGE_PX = 0.5


def edge_px(height: int, width: int) -> int:
    """How far the soft edge of a mask reaches to either side, in pixels."""
    return math.ceil(2 * _edge_deviation(height, width))  # beyond two deviations is 2 % of the edge, which is left out


def alpha_of(mask: Bool[Tensor, "time height width"]) -> Float[np.ndarray, "time height width"]:
    """Opacity of a mask with soft edges: 1 inside, 0 outside, and between them within `edge_px` of its outline."""
    deviation, reach = _edge_deviation(*mask.shape[-2:]), edge_px(*mask.shape[-2:])
    size = 2 * reach + 1
    frames = mask.numpy().astype(np.float32)
    return np.stack([cv2.GaussianBlur(frame, (size, size), deviation) for frame in frames])


def paste(clip: Clip, mask: Bool[Tensor, "time height width"], background: Clip) -> Clip:
    """The clip's pixels inside the mask over another clip of the same shape."""
    pasted = np.empty(tuple(clip.shape), np.uint8)
    for index, alpha in enumerate(alpha_of(mask)):
        # below + alpha (above - below), in float32: uint8 would wrap around where the difference is negative
        below = background[index].numpy()
        pasted[index] = np.rint(below + alpha * (clip[index].numpy().astype(np.float32) - below))
    return torch.from_numpy(pasted)


def grown(mask: Bool[np.ndarray, "... height width"], reach: int) -> Bool[np.ndarray, "... height width"]:
    """The mask with every pixel that is at most so many pixels from it, in a circle."""
    if reach < 1:
        return mask
    side = 2 * reach + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    frames = mask.reshape(-1, *mask.shape[-2:]).astype(np.uint8)
    return np.stack([cv2.dilate(frame, disc) for frame in frames]).reshape(mask.shape).astype(bool)


def fitted(clip: Clip, frames: int, height: int, width: int) -> Clip:
    """The clip at another size and length: cut to the other's aspect about its middle, scaled, frames spread evenly."""
    chosen = clip[_spread(len(clip), frames)]
    if chosen.shape[-2:] == (height, width):
        return chosen
    cut = _cut_to_aspect(chosen, height / width)
    # INTER_AREA averages what falls into a pixel: linear interpolation of a much larger picture would flicker
    shrinks = cut.shape[-1] > width
    scaled = [
        cv2.resize(
            np.ascontiguousarray(frame.permute(1, 2, 0).numpy()),
            (width, height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        for frame in cut
    ]
    return torch.from_numpy(np.stack(scaled)).permute(0, 3, 1, 2).contiguous()


def _spread(length: int, frames: int) -> Int[np.ndarray, " time"]:
    # both ends included, so that a longer scene is not cut off, nor a shorter one repeated from its start
    return np.arange(frames) if length == frames else np.rint(np.linspace(0, length - 1, frames)).astype(np.int64)


def _cut_to_aspect(clip: Clip, aspect: float) -> Clip:
    """The largest region about the middle of that height a width: scaling alone would stretch the scene."""
    height, width = clip.shape[-2:]
    inner_height, inner_width = min(height, round(width * aspect)), min(width, round(height / aspect))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    return clip[..., top : top + max(1, inner_height), left : left + max(1, inner_width)]


def _edge_deviation(height: int, width: int) -> float:
    return max(_LEAST_EDGE_PX, _EDGE * min(height, width))
