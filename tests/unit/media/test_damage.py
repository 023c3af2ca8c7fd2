"""What cannot be decoded is never replaced by another picture: the clip is right, or the file is refused with a reason."""

import random
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, load_clips, read_clips, read_frames
from video_tcav.media.timeline import read_timeline

SPEC = ClipSpec(frames=8, stride=2)
# container and encoder of each file that is written here
KINDS = {
    "mp4": "libx264",
    "mov": "mpeg4",
    "mkv": "libx264",
    "webm": "libvpx-vp9",
    "avi": "mpeg4",
    "gif": "gif",
    "ts": "mpeg2video",
    "m2ts": "libx264",
    "mpg": "mpeg1video",
    "flv": "flv",
    "wmv": "wmv2",
    "ogv": "libvpx",
    "apng": "apng",
    "ivf": "libvpx",
    "y4m": "wrapped_avframe",
    "mjpeg": "mjpeg",
    "h264": "libx264",
    "m2v": "mpeg2video",
}
_PIXELS = {"gif": "rgb8", "png": "rgb24", "apng": "rgb24", "mjpeg": "yuvj420p"}
STRUCTURED = (
    "mkv",
    "webm",
    "avi",
    "gif",
    "ts",
    "mpg",
    "flv",
    "wmv",
    "ogv",
    "apng",
    "y4m",
    "ivf",
)  # whose chain of parts is checked


def video(path: Path) -> VideoSource:
    return VideoSource(path=path, kind="video")


def picture(number: int) -> np.ndarray:
    noise = np.random.default_rng(number).integers(0, 40, (96, 128, 3))
    noise[20:60, 2 * number % 90 : 2 * number % 90 + 30] += 180
    return noise.astype(np.uint8)


def write(path: Path, encoder: str, numbers=range(60), *, times=None, **settings) -> Path:
    options = {"g": "15"} | settings if encoder not in ("gif", "apng", "wrapped_avframe") else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 128, 96
        stream.pix_fmt = _PIXELS.get(encoder, "yuv420p")
        stream.bit_rate = 1_000_000
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = times[place] if times else place, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {suffix: write(folder / f"a.{suffix}", encoder) for suffix, encoder in KINDS.items()}


@pytest.mark.parametrize("suffix", KINDS)
def test_undamaged_videos_are_read(whole, suffix):
    assert read_frames(video(whole[suffix]), range(60)).shape == (60, 3, 96, 128)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.77, 0.93, 0.99])
@pytest.mark.parametrize("suffix", KINDS)
def test_a_video_that_breaks_off_is_refused(whole, cut, suffix, part):
    with pytest.raises(MediaError, match=r"truncated|broken"):
        read_clips(video(cut(whole[suffix], part)), SPEC)


@pytest.mark.parametrize("suffix", STRUCTURED)
@pytest.mark.parametrize("change", ["insert", "remove"])
def test_bytes_that_are_added_or_missing_break_the_structure(whole, tmp_path, suffix, change):
    content = bytearray(whole[suffix].read_bytes())
    place = len(content) * 2 // 3
    content[place : place + (100 if change == "remove" else 0)] = b"" if change == "remove" else b"\x5a" * 100
    (tmp_path / f"b.{suffix}").write_bytes(content)
    with pytest.raises(MediaError, match=r"truncated|broken"):
        read_clips(video(tmp_path / f"b.{suffix}"), SPEC)


@pytest.mark.parametrize("suffix", ["mkv", "ogv", "apng"])
def test_checksums_tell_a_single_flipped_bit(whole, tmp_path, suffix):
    content = bytearray(whole[suffix].read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / f"b.{suffix}").write_bytes(content)
    with pytest.raises(MediaError, match=r"its structure is damaged at byte \d+"):
        read_clips(video(tmp_path / f"b.{suffix}"), SPEC)


@pytest.mark.parametrize("name", ["a.ts", "a.m2ts", "a.mpg"])
@pytest.mark.parametrize("missing", [0.02, 0.2])
def test_frames_before_the_first_keyframe_do_not_count(tmp_path, name, missing):
    encoder = "mpeg1video" if name.endswith("mpg") else "libx264"
    path = write(tmp_path / name, encoder, range(90), g="40", bf="0")
    unit = {"ts": 188, "m2ts": 192, "mpg": 2048}[name.split(".")[1]]
    content = path.read_bytes()
    tables = content[: 3 * unit] if unit != 2048 else b""
    late = tmp_path / f"late-{name}"
    late.write_bytes(tables + content[int(missing * len(content)) // unit * unit :])
    right = read_frames(video(path), range(90))
    (loaded,) = load_clips([video(late)], SPEC)
    if loaded.clips is None:  # what is left of the first picture is damaged
        assert re.search("broken|truncated", str(loaded.error))
        return
    distances = (loaded.clips[0][:, None].int() - right[None].int()).abs().flatten(2).amax(-1)
    shown = distances.argmin(1).tolist()
    assert distances.amin(1).max() <= 3
    assert shown == list(range(shown[0], shown[0] + 16, 2))


def test_open_gop_leading_pictures_after_a_cut(tmp_path):
    path = write(tmp_path / "a.ts", "mpeg2video", range(90), g="15", bf="2")
    content = path.read_bytes()
    with av.open(str(path)) as container:
        keys = [packet.pos for packet in container.demux(video=0) if packet.size and packet.is_keyframe]
    late = tmp_path / "late.ts"
    late.write_bytes(content[: 3 * 188] + content[keys[2] // 188 * 188 :])
    right = read_frames(video(path), range(90))
    (loaded,) = load_clips([video(late)], ClipSpec(frames=30, stride=1))
    assert loaded.clips is not None
    distances = (loaded.clips[0][:, None].int() - right[None].int()).abs().flatten(2).amax(-1)
    assert distances.amin(1).max() <= 3
    assert len(set(distances.argmin(1).tolist())) == 30


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("behind", [0, 1, 5, 12])
def test_what_is_predicted_from_damage_is_refused_up_to_the_next_keyframe(tmp_path, suffix, behind):
    path = write(tmp_path / f"a.{suffix}", KINDS[suffix], bf="0", sc_threshold="1000000000" if suffix == "mov" else "0")
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size, packet.pts) for packet in container.demux(video=0) if packet.size]
    order = sorted(pts for *_, pts in packets)
    place, size, pts = packets[16]  # of the second group of 15
    content = bytearray(path.read_bytes())
    content[place + size // 4 : place + size] = b"\x55" * (size - size // 4)
    bad = tmp_path / f"bad.{suffix}"
    bad.write_bytes(content)
    right = read_frames(video(path), range(60))
    index = min(order.index(pts) + behind, 29)
    with pytest.raises(MediaError, match=r"broken: the picture at \d\.\d\d s, or one that it is predicted from"):
        read_frames(video(bad), [index])
    assert torch.equal(read_frames(video(bad), range(12)), right[:12])
    assert torch.equal(read_frames(video(bad), range(31, 60)), right[31:])


def with_damaged_packet(path: Path, number: int) -> Path:
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
    assert packet.pos is not None
    content = bytearray(path.read_bytes())
    place, size = packet.pos + packet.size // 4, packet.size // 2
    content[place : place + size] = b"\x55" * size
    bad = path.with_name(f"bad{path.suffix}")
    bad.write_bytes(content)
    return bad


@pytest.mark.parametrize(("name", "encoder"), [("a.mov", "png"), ("a.avi", "ffv1")])
def test_a_packet_that_fails_is_not_replaced_by_the_picture_before(tmp_path, name, encoder):
    path = write(tmp_path / name, encoder, range(30), g="1")
    bad = with_damaged_packet(path, 20)
    with pytest.raises(MediaError, match="broken"):
        read_frames(video(bad), [20])
    assert torch.equal(read_frames(video(bad), range(20)), read_frames(video(path), range(20)))


@pytest.mark.parametrize(("name", "encoder"), [("a.avi", "libx264"), ("a.avi", "mpeg4"), ("a.h264", "libx264")])
def test_frames_that_are_told_by_their_order_are_refused_behind_damage(tmp_path, name, encoder):
    path = write(tmp_path / name, encoder, range(60), bf="2")
    bad = with_damaged_packet(path, 20)
    assert read_timeline(video(bad)).by_order
    for index in (25, 40, 59):
        with pytest.raises(MediaError, match="broken"):
            read_frames(video(bad), [index])
    assert torch.equal(read_frames(video(bad), range(12)), read_frames(video(path), range(12)))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.flv"])
@pytest.mark.parametrize("level", [None, av.logging.ERROR])
def test_what_is_predicted_from_a_frame_that_is_missing_is_refused(tmp_path, name, level):
    path, lossy = write(tmp_path / f"whole{name[1:]}", "libx264", bf="0", sc_threshold="0"), tmp_path / name
    with av.open(str(path)) as reading, av.open(str(lossy), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for number, packet in enumerate(packet for packet in reading.demux(video=0) if packet.size):
            packet.stream = stream
            if number != 20:  # as a recording over a network loses it
                writing.mux_one(packet)
    right = read_frames(video(path), range(60))
    before = av.logging.get_level()
    av.logging.set_level(level)
    try:
        with pytest.raises(MediaError, match="broken"):
            read_frames(video(lossy), [25])
        assert torch.equal(read_frames(video(lossy), range(20)), right[:20])
        assert torch.equal(read_frames(video(lossy), range(29, 59)), right[30:])  # behind the next keyframe
        assert av.logging.get_level() == level
    finally:
        av.logging.set_level(before)


def test_lost_packets_of_a_broadcast_are_refused(tmp_path):
    path = write(tmp_path / "a.ts", "libx264", range(60), g="60", bf="0")
    content = path.read_bytes()
    place = len(content) // 188 // 2 * 188
    (tmp_path / "lost.ts").write_bytes(content[:place] + content[place + 7 * 188 :])
    with pytest.raises(MediaError, match="broken"):
        read_clips(video(tmp_path / "lost.ts"), SPEC)


@pytest.mark.parametrize("suffix", ["ts", "mpg"])
def test_a_clock_that_begins_anew_is_refused(whole, tmp_path, suffix):
    content = whole[suffix].read_bytes()
    (tmp_path / f"joined.{suffix}").write_bytes(content + content)
    with pytest.raises(MediaError, match=r"its clock (begins anew|leaps)"):
        read_timeline(video(tmp_path / f"joined.{suffix}"))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "wmv", "apng"])
def test_a_recording_behind_the_end_of_another_is_refused(whole, tmp_path, suffix):
    content = whole[suffix].read_bytes()
    (tmp_path / f"joined.{suffix}").write_bytes(content + content)
    with pytest.raises(MediaError, match=f"a second recording begins at byte {len(content)}"):
        read_timeline(video(tmp_path / f"joined.{suffix}"))


def test_a_leap_of_the_clock_of_a_broadcast_is_refused(tmp_path):
    path = write(tmp_path / "a.ts", "mpeg2video", times=[*range(30), *range(200, 230)])
    with pytest.raises(MediaError, match=r"its clock leaps by 6\.\d\d s"):
        read_timeline(video(path))


def test_of_equal_times_the_last_is_on_display(tmp_path):
    path = tmp_path / "equal.mkv"
    source = write(tmp_path / "a.mkv", "libx264", range(20), g="1", bf="0")
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.size:
                packet.pts = packet.dts = packet.pts // 80 * 80  # two frames at each time
                packet.stream = stream
                writing.mux_one(packet)
    assert len(read_timeline(video(path)).timestamps_s) == 10
    assert torch.equal(read_frames(video(path), range(10)), read_frames(video(source), range(1, 20, 2)))


def test_flipped_bits_anywhere_end_in_a_clip_or_a_reason(whole, tmp_path):
    generator = random.Random(0)
    for suffix in KINDS:
        for _ in range(2):
            content = bytearray(whole[suffix].read_bytes())
            for _ in range(5):
                content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
            path = tmp_path / f"flipped.{suffix}"
            path.write_bytes(content)
            (loaded,) = load_clips([video(path)], SPEC)
            assert (loaded.clips is None) != (loaded.error is None)
