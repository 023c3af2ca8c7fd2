"""A video as stretches that fit into memory: consecutive frames of one shot."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.proposals.shots import shot_cuts

_MEMORY_BYTES = 256 * 2**20
_LONGEST_S = 10.0
_SHORTEST_S = 2.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """Frames that follow each other without a cut.

    Attributes:
        first: index of the first one in the video.
        frames: RGB.
        timestamps_s: when each is on display in the video.
    """

    first: int
    frames: UInt8[Tensor, "time 3 height width"]
    timestamps_s: Float[np.ndarray, " time"]


def stretches(
    frames: Iterable[UInt8[Tensor, "3 height width"]], timestamps_s: Float[np.ndarray, " frame"]
) -> Iterator[Stretch]:
    """Cut a video at its shot boundaries, and a long shot every ten seconds or where memory ends."""
    coming = iter(frames)
    held: list[Tensor] = []
    first, longest = 0, 0
    while True:
        if not longest:
            held.extend(islice(coming, 1))
            if not held:
                return
            longest = _frames_at_once(held[0], timestamps_s)
        held.extend(islice(coming, max(0, longest - len(held))))
        if not held:
            return
        ended = len(held) < longest
        shots = np.split(np.arange(len(held)), shot_cuts(held))
        done = shots if ended or len(shots) == 1 else shots[:-1]  # the last one may go on
        for shot in done:
            part = _stacked(held[shot[0] : shot[-1] + 1])
            start = first + int(shot[0])
            yield Stretch(first=start, frames=part, timestamps_s=timestamps_s[start : start + len(part)])
        used = int(done[-1][-1]) + 1
        held, first = held[used:], first + used
        if ended:
            return


def _frames_at_once(frame: Tensor, timestamps_s: Float[np.ndarray, " frame"]) -> int:
    interval_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else _LONGEST_S
    fitting = _MEMORY_BYTES // frame.nbytes
    return int(max(2, _SHORTEST_S / interval_s, min(fitting, _LONGEST_S / interval_s)))


def _stacked(frames: list[Tensor]) -> UInt8[Tensor, "time 3 height width"]:
    """In memory as OpenCV reads pictures, so that nothing is copied again."""
    return torch.stack([frame.permute(1, 2, 0) for frame in frames]).permute(0, 3, 1, 2)
