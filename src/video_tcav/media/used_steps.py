"""Used strides: how far apart the frames of clips are in each video, since a short video shrinks the stride."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.media.files import VideoSource
from video_tcav.media.loader import segment_frames
from video_tcav.media.sampling import clip_times
from video_tcav.media.timeline import read_timeline

_ROUNDING = 1e-6  # relative, of a length in seconds


@dataclass(frozen=True, kw_only=True)
class UsedSteps:
    """Distances of neighbouring frames in the clips of some videos.

    Attributes:
        videos: how many could be read, without stills.
        strides: videos by the median distance in frames, where the clip has a stride; else empty.
        shorter: videos too short for the requested distance.
        filled: videos with fewer frames than a clip, whose frames are repeated.
    """

    videos: int
    strides: dict[str, int]
    shorter: int
    filled: int


def used_steps(sources: Iterable[VideoSource], spec: ClipSpec) -> UsedSteps:
    """Sample the timeline of each video without decoding it; videos that cannot be read are left out."""
    strides, shorter, filled, videos = Counter[int](), 0, 0, 0
    for source in {source.key: source for source in sources if source.kind != "still"}.values():
        try:
            timeline = read_timeline(source)
            times_s = timeline.timestamps_s[slice(*segment_frames(source, timeline))]
            indices = clip_times(times_s, spec, path=source.path)[0]
        except MediaError:
            continue
        if len(times_s) == 1 and source.path.suffix.lower() == ".gif":
            continue
        videos += 1
        if len(times_s) < spec.frames:
            filled += 1
        elif spec.sampling == "dense" and spec.frames > 1:
            stride = round(float(np.median(np.diff(indices))))
            strides[stride] += spec.fps is None
            shorter += _is_shorter(float(times_s[-1] - times_s[0]), stride, spec)
    return UsedSteps(
        videos=videos,
        strides={str(stride): count for stride, count in sorted(strides.items(), reverse=True) if count},
        shorter=shorter,
        filled=filled,
    )


def _is_shorter(video_s: float, stride: int, spec: ClipSpec) -> bool:
    if spec.fps is None:
        return stride < spec.stride
    return (spec.frames - 1) / spec.fps > video_s * (1 + _ROUNDING)
