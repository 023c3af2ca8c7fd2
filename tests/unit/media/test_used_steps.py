"""The stride that was used is that of the clips that are read."""

import numpy as np
import pytest

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.media import VideoSource, find_videos, load_clips
from video_tcav.media.used_steps import UsedSteps, used_steps


@pytest.fixture
def videos(make_video, make_images, tmp_path):
    for name, frames in {"long.mp4": 40, "shorter.webm": 20, "short.mkv": 10, "tiny.mp4": 5}.items():
        make_video(f"set/{name}", frames)
    make_images("set/picture", ["one.png"])
    return find_videos(tmp_path / "set")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stride": 4}, UsedSteps(videos=3, strides={"4": 1, "2": 1, "1": 1}, shorter=2, filled=0)),
        ({"stride": 2}, UsedSteps(videos=3, strides={"2": 2, "1": 1}, shorter=1, filled=0)),
        ({"stride": 1}, UsedSteps(videos=3, strides={"1": 3}, shorter=0, filled=0)),
        ({"stride": 4, "short": "pad"}, UsedSteps(videos=4, strides={"4": 1, "2": 1, "1": 1}, shorter=2, filled=1)),
        ({"sampling": "uniform", "short": "loop"}, UsedSteps(videos=4, strides={}, shorter=0, filled=1)),
        ({"fps": 12.5}, UsedSteps(videos=3, strides={}, shorter=1, filled=0)),
    ],
)
def test_strides_shrink_with_short_videos(videos, changes, expected):
    spec = ClipSpec(frames=8, **changes)
    assert used_steps(videos, spec) == expected
    if expected.strides and not expected.filled:
        clips = [one.frame_indices[0] for one in load_clips(videos, spec) if one.error is None]
        moving = [int(np.median(np.diff(indices))) for indices in clips if indices[-1] > indices[0]]
        counts = {str(stride): moving.count(stride) for stride in sorted(set(moving), reverse=True)}
        assert counts == expected.strides


def test_a_segment_counts_as_a_video_of_its_length(make_video):
    path = make_video("a.mp4", 60)
    sources = [VideoSource(path=path, kind="video", start_s=0.4, end_s=1.0), VideoSource(path=path, kind="video")]
    assert used_steps([*sources, sources[0]], ClipSpec(frames=8, stride=4)).strides == {"4": 1, "2": 1}
    gone = VideoSource(path=path.with_name("gone.mp4"), kind="video")
    assert used_steps([gone], ClipSpec(frames=8)).videos == 0
