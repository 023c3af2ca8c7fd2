"""Clip loading: threads decode the clips of many videos ahead of the model."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from video_tcav.core.checks import at_least
from video_tcav.core.clip_spec import ClipSpec, Sampling
from video_tcav.core.errors import MediaError
from video_tcav.core.work_ahead import work_ahead
from video_tcav.media.decode import VideoInfo, iter_frames, read_frames
from video_tcav.media.files import VideoSource
from video_tcav.media.sampling import check_sampling, clip_times
from video_tcav.media.timeline import Timeline, read_timeline

_AHEAD_PER_THREAD = 2  # sources: more would fill the memory with frames, fewer let the model wait for a long video
_SEGMENT_SLACK_S = 1e-6  # times of a segment are written with fewer digits than timestamps have


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A source that could not be used, or not to its end, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedClips:
    """The clips of one source, or why there are none.

    Attributes:
        source: where they come from.
        clips: `uint8`, `(window, time, 3, height, width)`; `None` if the source cannot be used.
        error: what is wrong with the source; `None` if nothing.
        frame_indices: which frames of the file each clip shows; none where there are no clips.
        timestamps_s: when these frames are on display, in seconds from the container's start; likewise.
    """

    source: VideoSource
    clips: UInt8[Tensor, "window time 3 height width"] | None
    error: MediaError | None
    frame_indices: Int[np.ndarray, "window time"] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    timestamps_s: Float[np.ndarray, "window time"] = field(default_factory=lambda: np.zeros((0, 0)))


def read_clips(
    source: VideoSource, spec: ClipSpec, *, windows: int = 1, sampling: Sampling | None = None
) -> UInt8[Tensor, "window time 3 height width"]:
    """Clips of one source, in its own size; a still gives its one picture, repeated as a view without copies.

    Args:
        source: the video; only its segment is used.
        spec: see `clip_times`.
        windows: likewise.
        sampling: likewise.

    Raises:
        MediaError: if the source cannot be decoded or is too short.
        InputError: if `windows` or `sampling` is not possible.
    """
    clips = _read(source, spec, windows, check_sampling(spec, windows, sampling)).clips
    assert clips is not None
    return clips


def load_clips(
    sources: Iterable[VideoSource],
    spec: ClipSpec,
    *,
    windows: int = 1,
    sampling: Sampling | None = None,
    threads: int = 2,
) -> Generator[LoadedClips, None, None]:
    """Clips of many sources, in their order, decoded by threads ahead of the caller.

    A source that cannot be used comes with its `error` and stops nothing. Closing the generator ends its threads.

    Args:
        sources: the videos.
        spec: see `clip_times`.
        windows: likewise.
        sampling: likewise.
        threads: how many files are decoded at once; each thread works at most two sources ahead.

    Raises:
        InputError: if `windows`, `sampling` or `threads` is not possible.
    """
    sampling = check_sampling(spec, windows, sampling)
    at_least("threads", threads, 1, cure="Take the number of free cores.")

    ahead = threads * _AHEAD_PER_THREAD
    return work_ahead(
        lambda source: load_source(source, spec, windows=windows, sampling=sampling),
        sources,
        threads=threads,
        ahead=ahead,
        name="video-tcav-decode",
    )


def load_source(
    source: VideoSource, spec: ClipSpec, *, windows: int = 1, sampling: Sampling | None = None
) -> LoadedClips:
    """The clips of one source, in the caller's thread, or what is wrong with it; see `load_clips`."""
    try:
        return _read(source, spec, windows, check_sampling(spec, windows, sampling))
    except MediaError as error:
        return LoadedClips(source=source, clips=None, error=error)


def _read(source: VideoSource, spec: ClipSpec, windows: int, sampling: Sampling) -> LoadedClips:
    timeline = read_timeline(source)
    if _is_still(source, timeline):
        indices = np.zeros((windows, spec.frames), dtype=np.int64)
        (picture,) = iter_frames(source, [0], timeline=timeline)
        # a view, since `time` copies of a large photo would fill the memory
        clips = picture.expand(windows, spec.frames, -1, -1, -1)
    else:
        first, last = segment_frames(source, timeline)
        times_s = timeline.timestamps_s[first:last]
        chosen = clip_times(times_s, spec, windows=windows, sampling=sampling, path=source.path)
        indices = first + np.stack(chosen)
        clips = read_frames(source, indices.ravel(), timeline=timeline).unflatten(0, (windows, spec.frames))
    return LoadedClips(
        source=source, clips=clips, error=None, frame_indices=indices, timestamps_s=timeline.timestamps_s[indices]
    )


def _is_still(source: VideoSource, timeline: Timeline) -> bool:
    is_one_frame_gif = source.path.suffix.lower() == ".gif" and len(timeline.timestamps_s) == 1
    return source.kind == "still" or is_one_frame_gif


def segment_frames(source: VideoSource, timeline: Timeline | VideoInfo) -> tuple[int, int]:
    """First frame of the segment, and the one after its last."""
    times_s = timeline.timestamps_s
    start_s = -np.inf if source.start_s is None else source.start_s
    end_s = np.inf if source.end_s is None else source.end_s
    first, last = (int(np.searchsorted(times_s, time_s - _SEGMENT_SLACK_S)) for time_s in (start_s, end_s))
    ends_s = float(times_s[0]) + timeline.duration_s
    if first >= last:
        end = "its end" if source.end_s is None else f"{source.end_s:g} s"
        raise MediaError(
            source.path,
            f"no frame in the segment from {source.start_s or 0:g} s to {end}: the video ends at {ends_s:.2f} s"
            "; correct start_s and end_s",
        )
    # Times of the whole video beside a file that was cut to its segment would give another part of the action.
    if 0 < start_s < end_s < np.inf and end_s - start_s > 2 * (ends_s - start_s):
        raise MediaError(
            source.path,
            f"most of the segment from {start_s:g} s to {end_s:g} s is missing: the video ends at {ends_s:.2f} s"
            "; leave the times out where it is cut already, or end_s where the rest of it is meant",
        )
    return first, last
