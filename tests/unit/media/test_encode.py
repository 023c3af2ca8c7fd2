"""What is written is what was given, whole or not at all."""

import av
import pytest
import torch
from jaxtyping import TypeCheckError

from video_tcav.core.errors import InputError, OutputError
from video_tcav.media import VideoSource, probe_video, read_frames, write_video

FRAMES = torch.full((2, 3, 16, 16), 128, dtype=torch.uint8)


@pytest.mark.parametrize(("codec", "name"), [("h264", "o.mp4"), ("vp9", "o.webm"), ("av1", "o.mp4")])
def test_written_video_comes_back(tmp_path, codec, name):
    ramp = torch.linspace(0, 255, 10 * 3 * 47 * 65).reshape(10, 3, 47, 65).to(torch.uint8)
    write_video(tmp_path / name, ramp, fps=12.5, codec=codec)
    info = probe_video(tmp_path / name)
    assert (info.frame_count, info.height, info.width) == (10, 48, 66)
    assert info.fps == pytest.approx(12.5)
    back = read_frames(VideoSource(path=tmp_path / name, kind="video"), range(10))[..., :47, :65]
    assert (back.float() - ramp.float()).abs().mean() < 4
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_folders_are_made_and_what_is_none_is_named(tmp_path):
    write_video(tmp_path / "new" / "folder" / "a.mp4", FRAMES)
    assert probe_video(tmp_path / "new" / "folder" / "a.mp4").frame_count == len(FRAMES)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/a\.mp4` must be writable\."):
        write_video(tmp_path / "file" / "a.mp4", FRAMES)


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(av.VideoFrame, "from_ndarray", full)
    with pytest.raises(OutputError, match="Got: No space left on device"):
        write_video(tmp_path / "a.mp4", FRAMES)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.mp4", "old")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "a.avi"}, "`path` must end in one of .mp4, .mov, .mkv for h264"),
        ({"path": "a.mov", "codec": "vp9"}, "`path` must end in one of .webm"),
        ({"fps": 0}, "`fps` must be positive"),
        ({"frames": FRAMES[:0]}, "`frames` must be uint8 of shape .time, 3, height, width.. Got uint8 .0, 3,"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, change, message):
    settings = {"path": "a.mp4", "frames": FRAMES} | change
    with pytest.raises(InputError, match=message):
        write_video(tmp_path / settings.pop("path"), settings.pop("frames"), **settings)


@pytest.mark.parametrize("frames", [FRAMES.float(), FRAMES.movedim(1, -1)])
def test_other_tensors_are_refused(tmp_path, frames):
    # where shapes are checked at run time, that check comes first
    with pytest.raises((InputError, TypeCheckError), match=r"frames[\s\S]*(float32|f32|16, 16, 3|16,16,3)"):
        write_video(tmp_path / "a.mp4", frames)
