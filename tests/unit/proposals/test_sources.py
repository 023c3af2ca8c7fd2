"""Videos that are out of the ordinary: uneven frame rates, pixels that are not square, very large frames."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from video_tcav.concepts import ConceptBank
from video_tcav.media import VideoSource, probe_video, read_frames
from video_tcav.media.timeline import read_timeline
from video_tcav.proposals import propose
from video_tcav.proposals.cutting import FullResolutionFrames, evenly
from video_tcav.proposals.shots import shot_segments

from .videos import FPS, Squares, write_timed

ROOT = Path(__file__).resolve().parents[3]
LARGE_FPS = 6  # ten seconds are 60 frames
SPEED = 30  # pixels a second


def _square_at(times_s):
    """A red square of 30 pixels that goes to the right at `SPEED`, one picture for each time."""
    generator = np.random.default_rng(0)
    scene = np.kron(generator.integers(60, 160, (15, 20, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
    pictures = np.repeat(scene[None], len(times_s), 0)
    for picture, time_s in zip(pictures, times_s, strict=True):
        left = round(10 + SPEED * time_s)
        picture[50:80, left : left + 30] = (240, 20, 20)
    return pictures


def _red_left(frames):
    red = frames[:, 0].int() - frames[:, 1:].int().amax(1) > 90
    return np.array([torch.nonzero(one.any(0)).min().item() for one in red])


def test_clips_of_an_uneven_video_last_as_long_as_their_span(tmp_path):
    steps = np.concatenate([np.full(20, 0.04), np.full(8, 0.12), np.full(20, 0.04)])
    times_s = np.concatenate([[0], np.cumsum(steps)])
    write_timed(tmp_path / "v" / "uneven.mp4", _square_at(times_s), times_s)
    found = propose(tmp_path / "v", tmp_path / "bank", detector=Squares(), kinds=("moving", "focus"))
    assert found.clips == 2
    with ConceptBank.open(tmp_path / "bank") as bank:
        for clip in bank.clips():
            origin = clip.origin
            span_s = origin.end_s - origin.start_s
            assert span_s == pytest.approx(times_s[-1] + 0.04, abs=0.02)
            assert probe_video(clip.path).duration_s == pytest.approx(span_s, abs=0.5 / clip.fps + 1e-3)
            assert len(origin.times_s) == len(origin.boxes) == clip.frames
            played_s = origin.start_s + np.arange(clip.frames) / clip.fps
            assert np.abs(played_s - origin.times_s).max() <= 0.06 + 1e-3  # half of the longest interval
            if clip.kind == "focus":
                left = _red_left(read_frames(VideoSource(path=clip.path, kind="video"), range(clip.frames)))
                np.testing.assert_allclose(left, 10 + SPEED * played_s, atol=0.06 * SPEED + 2)


@given(fps=some.sampled_from([5.0, 23.976, 25.0, 29.97, 60.0]), count=some.integers(1, 80), ticks=some.booleans())
def test_at_an_even_rate_every_frame_is_shown_once(fps, count, ticks):
    times_s = np.arange(count + 1) / fps
    if ticks:
        times_s = np.round(times_s, 3)  # as Matroska keeps them
    (one,) = (
        shot_segments([torch.zeros(3, 8, 8, dtype=torch.uint8)] * count, times_s[:count])
        if count < 10 * fps
        else (None,)
    )
    if one is not None:
        assert one.fps == pytest.approx(fps, rel=0.05) or count < 3
        np.testing.assert_array_equal(evenly(times_s[:count], one.until_s, one.fps), np.arange(count))


def test_boxes_are_in_square_pixels_where_stored_ones_are_not_square(tmp_path):
    times_s = np.arange(55) / FPS
    rows = {}
    for name, aspect in (("square", None), ("wide", Fraction(2, 1))):
        path = write_timed(tmp_path / name / "v.mp4", _square_at(times_s), times_s, pixel_aspect=aspect)
        with av.open(str(path)) as container:
            assert (container.streams.video[0].sample_aspect_ratio or 1) == (aspect or 1)
        propose(tmp_path / name, tmp_path / f"bank-{name}", detector=Squares(), kinds=("moving",))
        with ConceptBank.open(tmp_path / f"bank-{name}") as bank:
            (clip,) = bank.clips()
            rows[name] = np.array(clip.origin.boxes)
    np.testing.assert_allclose(rows["wide"][:, 0], 2 * (10 + SPEED * times_s), atol=4)
    np.testing.assert_allclose(rows["wide"], rows["square"] * (2, 1, 2, 1), atol=2.5)  # colour is stored coarsely


def test_the_second_reading_gives_the_frames_that_were_looked_through(tmp_path):
    times_s = np.arange(40) / FPS
    path = write_timed(tmp_path / "v.mp4", _square_at(times_s), times_s)
    source = VideoSource(path=path, kind="video")
    reading = FullResolutionFrames(source, read_timeline(source))
    whole = read_frames(source, range(40))
    taken = [at for first, end in ((3, 7), (7, 9), (30, 40)) for at, frame in reading._between(first, end)
             if torch.equal(frame, whole[at])]  # fmt: skip
    reading.close()
    assert taken == [3, 4, 5, 6, 7, 8, *range(30, 40)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_video_of_very_large_frames_fits_into_memory(tmp_path):
    """Ten seconds of 3840 × 2160 are 1.5 GB as pictures, beside what Python and PyTorch take."""
    path = tmp_path / "v" / "large.mp4"
    path.parent.mkdir()
    grid = np.kron(np.random.default_rng(0).integers(90, 130, (27, 48, 1), np.uint8), np.ones((80, 80, 3), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=LARGE_FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 3840, 2160, "yuv420p"
        for at in range(10 * LARGE_FPS):
            picture = grid.copy()
            picture[600:1500, 200 + 25 * at : 700 + 25 * at] = (220, 40, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    code = (
        "import sys; from pathlib import Path; from video_tcav.cli.app import main; sys.argv = ['video-tcav', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally: print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )  # not ru_maxrss, which a new process takes over from the one that started it
    command = ("propose", path.parent, "--bank", tmp_path / "bank", "--detector", "motion")
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peak_bytes = int(done.stdout.split()[-1]) * 1024
    print(f"peak {peak_bytes / 1e9:.2f} GB")
    assert peak_bytes < 1.5e9
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert bank.count(kind="moving") >= 3
        for clip in bank.clips(kind="moving"):
            assert clip.width == 224
            top, bottom = np.array(clip.origin.boxes)[:, [1, 3]].mean(0)
            assert abs(top - 600) < 60 and abs(bottom - 1500) < 60
