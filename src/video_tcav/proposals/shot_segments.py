"""Shot segments: consecutive frames of one shot that fit into memory, as small as the detectors take them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.proposals.shots import shot_cuts

_MEMORY_BYTES = 256 * 2**20
_LONGEST_S = 10.0
_SHORTEST_S = 2.5  # longer than a piece of a tube, so that large frames still give whole clips
_EVEN = 0.25  # of the usual interval: neighbouring frames that differ by no more are evenly spaced


@dataclass(frozen=True, kw_only=True, eq=False)
class ShotSegment:
    """Frames that follow each other without a cut.

    Attributes:
        first: index of the first one in the video.
        frames: RGB, made smaller for the detectors.
        timestamps_s: when each is on display in the video.
        until_s: when the last one goes.
        size: `(height, width)` of the video's own frames.
    """

    first: int
    frames: UInt8[Tensor, "time 3 height width"]
    timestamps_s: Float[np.ndarray, " time"]
    until_s: float
    size: tuple[int, int]

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
    coming, size = iter(frames), (0, 0)
    buffer: list[Tensor] = []
    first, longest = 0, 0
    interval_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 1 / 25
    ends_s = np.append(timestamps_s[1:], timestamps_s[-1] + interval_s)
    while True:
        if not longest:  # the first frame says how many fit into memory
            for frame in islice(coming, 1):
                size = frame.shape[-2], frame.shape[-1]
                buffer.append(_reduced(frame, side_px))
            if not buffer:
                return
            longest = _frames_at_once(buffer[0], interval_s)
        buffer.extend(_reduced(frame, side_px) for frame in islice(coming, max(0, longest - len(buffer))))
        if not buffer:
            return
        ended = len(buffer) < longest
        shots = np.split(np.arange(len(buffer)), shot_cuts(buffer))
        done = shots if ended or len(shots) == 1 else shots[:-1]  # the last one may go on
        for shot in done:
            stacked = _stacked(buffer[shot[0] : shot[-1] + 1])
            start = first + int(shot[0])
            end = start + len(stacked)
            yield ShotSegment(
                first=start,
                frames=stacked,
                timestamps_s=timestamps_s[start:end],
                until_s=float(ends_s[end - 1]),
                size=size,
            )
        used = int(done[-1][-1]) + 1
        buffer, first = buffer[used:], first + used
        if ended:
            return


def _reduced(frame: UInt8[Tensor, "3 height width"], side_px: int | None) -> UInt8[Tensor, "3 new_height new_width"]:
    height, width = frame.shape[-2:]
    if side_px is None or min(height, width) <= side_px:
        return frame
    scale = side_px / min(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
    return torch.from_numpy(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)).permute(2, 0, 1)


def _frames_at_once(frame: Tensor, interval_s: float) -> int:
    fitting = _MEMORY_BYTES // frame.nbytes
    return int(max(2, _SHORTEST_S / interval_s, min(fitting, _LONGEST_S / interval_s)))


def _stacked(frames: list[Tensor]) -> UInt8[Tensor, "time 3 height width"]:
    """In memory as OpenCV reads pictures, so that nothing is copied again."""
    return torch.stack([frame.permute(1, 2, 0) for frame in frames]).permute(0, 3, 1, 2)
