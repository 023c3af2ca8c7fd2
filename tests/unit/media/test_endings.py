"""Every ending that a folder is searched for is one that is read, and what is left out is said."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from video_tcav.concepts.concept import left_out_notes
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, find_videos, read_clips
from video_tcav.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from video_tcav.media.sources import left_out_note

H264, MPEG2, MPEG4 = "libx264", "mpeg2video", "mpeg4"
WRITTEN = {
    ".mp4": (H264, "mp4"), ".m4v": (H264, "mp4"), ".mov": (H264, "mov"), ".qt": (H264, "mov"), ".f4v": (H264, "mp4"),
    ".3gp": (H264, "3gp"), ".3g2": (H264, "3g2"), ".mkv": (H264, "matroska"), ".webm": ("libvpx-vp9", "webm"),
    ".avi": (MPEG4, "avi"), ".divx": (MPEG4, "avi"), ".gif": ("gif", "gif"), ".apng": ("apng", "apng"),
    ".mpg": (MPEG2, "mpeg"), ".mpeg": (MPEG2, "mpeg"), ".vob": (MPEG2, "vob"), ".wmv": ("wmv2", "asf"),
    ".asf": (MPEG4, "asf"), ".flv": (H264, "flv"), ".ogv": ("libvpx", "ogv"), ".ts": (H264, "mpegts"),
    ".mts": (H264, "mpegts"), ".m2ts": (H264, "mpegts"), ".m2t": (MPEG2, "mpegts"), ".dv": ("dvvideo", "dv"),
    ".mj2": ("jpeg2000", "mp4"), ".h264": (H264, "h264"), ".264": (H264, "h264"),
    ".m2v": (MPEG2, "mpeg2video"), ".mjpeg": ("mjpeg", "mjpeg"), ".mjpg": ("mjpeg", "mjpeg"),
    ".ivf": ("libvpx-vp9", "ivf"), ".obu": ("libaom-av1", "obu"), ".y4m": ("rawvideo", "yuv4mpegpipe"),
}  # fmt: skip
HEVC = {".h265", ".265", ".hevc"}  # same demuxer; their encoder writes to the terminal
PIXELS = {"gif": "rgb8", "apng": "rgb24", "mjpeg": "yuvj420p"}


def write(path: Path, codec: str, form: str) -> None:
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = (720, 576) if codec == "dvvideo" else (64, 64)
        stream.pix_fmt, stream.bit_rate = PIXELS.get(codec, "yuv420p"), 2_000_000
        for number in range(12):
            picture = np.full((stream.height, stream.width, 3), 8 + 15 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize("ending", sorted(VIDEO_SUFFIXES - HEVC))
def test_videos_of_every_ending_are_found_and_read(tmp_path, ending):
    codec, form = WRITTEN[ending]
    codec = "libsvtav1" if codec not in av.codecs_available else codec
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {codec}")
    write(tmp_path / f"a{ending}", codec, form)
    (source,) = find_videos(tmp_path)
    clip = read_clips(source, ClipSpec(frames=12, size=None))[0]
    levels = clip.float().mean((1, 2, 3)).numpy()
    assert np.abs(levels - (8 + 15 * np.arange(12))).max() < 12


@pytest.mark.parametrize("ending", sorted(IMAGE_SUFFIXES))
def test_pictures_of_every_ending_are_found_and_read(tmp_path, ending):
    grey = np.tile(np.array([0, 255], np.uint8).repeat(32), (48, 1))
    picture = Image.fromarray(grey).convert({".pbm": "1", ".pgm": "L"}.get(ending, "RGB"))
    picture.save(tmp_path / f"a{ending}", **({"format": "JPEG"} if ending in (".jfif", ".jpe") else {}))
    (source,) = find_videos(tmp_path)
    assert source.kind == "still"
    clip = read_clips(source, ClipSpec(frames=2, size=None))[0]
    assert np.abs(clip.float().mean(1).numpy() - grey).max() < 25


def test_a_heif_picture_is_refused_whatever_its_name(tmp_path):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.avif")
    content = (tmp_path / "a.avif").read_bytes().replace(b"ftypavif", b"ftypheic", 1)
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(MediaError, match=r"a HEIF picture, which may be cut into tiles; save it as JPEG or PNG"):
        read_clips(VideoSource(path=tmp_path / "a.jpg", kind="still"), ClipSpec(frames=2))


@pytest.fixture
def racket(tmp_path: Path) -> Path:
    names = ["a.jpg", "b.HEIC", "c.heic", "deep/d.mp3", "e", ".DS_Store", "Thumbs.db", "deep/.f.heic", "deep/g.jpg"]
    for name in names:
        (tmp_path / "racket" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "racket" / name).touch()
    return tmp_path / "racket"


@pytest.mark.parametrize("where", ["racket", "racket::deep", "racket/**", "rack*"])
def test_files_that_are_left_out_are_counted_by_ending(racket, where):
    assert left_out_note(racket.parent / where) == (
        f"4 files of {racket.parent / where.partition('::')[0]} were left out: 2 .heic, 1 .mp3, 1 without ending; only "
        "videos and pictures of known endings are read."
    )


def test_nothing_is_left_out(racket):
    assert left_out_note(racket / "*.jpg") is None
    assert left_out_note(racket / "a.jpg") is None
    for name in ("b.HEIC", "c.heic", "e"):
        (racket / name).unlink()
    assert "1 file of" in str(left_out_note(racket))
    (racket / "deep/d.mp3").unlink()
    assert left_out_note(racket) is None


def test_many_endings_are_not_all_listed(racket):
    for letter in "abcdefg":
        (racket / f"x.{letter}").touch()
    assert "2 .heic, 1 .mp3, 1 without ending, " in str(left_out_note(racket))
    assert str(left_out_note(racket)).count(" 1 .") == 3
    assert "and 5 other endings;" in str(left_out_note(racket))


def test_sets_of_clips_say_each_folder_once(racket):
    assert len(left_out_notes([racket, str(racket / "a.jpg"), racket])) == 1
    assert left_out_notes(None) == left_out_notes(find_videos(racket)) == ()


@pytest.mark.parametrize(
    "names",
    [
        ["img_001.png", "img_002.png", "img_004.png"],
        ["frame9.png", "frame10.png"],
        ["001.png", "002.jpg"],
        ["01.png", "02.png"],
    ],
)
def test_numbered_pictures_that_are_no_video_are_said_to_be_stills(tmp_path, names):
    for name in names:
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    (note,) = left_out_notes(tmp_path)
    assert f"The numbered pictures of {tmp_path} are read as stills" in note
    assert {source.kind for source in find_videos(tmp_path)} == {"still"}


@pytest.mark.parametrize("names", [["img_001.png", "img_002.png"], ["racket1.png", "racket3.png"], ["001.png"]])
def test_nothing_is_said_of_frames_and_of_pictures_with_other_names(tmp_path, names):
    for name in names:
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    assert left_out_notes(tmp_path) == ()
