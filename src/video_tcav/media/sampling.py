"""Frame sampling: the frames of a clip, chosen by time because variable frame rates are common."""

from pathlib import Path
from typing import get_args

import numpy as np
from jaxtyping import Float, Int

from video_tcav.core.checks import at_least, one_of
from video_tcav.core.clip_spec import ClipSpec, Sampling
from video_tcav.core.errors import MediaError

_REGULAR = 0.25  # of the interval: timestamps that stray less are rounded ones of a constant rate
_ROUNDING_S = 0.0015  # Matroska and WebM keep whole milliseconds, so intervals of one rate differ by one
_EXACT = 1e-6  # of the interval: rounding of floats
_EARLY = 0.1  # of the interval: a frame of a variable rate counts as on display that much before its time


def clip_times(
    timestamps_s: Float[np.ndarray, " frame"],
    spec: ClipSpec,
    *,
    windows: int = 1,
    sampling: Sampling | None = None,
    path: Path = Path("video"),
) -> list[Int[np.ndarray, " time"]]:
    """Frame indices of each window of a video.

    `dense` cuts `windows` windows, evenly spaced from the first that fits to the last; a single one is the
    centre. Its frames are `1 / spec.fps` seconds apart, or `spec.stride` frame intervals. Where that does not
    fit, the stride is the largest that does, and the step of `fps` shrinks (at most to one frame interval,
    since a video with fewer frames than a clip is refused). `uniform` cuts the whole video into `spec.frames` equal
    times and takes the middle of each; several windows take evenly spaced places inside each.

    Args:
        timestamps_s: when each frame comes on display, in seconds, increasing.
        spec: what the model takes.
        windows: how many clips.
        sampling: how frames are spread; as `spec` says if not given.
        path: of the video, for errors.

    Returns:
        One array of `spec.frames` indices per window: at each time the frame then on display.

    Raises:
        MediaError: if the video has fewer frames than a clip, and `spec.short` is `skip`.
        InputError: if `windows` or `sampling` is not possible.
    """
    sampling = check_sampling(spec, windows, sampling)
    count = len(timestamps_s)
    if count < spec.frames:
        if spec.short == "skip":
            raise MediaError(path, f"too short: {count} frames, the model takes {spec.frames}")
        indices = np.arange(spec.frames)
        return [indices % count if spec.short == "loop" else np.minimum(indices, count - 1)] * windows
    if count == 1:
        return [np.zeros(1, dtype=np.int64)] * windows
    interval_s, times_s, early_s = _regular_times(timestamps_s)
    if sampling == "uniform":
        # the last frame stays on display for one interval, so the video is that much longer than its last timestamp
        segment_s = (times_s[-1] - times_s[0] + interval_s) / spec.frames
        fractions = (np.arange(windows) + 0.5) / windows
        wanted = [times_s[0] + segment_s * (np.arange(spec.frames) + fraction) for fraction in fractions]
    else:
        step_s = _step_s(spec, interval_s, float(times_s[-1] - times_s[0]))
        slack_s = max(0.0, times_s[-1] - times_s[0] - step_s * (spec.frames - 1))
        offsets = np.linspace(0, slack_s, windows) if windows > 1 else np.array([slack_s / 2])
        # a window starts with a frame, so that every frame is as far from its wanted time as the first
        starts = times_s[_on_display(times_s, times_s[0] + offsets, early_s)]
        wanted = [start + step_s * np.arange(spec.frames) for start in starts]
    return [_on_display(times_s, window, early_s) for window in wanted]


def nearest_frames(
    timestamps_s: Float[np.ndarray, " frame"], times_s: Float[np.ndarray, " time"]
) -> Int[np.ndarray, " time"]:
    """Index of the frame nearest to each time; of two that are as near, the earlier."""
    if len(timestamps_s) == 1:
        return np.zeros(len(times_s), dtype=np.int64)
    after = np.clip(np.searchsorted(timestamps_s, times_s), 1, len(timestamps_s) - 1)
    return after - (times_s - timestamps_s[after - 1] <= timestamps_s[after] - times_s)


def check_sampling(spec: ClipSpec, windows: int, sampling: Sampling | None) -> Sampling:
    """The sampling, by default that of `spec`; refuses settings that no video can fulfil."""
    at_least("windows", windows, 1, cure="1 takes the centre.")
    return one_of("sampling", spec.sampling if sampling is None else sampling, get_args(Sampling))


def _regular_times(timestamps_s: Float[np.ndarray, " frame"]) -> tuple[float, Float[np.ndarray, " frame"], float]:
    """Median frame interval, timestamps, and how late a frame may come and still count as on display.

    At a constant rate the first two are without the container's rounding.
    """
    mean_s = float(timestamps_s[-1] - timestamps_s[0]) / (len(timestamps_s) - 1)
    grid = timestamps_s[0] + mean_s * np.arange(len(timestamps_s))
    if np.abs(timestamps_s - grid).max() <= _REGULAR * mean_s:
        return mean_s, grid, _EXACT * mean_s
    intervals_s = np.diff(timestamps_s)
    median_s = np.median(intervals_s)
    # 33 ms for 33.37 would drift by a frame within a clip, so average what the rounding made of the median
    near_median = np.abs(intervals_s - median_s) <= _ROUNDING_S
    interval_s = float(intervals_s[near_median].mean() if near_median.any() else median_s)
    return interval_s, timestamps_s, _EARLY * interval_s


def _step_s(spec: ClipSpec, interval_s: float, length_s: float) -> float:
    """Seconds from frame to frame of a clip that fits into `length_s`."""
    gaps = spec.frames - 1
    if gaps == 0:
        return interval_s
    longest_s = length_s / gaps
    if spec.fps is not None:
        return min(1 / spec.fps, longest_s)
    fitting = int(longest_s / interval_s + _EXACT)
    return min(spec.stride, fitting) * interval_s if fitting else longest_s


def _on_display(
    times_s: Float[np.ndarray, " frame"], wanted_s: Float[np.ndarray, " time"], early_s: float
) -> Int[np.ndarray, " time"]:
    """Index of the last frame that has come by each wanted time, or comes at most `early_s` after it."""
    indices = np.searchsorted(times_s, wanted_s + early_s, side="right") - 1
    return np.clip(indices, 0, len(times_s) - 1)
