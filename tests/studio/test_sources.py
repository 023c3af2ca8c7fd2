"""Sources and clips that browsers do not play, or that are not what they seem: odd rates, odd pixels, pipes, large pictures."""

import os
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.studio.banks import COLOURS, moving_square
from tests.studio.test_http import ORIGIN, PORT, SIDES, TOKEN
from video_tcav.concepts.bank import ConceptBank, Origin
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, file_digest, probe_video, read_frames
from video_tcav.media.sampling import nearest_frames
from video_tcav.studio import create_app
from video_tcav.studio.browser_media import Encodings, _even_times, picture_size, source_path

WIDTH, HEIGHT, SIDE = 128, 96, 16
UNEVEN_MS = np.cumsum([0] + [20, 20, 200, 40, 20, 20, 20, 160, 80, 40] * 6)


def left_at(time_s: float) -> float:
    """Where the square is: it moves 30 pixels a second."""
    return 4 + 30 * time_s


def write_uneven(path: Path, times_ms: np.ndarray, *, aspect: Fraction = Fraction(1), codec: str = "libx264") -> None:
    """A video whose frames come at these times, with a red square that moves evenly."""
    with av.open(str(path), "w") as container:
        options = {"crf": "10", "bf": "0"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=1000, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = aspect
        for at in times_ms:
            picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
            left = round(left_at(at / 1000))
            picture[40 : 40 + SIDE, left : left + SIDE] = (220, 30, 30)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = int(at), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def red_left(frame: torch.Tensor) -> float:
    """Left edge of the red square as a share of the width, by its centre of mass: colour is stored coarsely."""
    red = (frame[0].float() - frame[1].float()).clamp(min=0).sum(0)
    width = frame.shape[-1]
    centre = float((red * (torch.arange(width) + 0.5)).sum() / red.sum())
    return centre / width - SIDE / 2 / WIDTH


def origin_of(path: Path, start_s: float = 0.3, end_s: float = 1.2) -> Origin:
    times = tuple(float(one) for one in np.linspace(start_s, end_s, 8))
    return Origin(
        video=str(path),
        video_digest=file_digest(path),
        start_s=start_s,
        end_s=end_s,
        times_s=times,
        boxes=tuple((left_at(one), 40.0, left_at(one) + SIDE, 56.0) for one in times),
        label="square",
        score=0.9,
        proposer={"name": "test"},
    )


@pytest.fixture
def bank(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        yield bank


@pytest.fixture
def client(bank):
    with TestClient(create_app(bank, port=PORT, token=TOKEN), base_url=ORIGIN, headers=SIDES) as client:
        yield client


@pytest.fixture
def encodings():
    encodings = Encodings()
    yield encodings
    encodings.close()


def clip_of(bank: ConceptBank, origin: Origin):
    return bank.add(moving_square(1, frames=8), fps=10, concept="ball", kind="moving", origin=origin, tube=origin.video)


def test_the_span_of_an_uneven_source_shows_each_moment_at_its_time(bank, encodings, tmp_path):
    source = tmp_path / "uneven.mp4"
    write_uneven(source, UNEVEN_MS)
    span = encodings.span(clip_of(bank, origin_of(source, 1.5, 2.5)))
    made = probe_video(span.path)
    frames = read_frames(VideoSource(path=span.path, kind="video"), range(made.frame_count))
    assert made.fps <= 30.001 and span.offset_s == pytest.approx(0.5, abs=0.05)
    times = probe_video(source).timestamps_s
    for frame, at in zip(frames, made.timestamps_s + span.offset_s, strict=True):
        nearest = times[np.abs(times - at).argmin()]
        assert red_left(frame) * WIDTH == pytest.approx(left_at(nearest), abs=0.8)
    assert made.timestamps_s[-1] + span.offset_s == pytest.approx(3.5, abs=0.1)


@given(gaps=st.lists(st.floats(0.005, 2), min_size=1, max_size=60), start=st.floats(-1, 20), length=st.floats(0.1, 32))
@settings(max_examples=200, deadline=None)
def test_even_times_lie_in_the_span_and_are_bounded(gaps, start, length):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    even, fps = _even_times(times, float(np.median(gaps)), start, start + length)
    assert len(even) <= 301 and 0 < fps <= 30
    if len(even):
        assert even[0] >= max(0, start) - 1e-9 and even[-1] <= start + length + 1 / fps
        assert np.allclose(np.diff(even), 1 / fps)
        distance = np.abs(times[nearest_frames(times, even)] - even)
        assert np.allclose(distance, np.abs(times[None] - even[:, None]).min(1))


def test_an_even_source_keeps_its_frames(bank, encodings, tmp_path):
    source = tmp_path / "even.mp4"
    write_uneven(source, np.arange(0, 3000, 40))
    span = encodings.span(clip_of(bank, origin_of(source, 1.51, 1.9)))
    made = probe_video(span.path)
    assert made.fps == pytest.approx(25, rel=1e-3) and span.offset_s == pytest.approx(0.52)
    frames = read_frames(VideoSource(path=span.path, kind="video"), range(made.frame_count))
    lefts = [red_left(frame) * WIDTH for frame in frames]
    assert lefts == pytest.approx([left_at(0.52 + 0.04 * number) for number in range(len(lefts))], abs=0.8)


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(1, 2), Fraction(16, 15)])
def test_pixels_that_are_not_square(bank, client, encodings, tmp_path, aspect):
    source = tmp_path / "anamorphic.mp4"
    write_uneven(source, np.arange(0, 3000, 40), aspect=aspect)
    assert picture_size(source) == (round(WIDTH * aspect), HEIGHT)
    clip = clip_of(bank, origin_of(source))
    facts = client.get(f"/api/clips/{clip.id}").json()
    assert (facts["source_width"], facts["source_height"]) == (
        round(WIDTH * aspect),
        HEIGHT,
    )  # boxes are in these pixels
    span = encodings.span(clip)
    made = probe_video(span.path)
    assert made.width / made.height == pytest.approx(WIDTH * float(aspect) / HEIGHT, rel=0.03)
    [first] = read_frames(VideoSource(path=span.path, kind="video"), [0])
    assert red_left(first) == pytest.approx(left_at(span.offset_s) / WIDTH, abs=0.02)


def test_a_pipe_or_a_device_is_no_source(bank, client, tmp_path):
    source = tmp_path / "video.mp4"
    write_uneven(source, UNEVEN_MS)
    clip = clip_of(bank, origin_of(source))
    source.unlink()
    os.mkfifo(source)
    started = time.monotonic()
    facts = client.get(f"/api/clips/{clip.id}").json()
    assert facts["source_note"] == "is no regular file, so the studio does not play it"
    assert client.get(f"/sources/{clip.id}").status_code == 404 and client.get(f"/spans/{clip.id}").status_code == 404
    assert time.monotonic() - started < 5
    device = tmp_path / "device.mp4"
    device.symlink_to("/dev/zero")
    with pytest.raises(MediaError, match="is no regular file"):
        source_path(replace(clip.origin, video=str(device)))


def test_a_pipe_in_the_bank_is_no_clip(bank, client, tmp_path):
    source = tmp_path / "video.avi"
    write_avi(source)
    clip = bank.add_file(source, concept="ball")
    clip.path.unlink()
    os.mkfifo(clip.path)
    started = time.monotonic()
    for address in (f"/clips/{clip.id}", f"/encoded/{clip.id}"):
        assert client.get(address).status_code in (404, 415)
    assert time.monotonic() - started < 5


def write_avi(path: Path, *, colour: int = 0) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for frame in range(12):
            picture = np.full((48, 64, 3), 40, np.uint8)
            picture[10:30, 2 * frame : 2 * frame + 20] = COLOURS[colour]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_clips_that_browsers_do_not_play_are_encoded_for_review(bank, client, tmp_path):
    film, picture = tmp_path / "old.avi", tmp_path / "scan.tif"
    write_avi(film)
    cv2.imwrite(str(picture), np.full((1500, 3000, 3), (30, 200, 90), np.uint8))
    clips = [bank.add_file(film, concept="ball"), bank.add_file(picture, concept="ball")]
    told = {clip["id"]: clip for clip in client.get("/api/clips").json()["clips"]}
    for clip, kind in zip(clips, ("video/mp4", "image/png"), strict=True):
        assert (
            told[clip.id]["url"].startswith(f"/encoded/{clip.id}?v=")
            and client.get(f"/clips/{clip.id}").status_code == 415
        )
        answer = client.get(told[clip.id]["url"])
        assert answer.status_code == 200 and answer.headers["content-type"] == kind, answer.text[:200]
        assert client.get(f"/encoded/{clip.id}").content == answer.content
    assert told[clips[0].id]["moves"] and not told[clips[1].id]["moves"]
    small = tmp_path / "small.png"
    small.write_bytes(answer.content)
    assert read_frames(VideoSource(path=small, kind="still"), [0]).shape == (1, 3, 320, 640)


def test_only_the_latest_encodings_are_kept(bank, tmp_path):
    clips = []
    for number in range(4):
        film = tmp_path / f"{number}.avi"
        write_avi(film, colour=number)
        clips.append(bank.add_file(film, concept="ball"))
    few = Encodings(most_files=2)
    paths = [few.clip(clip).path for clip in clips]
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert few.clip(clips[3]).path == paths[3] and few.clip(clips[0]).path.exists() and not paths[2].exists()
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths if path.exists())
    few.close()
    assert not paths[3].parent.exists()
    small = Encodings(most_bytes=1)
    kept = [small.clip(clip).path for clip in clips[:2]]
    assert [path.exists() for path in kept] == [False, True]  # the one that was asked for last stays in any case
    small.close()


def test_a_broken_clip_is_a_plain_error(bank, client, tmp_path):
    film = tmp_path / "old.avi"
    write_avi(film)
    clip = bank.add_file(film, concept="ball")
    clip.path.write_bytes(b"RIFF nonsense")
    answer = client.get(f"/encoded/{clip.id}")
    assert answer.status_code == 404 and answer.text.count("\n") == 1
