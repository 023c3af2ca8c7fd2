"""Shot boundary detection: cuts, by the change of colour histograms and pixels from frame to frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

_SIZE = (32, 18)  # width and height of the thumbnails that are compared
_BINS = 8  # of each colour
_LEAST_COLOURS = 0.35  # of the pixels have other colours
_LEAST_PICTURE = 0.07  # of full brightness, on average
_TIMES_USUAL = 4.0  # the change against the usual one around it
_AROUND_FRAMES = 8


def shot_cuts(frames: Sequence[Tensor] | UInt8[Tensor, "frame 3 height width"]) -> Int[np.ndarray, " cut"]:
    """Index of the first frame of each new shot; the very first frame is not among them.

    A cut changes both the colours and the picture, and both by far more than the frames around it do: fast motion and
    a moving camera change every frame.
    """
    if len(frames) < 2:
        return np.zeros(0, np.int64)
    colours, pictures = _changes(frames)
    is_cut = (colours > _LEAST_COLOURS) & (pictures > _LEAST_PICTURE) & (pictures > _TIMES_USUAL * _usual(pictures))
    return np.flatnonzero(is_cut) + 1


def _changes(
    frames: Sequence[Tensor] | UInt8[Tensor, "frame 3 height width"],
) -> tuple[Float[np.ndarray, " change"], Float[np.ndarray, " change"]]:
    """Share of pixels with other colours, and mean change of a pixel, from each frame to the next."""
    small = [cv2.resize(frame.permute(1, 2, 0).numpy(), _SIZE, interpolation=cv2.INTER_AREA) for frame in frames]
    counts = np.stack([_histogram(picture) for picture in small])
    values = np.stack(small).astype(np.float32) / 255
    # half the L1 distance of two distributions is the share that differs
    return np.abs(np.diff(counts, axis=0)).sum(1) / 2, np.abs(np.diff(values, axis=0)).mean((1, 2, 3))


def _histogram(picture: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, " bin"]:
    """Smooth histogram of the colours, which sums to one: noise at the border of two bins must not count."""
    counts = cv2.calcHist([picture], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
    for axis in range(3):  # a binomial kernel (1, 2, 1) / 4 along each colour
        padded = np.pad(counts, [(1, 1) if each == axis else (0, 0) for each in range(3)], mode="edge")
        before, middle, after = (padded.take(range(at, at + _BINS), axis) for at in range(3))
        counts = before / 4 + middle / 2 + after / 4
    return counts.ravel() / counts.sum()


def _usual(changes: Float[np.ndarray, " change"]) -> Float[np.ndarray, " change"]:
    """Median of the changes around each, without itself."""
    usual = np.empty_like(changes)
    for at in range(len(changes)):
        around = np.concatenate([changes[max(0, at - _AROUND_FRAMES) : at], changes[at + 1 : at + 1 + _AROUND_FRAMES]])
        usual[at] = np.median(around) if len(around) else 0.0
    return usual
