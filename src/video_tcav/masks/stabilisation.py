"""Camera stabilisation: how far a shaking camera has moved in each frame, and frames laid over each other."""

import cv2
import numpy as np
from jaxtyping import Int, Shaped, UInt8

from video_tcav.proposals.motion import shake_of

_SIDE_PX = 128  # shorter side at which shifts are measured first, as the motion detector does
"""Longer sides refine the shift by whole pixels of the video."""


def camera_shifts(pictures: UInt8[np.ndarray, "time height width 3"]) -> Int[np.ndarray, "time 2"]:
    """Shift in pixels, right and down, of each frame's scene against that of the middle frame."""
    height, width = pictures.shape[1:3]
    factor = max(1.0, min(height, width) / _SIDE_PX)
    if factor == 1:
        return shake_of(list(pictures))
    size = round(width / factor), round(height / factor)
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    return np.rint(shake_of(small) * factor).astype(np.int64)


def align(
    frames: Shaped[np.ndarray, "time height width *channel"],
    shifts: Int[np.ndarray, "time 2"],
    *,
    outside: bool | None = None,
) -> Shaped[np.ndarray, "time height width *channel"]:
    """Every frame moved back by its shift, so that scenes lie on each other.

    Args:
        frames: pictures or masks.
        shifts: right and down, from `camera_shifts`.
        outside: what comes in at the border; the border itself is repeated if not given.
    """
    height, width = frames.shape[1:3]
    aligned = np.empty_like(frames)
    for index, (right, down) in enumerate(shifts.tolist()):
        rows, columns = np.arange(height) + down, np.arange(width) + right
        aligned[index] = frames[index][rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
        if outside is not None:
            aligned[index, (rows < 0) | (rows >= height)] = outside
            aligned[index][:, (columns < 0) | (columns >= width)] = outside
    return aligned
