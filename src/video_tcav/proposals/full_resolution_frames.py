"""Second pass over a video: full-resolution frames of the detected tubes, one at a time, never many in memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from video_tcav.media import VideoSource, iter_frames
from video_tcav.media.sampling import nearest_frames
from video_tcav.media.timeline import Timeline
from video_tcav.proposals.cutting import Frames, crop_size, shrunk, square
from video_tcav.proposals.tracking import Tube


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
