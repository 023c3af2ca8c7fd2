"""Frame numbers of H.264: a reference picture that is missing is told, and nothing else is."""

from pathlib import Path

import av
import numpy as np
import pytest

from video_tcav.media.h264 import FrameNumbers

SETTINGS = {
    "plain": ("yuv420p", ""),
    "pyramid": ("yuv420p", "bframes=3:b-pyramid=normal:ref=5"),
    "four colours a pixel": ("yuv444p", "bframes=2"),
    "ten bits": ("yuv420p10le", "bframes=2"),
    "fields": ("yuv420p", "tff=1:bframes=0"),
    "scaling lists": ("yuv420p", "cqm=jvt:bframes=1"),
    "refreshed": ("yuv420p", "intra-refresh=1:keyint=20:bframes=0"),
    "open groups": ("yuv420p", "open-gop=1:keyint=12:bframes=3"),
    "slices": ("yuv420p", "slices=4:aud=1:repeat-headers=1"),
    "baseline": ("yuv420p", "bframes=0:cabac=0:8x8dct=0:ref=1"),
}


@pytest.fixture(params=[(name, ending) for name in SETTINGS for ending in ("mp4", "ts")], ids="-".join)
def recording(request, tmp_path) -> Path:
    name, ending = request.param
    pixels, options = SETTINGS[name]
    generator = np.random.default_rng(0)
    path = tmp_path / f"a.{ending}"
    with av.open(str(path), "w") as writing:
        stream = writing.add_stream("libx264", rate=25, options={"x264-params": f"keyint=60:scenecut=0:{options}"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for _ in range(40):
            picture = av.VideoFrame.from_ndarray(generator.integers(0, 255, (48, 64, 3), dtype=np.uint8), "rgb24")
            writing.mux(stream.encode(picture))
        writing.mux(stream.encode())
    return path


def passed(path: Path, left_out: int | None = None) -> tuple[list[bool], dict[int, bytes]]:
    """For each packet but one whether it misses a reference, and the pictures that the decoder makes of them by time."""
    misses, pictures = [], {}
    with av.open(str(path)) as reading:
        stream = reading.streams.video[0]
        numbers = FrameNumbers(extradata=stream.codec_context.extradata or b"")
        for place, packet in enumerate(reading.demux(stream)):
            if place == left_out:
                continue
            if packet.size:
                misses.append(numbers.misses_reference(bytes(packet)))
            pictures |= {frame.pts: frame.to_ndarray().tobytes() for frame in packet.decode()}
    return misses, pictures


def test_a_whole_recording_misses_nothing(recording):
    misses, _ = passed(recording)
    assert len(misses) == 40
    assert not any(misses)


def test_a_picture_that_is_left_out_is_missed_or_nothing_depends_on_it(recording):
    _, whole = passed(recording)
    told = 0
    for left_out in range(3, 36, 5):
        misses, pictures = passed(recording, left_out)
        told += any(misses)
        if not any(misses):
            assert all(whole[time] == picture for time, picture in pictures.items())
    assert told > 0


@pytest.mark.parametrize(
    "extradata", [b"", b"\1", b"\1\x64\0\x1f\xff\xe1", b"\0\0\1\x67", bytes(range(256)), b"\0" * 99]
)
def test_parameters_that_are_none_tell_nothing(extradata):
    numbers = FrameNumbers(extradata=extradata)
    for packet in (b"", b"\0", b"\0\0\1", b"\0\0\1\x65", b"\0\0\0\1\x41\xff\xff", bytes(300), b"\xff" * 300):
        assert not numbers.misses_reference(packet)
