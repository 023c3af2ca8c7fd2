"""Pictures are the right ones, upright; what cannot be decoded says why in one line."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MediaError
from video_tcav.media import (
    VideoSource,
    find_videos,
    iter_frames,
    load_clips,
    probe_video,
    read_frames,
    write_picture,
    write_video,
)
from video_tcav.media.timeline import Timeline, read_timeline


def video(path: Path) -> VideoSource:
    return VideoSource(path=path, kind="video")


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "avi", "gif"])
def test_reads_the_frames_that_were_written(make_video, frame_numbers, suffix):
    path = make_video(f"a.{suffix}", 30)
    info = probe_video(path)
    assert (info.frame_count, info.width, info.height, info.rotation_deg) == (30, 64, 48, 0)
    assert info.fps == pytest.approx(25, rel=0.01)
    assert info.duration_s == pytest.approx(1.2, abs=0.02)
    assert info.timestamps_s == pytest.approx(np.arange(30) / 25, abs=0.002)
    frames = read_frames(video(path), [29, 0, 7, 7, 12])
    assert frames.dtype == torch.uint8
    assert frames.shape == (5, 3, 48, 64)
    assert frames.is_contiguous()
    assert frame_numbers(frames) == [29, 0, 7, 7, 12]


def test_h264_in_avi_has_no_display_times_and_still_comes_in_order(make_video, frame_numbers):
    path = make_video("a.avi", 30, codec="libx264")
    assert probe_video(path).timestamps_s == pytest.approx(np.arange(30) / 25, abs=0.001)
    assert frame_numbers(read_frames(video(path), range(30))) == list(range(30))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_variable_frame_rate_keeps_its_times(make_video, frame_numbers, suffix):
    times_ms = np.cumsum(np.random.default_rng(0).integers(10, 90, 35)).tolist()
    path = make_video(f"v.{suffix}", 35, times_ms=times_ms)
    # times count from the container's start, here the first frame
    assert probe_video(path).timestamps_s * 1000 == pytest.approx(np.array(times_ms) - times_ms[0], abs=1.1)
    assert frame_numbers(read_frames(video(path), range(35))) == list(range(35))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_undone(make_video, suffix, rotation):
    path = make_video(f"r.{suffix}", 3, rotation=rotation)
    picture = read_frames(video(path), [0])[0].permute(1, 2, 0).numpy()
    turned = np.rot90(read_frames(video(make_video(f"u.{suffix}", 3)), [0])[0].permute(1, 2, 0), rotation // 90)
    assert np.abs(picture.astype(int) - turned).max() <= 2
    info = probe_video(path)
    assert (info.height, info.width) == picture.shape[:2]
    assert abs(info.rotation_deg) == abs(rotation)


def test_mirrored_video_is_undone(make_video):
    mirrored = read_frames(video(make_video("m.mp4", 3, hflip=True)), [0])
    assert torch.equal(mirrored.flip(-1), read_frames(video(make_video("u.mp4", 3)), [0]))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_seeking_gives_the_same_frames_as_decoding_from_the_start(make_video, suffix):
    path = make_video(f"long.{suffix}", 400, options={"g": "50"})
    timeline = read_timeline(video(path))
    assert len(timeline.keyframes) > 3
    wanted = [3, 180, 181, 205, 390, 399]
    every = read_frames(video(path), range(400))
    assert torch.equal(read_frames(video(path), wanted), every[wanted])
    assert torch.equal(read_frames(video(path), [260, 270]), every[[260, 270]])


def test_packets_without_a_picture_show_what_is_on_display(make_video, frame_numbers):
    source = video(make_video("a.webm", 10, codec="libvpx"))  # VP8 has packets that are never shown
    whole = read_timeline(source)
    pts = np.sort(np.append(whole.pts, [-20, 100, 380]))  # before frame 0, between 2 and 3, after 9
    invisible = Timeline(pts=pts, timestamps_s=pts / 1000, keyframes=whole.keyframes, by_order=False)
    assert frame_numbers(read_frames(source, [0, 1, 4, 5, 12], timeline=invisible)) == [0, 0, 2, 3, 9]


def test_a_stream_that_ends_early_is_refused(make_video):
    source = video(make_video("a.mkv", 10))
    pts = np.arange(20) * 40
    promised = Timeline(pts=pts, timestamps_s=pts / 1000, keyframes=np.array([0]), by_order=False)
    with pytest.raises(MediaError, match=r"truncated or broken: decoding stops after 10 of 20 frames"):
        read_frames(source, [19], timeline=promised)


def test_a_frame_that_does_not_exist_is_refused(make_video):
    with pytest.raises(InputError, match=r"`frame_indices` must be from 0 to 29"):
        read_frames(video(make_video("a.mp4")), [30])


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "avi", "gif"])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_truncated_file_is_refused_with_what_is_there(make_video, cut, suffix, part):
    path = cut(make_video(f"a.{suffix}", 100, noise=True), part)
    with pytest.raises(MediaError, match=r"^\S+: truncated: .*\d.*; copy or download it again$"):
        read_timeline(video(path))


def test_truncated_mp4_with_its_index_in_front_is_refused(make_video, cut):
    path = cut(make_video("a.mp4", 60, noise=True, muxing={"movflags": "faststart"}))
    with pytest.raises(MediaError, match=r"truncated: \d+ of 60 frames are there \(\d+ of at least \d+ bytes"):
        probe_video(path)


def test_truncated_mp4_with_its_index_at_the_end_is_refused(make_video, cut):
    with pytest.raises(MediaError, match=r"truncated: .* bytes"):
        probe_video(cut(make_video("a.mp4", 60, noise=True), 0.6))


def test_bytes_appended_to_an_mp4_are_no_truncation(make_video):
    path = make_video("a.mp4")
    path.write_bytes(path.read_bytes() + b"some player's own notes" * 3)
    assert probe_video(path).frame_count == 30


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4"])
def test_sound_longer_than_the_picture_is_no_truncation(make_video, suffix):
    assert probe_video(make_video(f"a.{suffix}", 30, sound_s=4)).frame_count == 30


def test_a_hole_in_the_file_is_refused(make_video):
    path = make_video("hole.mp4", 60, noise=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) * 3 // 4] = bytes(len(content) * 3 // 4 - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"broken"):
        read_frames(video(path), range(60))


def test_reasons_are_plain(make_video, make_sound, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n" * 50)
    (tmp_path / "folder.mp4").mkdir()
    reasons = {
        "empty.mp4": "empty file of 0 bytes",
        "text.mp4": "not a video, or broken beyond reading",
        "folder.mp4": "a folder, where a file is needed",
        "none.mp4": "no such file",
        make_sound("sound.mp4").name: "has sound but no picture",
    }
    for name, reason in reasons.items():
        with pytest.raises(MediaError, match=rf"^{tmp_path / name}: {reason}") as caught:
            read_timeline(video(tmp_path / name))
        assert "\n" not in str(caught.value)
        assert ";" in caught.value.reason  # what is wrong; what to do


def probe_and_read(path: Path):
    return read_frames(VideoSource(path=path, kind="still"), [0])


def test_a_file_that_may_not_be_read_is_refused(make_video, monkeypatch):
    path = make_video("a.mp4")
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, who may read all
    with pytest.raises(MediaError, match=r"may not be read; change its permissions"):
        probe_video(path)


def test_names_that_look_like_protocols_and_counters(make_video, make_images):
    path = make_video("concat:100%d.mp4")
    assert probe_video(path).frame_count == 30
    folder = make_images("p", ["a%03d.png"])
    assert probe_video(folder / "a%03d.png").frame_count == 1


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_still(make_images, frame_numbers, name):
    path = make_images("stills", [name]) / name
    frames = read_frames(VideoSource(path=path, kind="still"), [0, 0])
    assert frames.shape == (2, 3, 48, 64)
    assert frame_numbers(frames) == [0, 0]
    assert probe_video(path).frame_count == 1


def test_image_goes_by_its_content_not_its_ending(make_images):
    path = make_images("stills", ["a.png"]) / "a.png"
    assert probe_video(path.rename(path.with_suffix(".jpg"))).width == 64


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_half_an_image_is_refused(make_images, cut, name):
    path = make_images("stills", [name], sizes=[(480, 640)]) / name
    with pytest.raises(MediaError, match=r"broken beyond reading"):
        probe_and_read(cut(path, 0.5))


def test_frame_folder(make_images, frame_numbers):
    folder = make_images("shot", [f"img_{number:05d}.jpg" for number in range(1, 8)])
    source = VideoSource(path=folder, kind="frames")
    assert frame_numbers(read_frames(source, [6, 0, 3])) == [6, 0, 3]
    info = probe_video(folder)
    assert (info.frame_count, info.fps) == (7, 25)


def test_frame_folder_with_two_sizes_is_refused(make_images):
    folder = make_images("shot", ["001.png", "002.png"], sizes=[(48, 64), (24, 32)])
    with pytest.raises(MediaError, match=r"pictures differ in size: 32×24, 64×48"):
        read_frames(VideoSource(path=folder, kind="frames"), [0, 1])


def test_folder_without_a_sequence_is_no_video(make_images, tmp_path):
    with pytest.raises(MediaError, match=r"not a sequence of frames: 2 images"):
        probe_video(make_images("shot", ["001.png", "003.png"]))
    with pytest.raises(MediaError, match=r"no such folder"):
        read_timeline(VideoSource(path=tmp_path / "none", kind="frames"))


@pytest.mark.assets
def test_every_real_clip_decodes():
    root = Path(os.environ.get("VIDEO_TCAV_ASSETS", Path(__file__).parents[4] / "shared" / "assets"))
    if not (root / "clips").is_dir():
        pytest.skip(f"no development clips in {root}")
    loaded = list(load_clips(find_videos(root / "clips"), ClipSpec(frames=16, stride=2), windows=2))
    assert len(loaded) > 100
    assert [str(clips.error) for clips in loaded if clips.error] == []


def test_frames_one_after_the_other_are_those_read_at_once(tmp_path):
    frames = (torch.arange(12)[:, None, None, None] * 20).expand(12, 3, 32, 48).to(torch.uint8)
    write_video(tmp_path / "v.mp4", frames)
    source = VideoSource(path=tmp_path / "v.mp4", kind="video")
    assert torch.equal(torch.stack(list(iter_frames(source))), read_frames(source, range(12)))
    write_picture(tmp_path / "p.png", frames[3])
    (still,) = iter_frames(VideoSource(path=tmp_path / "p.png", kind="still"))
    assert torch.equal(still, frames[3])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_chosen_frames_one_after_the_other_also_behind_a_seek(make_video, frame_numbers, suffix):
    source = video(make_video(f"long.{suffix}", 250))
    wanted = [151, 152, 170, 249]  # more than five seconds in, so that the reader seeks where it can
    frames = torch.stack(list(iter_frames(source, wanted)))
    assert torch.equal(frames, torch.stack(list(iter_frames(source)))[wanted])
    assert frame_numbers(frames) == [one % 40 for one in wanted]
    for wrong in ([], [3, 3], [4, 2], [-1], [250]):
        with pytest.raises(InputError, match="`frame_indices` must rise from 0 to 249"):
            next(iter_frames(source, wrong))


def test_tiff_as_opencv_writes_it(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    path = tmp_path / "scan.tif"
    cv2.imwrite(str(path), picture)
    [read] = read_frames(VideoSource(path=path, kind="still"), [0])
    assert np.array_equal(read.permute(1, 2, 0).numpy(), picture[..., ::-1])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match="broken"):
        read_frames(VideoSource(path=path, kind="still"), [0])
