"""Shot boundary detection by the change of colour histograms and pixels, and videos cut into segments of one shot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import convolve1d
from torch import Tensor

_SIZE = (32, 18)  # width and height of the thumbnails that are compared
_BINS = 8  # of each colour
_LEAST_COLOURS = 0.35  # of the pixels have other colours
_LEAST_PICTURE = 0.07  # of full brightness, on average
_TIMES_USUAL = 4.0  # the change against the usual one around it
_AROUND_FRAMES = 8

_MEMORY_BYTES = 256 * 2**20
_LONGEST_S = 10.0
_SHORTEST_S = 2.5  # longer than a piece of a tube, so that large frames still give whole clips
_EVEN = 0.25  # of the usual interval: neighbouring frames that differ by no more are evenly spaced


def shot_cuts(frames: Sequence[Tensor] | UInt8[Tensor, "frame 3 height width"]) -> Int[np.ndarray, " cut"]:
    """Index of the first frame of each new shot; the very first frame is not among them.

    A cut changes both the colours and the picture, and both by far more than the frames around it do: fast motion and
    a moving camera change every frame.
    """
    if len(frames) < 2:
        return np.zeros(0, np.int64)
    small = [cv2.resize(frame.permute(1, 2, 0).numpy(), _SIZE, interpolation=cv2.INTER_AREA) for frame in frames]
    histograms = np.stack([_histogram(picture) for picture in small])
    colours = np.abs(np.diff(histograms, axis=0)).sum(1) / 2  # half the L1 distance of two distributions differs
    pictures = np.abs(np.diff(np.stack(small).astype(np.float32) / 255, axis=0)).mean((1, 2, 3))
    is_cut = (colours > _LEAST_COLOURS) & (pictures > _LEAST_PICTURE) & (pictures > _TIMES_USUAL * _usual(pictures))
    return np.flatnonzero(is_cut) + 1


def _histogram(picture: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, " bin"]:
    """Smooth histogram of the colours, which sums to one: noise at the border of two bins must not count."""
    counts = cv2.calcHist([picture], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
    for axis in range(3):  # a binomial kernel along each colour
        counts = convolve1d(counts, [0.25, 0.5, 0.25], axis, mode="nearest")
    return counts.ravel() / counts.sum()


def _usual(changes: Float[np.ndarray, " change"]) -> Float[np.ndarray, " change"]:
    """Median of the changes around each, without itself."""
    usual = np.zeros_like(changes)
    for at in range(len(changes)):
        around = np.delete(changes[max(0, at - _AROUND_FRAMES) : at + _AROUND_FRAMES + 1], min(at, _AROUND_FRAMES))
        usual[at] = np.median(around) if len(around) else 0.0
    return usual


@dataclass(frozen=True, kw_only=True, eq=False)
class ShotSegment:
    """Frames that follow each other without a cut."""

    first: int  # index in the video
    frames: UInt8[Tensor, "time 3 height width"]  # RGB, made smaller for the detectors
    timestamps_s: Float[np.ndarray, " time"]
    until_s: float  # when the last frame goes
    size: tuple[int, int]  # height and width of the video's own frames

    @property
    def fps(self) -> float:
        """Frames per second: on average where frames are evenly spaced, the usual rate where they are not."""
        intervals_s = np.diff([*self.timestamps_s, self.until_s])
        usual_s = float(np.median(intervals_s))
        even = np.abs(intervals_s - usual_s).max() <= _EVEN * usual_s
        return 1 / (float(intervals_s.mean()) if even else usual_s)


def shot_segments(
    frames: Iterable[UInt8[Tensor, "3 height width"]],
    timestamps_s: Float[np.ndarray, " frame"],
    *,
    side_px: int | None = None,
) -> Iterator[ShotSegment]:
    """Cut a video at its shot boundaries, and a long shot every ten seconds or where memory ends.

    Args:
        frames: of the whole video, one after the other.
        timestamps_s: when each is on display.
        side_px: the shorter side of the frames that are returned; nothing is enlarged, and `None` leaves them as they are.
    """
    coming, buffer, first = iter(frames), list[Tensor](), 0
    opening = list(islice(coming, 1))
    if not opening:
        return
    height, width = opening[0].shape[-2:]
    interval_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 1 / 25
    ends_s = np.append(timestamps_s[1:], timestamps_s[-1] + interval_s)
    fitting = _MEMORY_BYTES // reduced(opening[0], side_px).nbytes
    longest = int(max(2, _SHORTEST_S / interval_s, min(fitting, _LONGEST_S / interval_s)))
    coming = chain(opening, coming)
    while buffer := buffer + [reduced(frame, side_px) for frame in islice(coming, longest - len(buffer))]:
        edges = [0, *shot_cuts(buffer).tolist(), len(buffer)]
        if len(buffer) == longest and len(edges) > 2:
            edges.pop()  # the last shot may go on
        for begin, end in pairwise(edges):
            # in memory as OpenCV reads pictures, so that nothing is copied again
            stacked = torch.stack([frame.permute(1, 2, 0) for frame in buffer[begin:end]]).permute(0, 3, 1, 2)
            yield ShotSegment(
                first=first + begin,
                frames=stacked,
                timestamps_s=timestamps_s[first + begin : first + end],
                until_s=float(ends_s[first + end - 1]),
                size=(height, width),
            )
        buffer, first = buffer[edges[-1] :], first + edges[-1]


def reduced(frame: UInt8[Tensor, "3 height width"], side_px: int | None) -> UInt8[Tensor, "3 new_height new_width"]:
    """The frame with its shorter side at most that long."""
    height, width = frame.shape[-2:]
    if side_px is None or min(height, width) <= side_px:
        return frame
    scale = side_px / min(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
    return torch.from_numpy(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)).permute(2, 0, 1)
