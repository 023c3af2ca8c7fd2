"""Clips come in order, bad files come as errors, threads go away."""

import time
from pathlib import Path

import pytest
import torch

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MediaError
from video_tcav.media import VideoSource, load_clips, read_clips

SPEC = ClipSpec(frames=8, stride=2)


@pytest.fixture
def sources(make_video):
    paths = [make_video(f"{number:02d}.mp4", 20 + number) for number in range(12)]
    return [VideoSource(path=path, kind="video", label=path.stem) for path in paths]


def test_several_windows_in_one_tensor(make_video, frame_numbers):
    source = VideoSource(path=make_video("a.mp4", 39), kind="video")
    clips = read_clips(source, SPEC, windows=3)
    assert clips.shape == (3, 8, 3, 48, 64)
    assert frame_numbers(clips[0]) == list(range(0, 16, 2))
    assert frame_numbers(clips[1]) == list(range(12, 28, 2))
    assert frame_numbers(clips[2]) == list(range(24, 40, 2))


def test_uniform(make_video, frame_numbers):
    source = VideoSource(path=make_video("a.mp4", 32), kind="video")
    assert frame_numbers(read_clips(source, SPEC, sampling="uniform")) == list(range(2, 32, 4))


def test_segment_bounds_the_clip(make_video, frame_numbers):
    path = make_video("a.mp4", 38)
    source = VideoSource(path=path, kind="video", start_s=0.4, end_s=1.0)  # frames 10 to 24
    assert frame_numbers(read_clips(source, SPEC)) == list(range(10, 25, 2))
    late = VideoSource(path=path, kind="video", start_s=9.0)
    with pytest.raises(MediaError, match=r"no frame in the segment from 9 s to its end: the video ends at 1\.52 s"):
        read_clips(late, SPEC)
    # as a list of whole videos says beside files that were cut to its segments
    cut_already = VideoSource(path=path, kind="video", start_s=0.4, end_s=2.7)
    with pytest.raises(
        MediaError, match=r"most of the segment from 0\.4 s to 2\.7 s is missing: the video ends at 1\.52"
    ):
        read_clips(cut_already, SPEC)
    for end_s in (2.6, None):  # rounded lengths, and the rest of the video
        later = VideoSource(path=path, kind="video", start_s=0.4, end_s=end_s)
        assert frame_numbers(read_clips(later, SPEC)) == list(range(16, 31, 2))
    brief = VideoSource(path=path, kind="video", end_s=0.2)
    with pytest.raises(MediaError, match="too short: 5 frames, the model takes 8"):
        read_clips(brief, SPEC)


def test_still_becomes_a_static_clip(make_images, make_video):
    path = make_images("p", ["a.png"]) / "a.png"
    clips = read_clips(VideoSource(path=path, kind="still"), SPEC, windows=2)
    assert clips.shape == (2, 8, 3, 48, 64)
    assert torch.equal(clips, clips[:1, :1].expand_as(clips))
    gif = read_clips(VideoSource(path=make_video("one.gif", 1), kind="video"), SPEC)
    assert torch.equal(gif, gif[:, :1].expand_as(gif))


def test_frame_folder_is_a_video_of_25_fps(make_images, frame_numbers):
    folder = make_images("shot", [f"frame-{number:06d}.png" for number in range(20)])
    clips = read_clips(VideoSource(path=folder, kind="frames"), ClipSpec(frames=5, fps=12.5))
    assert frame_numbers(clips) == [5, 7, 9, 11, 13]


@pytest.mark.parametrize("threads", [1, 3])
def test_order_of_the_sources_whatever_the_threads(sources, threads, decoding_threads):
    loaded = list(load_clips(sources, SPEC, threads=threads))
    assert [clips.source for clips in loaded] == sources
    for clips in loaded:
        assert clips.error is None
        assert torch.equal(clips.clips, read_clips(clips.source, SPEC))
    assert decoding_threads() == []


def test_bad_files_are_told_and_stop_nothing(sources, tmp_path, make_video):
    (tmp_path / "empty.mp4").touch()
    bad = [VideoSource(path=tmp_path / name, kind="video") for name in ("empty.mp4", "none.mp4")]
    bad.append(VideoSource(path=make_video("short.mp4", 7), kind="video"))
    loaded = list(load_clips([bad[0], sources[0], bad[1], sources[1], bad[2]], SPEC))
    assert [clips.clips is None for clips in loaded] == [True, False, True, False, True]
    assert [clips.error.reason.split(";")[0] for clips in loaded if clips.error] == [
        "empty file of 0 bytes",
        "no such file",
        "too short: 7 frames, the model takes 8",
    ]


def test_several_sources_from_one_file(sources):
    halves = [
        VideoSource(path=sources[-1].path, kind="video", end_s=0.6),
        VideoSource(path=sources[-1].path, kind="video", start_s=0.6),
    ]
    first, second = load_clips(halves, SPEC)
    assert not torch.equal(first.clips, second.clips)


def test_look_ahead_is_bounded(sources, decoding_threads):
    asked = []

    def endless():
        for number in range(1_000_000):
            asked.append(number)
            yield sources[number % len(sources)]

    loading = load_clips(endless(), SPEC, threads=2)
    for _ in range(3):
        next(loading)
    assert len(asked) <= 3 + 2 * 2
    loading.close()
    assert decoding_threads() == []


def test_decoding_overlaps_the_consumer(sources, decoding_threads):
    loading = load_clips(sources, SPEC, threads=2)
    next(loading)
    deadline = time.monotonic() + 30
    while any(thread.is_alive() for thread in decoding_threads()) and time.monotonic() < deadline:
        if loading.gi_frame.f_locals["pending"][0].done():  # the next is decoded while we hold the first
            break
        time.sleep(0.005)
    assert loading.gi_frame.f_locals["pending"][0].done()
    loading.close()


def test_exception_in_the_consumer_leaves_no_thread(sources, decoding_threads):
    def consume():
        for _ in load_clips(sources, SPEC):
            raise RuntimeError("consumer")

    with pytest.raises(RuntimeError, match="consumer"):
        consume()
    assert decoding_threads() == []


def test_exception_in_the_list_of_sources_leaves_no_thread(sources, decoding_threads):
    def broken():
        yield sources[0]
        raise RuntimeError("list")

    with pytest.raises(RuntimeError, match="list"):
        list(load_clips(broken(), SPEC))
    assert decoding_threads() == []


def test_settings_are_checked_at_the_call():
    with pytest.raises(InputError, match="`threads` must be at least 1"):
        load_clips([], SPEC, threads=0)
    with pytest.raises(InputError, match="`windows` must be at least 1"):
        load_clips([], SPEC, windows=0)
    assert list(load_clips([], SPEC)) == []


def test_names_and_folders_that_the_system_refuses_are_skipped(tmp_path, monkeypatch):
    """A list may name them: the run goes on with the others."""
    (tmp_path / "frames").mkdir()

    def refuse(_folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)  # tests may run as root, who may read all
    sources = [
        VideoSource(path=tmp_path / f"{'a' * 300}.mp4", kind="video"),
        VideoSource(path=tmp_path / "frames", kind="frames"),
    ]
    reasons = [loaded.error.reason for loaded in load_clips(sources, SPEC) if loaded.error]
    assert reasons == [
        "cannot be read (File name too long); check its name and permissions",
        "cannot be read (Permission denied); check its name and permissions",
    ]
