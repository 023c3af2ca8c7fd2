"""Pictures upright, in square pixels, without the combs of interlacing; no list of files, no picture beyond memory."""

import resource
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, probe_video, read_clips, read_frames
from video_tcav.models.preprocess import prepare_clip


def still(path: Path) -> VideoSource:
    return VideoSource(path=path, kind="still")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_undone_as_pillow_does(tmp_path, suffix, orientation):
    quarters = np.zeros((48, 96, 3), np.uint8)
    quarters[:24, :48], quarters[:24, 48:], quarters[24:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[0x112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(quarters).save(path, exif=exif)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")).astype(int)
    picture = read_frames(still(path), [0])[0].permute(1, 2, 0).numpy()
    assert picture.shape == wanted.shape
    assert np.abs(picture - wanted).mean() < 3


def write_video(path: Path, encoder: str, pictures, *, aspect: Fraction | None = None, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("suffix", "encoder"), [("mp4", "libx264"), ("mkv", "libx264"), ("mpg", "mpeg2video")])
@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(8, 9)])
def test_pixels_become_square(tmp_path, suffix, encoder, aspect):
    picture = np.zeros((144, 176, 3), np.uint8)
    picture[:, 88:] = 255
    if suffix == "mpg":  # which stores the shape of the picture, not of its pixels
        aspect = Fraction(4, 3) / Fraction(176, 144)
    path = write_video(tmp_path / f"a.{suffix}", encoder, [picture] * 3, aspect=aspect)
    frame = read_frames(VideoSource(path=path, kind="video"), [1])[0]
    width = round(176 * aspect)
    assert frame.shape == (3, 144, width)
    assert abs(int((frame[0, 72] < 128).sum()) - width / 2) <= 1
    assert (probe_video(path).width, probe_video(path).height) == (width, 144)


def test_impossible_pixels_are_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", "libx264", [np.zeros((48, 64, 3), np.uint8)] * 2, aspect=Fraction(20, 1))
    with pytest.raises(MediaError, match=r"its pixels are said to be 20 times as wide as high"):
        read_frames(VideoSource(path=path, kind="video"), [0])


def combed(number: int) -> np.ndarray:
    """A bar that moves between the two fields of one frame."""
    picture = np.full((96, 128, 3), 40, np.uint8)
    for field in (0, 1):
        left = 10 + 8 * number + 4 * field
        picture[field::2, left : left + 20] = 220
    return picture


@pytest.mark.parametrize(
    ("suffix", "encoder", "options"),
    [("ts", "mpeg2video", {"flags": "+ildct+ilme"}), ("mp4", "libx264", {"x264-params": "tff=1"})],
)
def test_interlaced_frames_lose_their_combs(tmp_path, suffix, encoder, options):
    path = write_video(tmp_path / f"i.{suffix}", encoder, [combed(number) for number in range(10)], **options)
    with av.open(str(path)) as container:
        if not next(container.decode(video=0)).interlaced_frame:
            pytest.skip(f"{encoder} marks nothing as interlaced here")
    frames = read_frames(VideoSource(path=path, kind="video"), range(10)).float()
    combs = (frames[:, 0, 1:-1] - (frames[:, 0, :-2] + frames[:, 0, 2:]) / 2).abs().mean()
    raw = np.stack([combed(number) for number in range(10)])[..., 0].astype(float)
    raw_combs = np.abs(raw[:, 1:-1] - (raw[:, :-2] + raw[:, 2:]) / 2).mean()
    assert combs < raw_combs / 2
    lefts = [int((frame[0] > 128).float().mean(0).gt(0.5).nonzero()[0]) for frame in frames]
    assert np.abs(np.diff(lefts) - 8).max() <= 2  # in order, none repeated


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile other.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nother.mp4\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>other.mp4</BaseURL></MPD>\n',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "gif", "ts", "png", "jpg"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_are_refused_whatever_their_ending(make_video, tmp_path, kind, suffix):
    make_video("other.mp4")
    path = tmp_path / f"list.{suffix}"
    path.write_text(PLAYLISTS[kind])
    source = VideoSource(path=path, kind="still" if suffix in ("png", "jpg") else "video")
    with pytest.raises(MediaError, match="a playlist or text that names other files, which is never opened"):
        read_clips(source, ClipSpec(frames=4, stride=1))


def write_png(path: Path, width: int, height: int) -> None:
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(b"\0" + b"\x40\x80\xc0" * width) for _ in range(height)) + packer.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


MEASURED = """
import resource, sys
import torch
from pathlib import Path
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.media import find_videos, load_clips
from video_tcav.models.preprocess import prepare_clip
spec = ClipSpec(frames=16, stride=2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(loaded,) = load_clips(find_videos(sys.argv[1]), spec)
assert prepare_clip(loaded.clips[0], spec).shape == (3, 16, 112, 112)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_a_large_photo_is_resized_before_it_is_repeated(tmp_path):
    write_png(tmp_path / "photo.png", 6000, 4000)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "photo.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 0.4e9  # model input included


def test_a_still_gives_the_input_that_copies_of_it_give(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (300, 500, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    spec = ClipSpec(frames=5)
    clip = read_clips(still(tmp_path / "a.png"), spec)[0]
    assert clip.stride(0) == 0
    assert torch.equal(prepare_clip(clip, spec), prepare_clip(clip.clone(memory_format=torch.contiguous_format), spec))


@pytest.mark.parametrize(("suffix", "kind"), [("png", "still"), ("gif", "video"), ("gif", "still")])
def test_pictures_beyond_the_limit_are_refused_before_they_are_decoded(tmp_path, suffix, kind):
    path = tmp_path / f"bomb.{suffix}"
    if suffix == "png":
        write_png(path, 16000, 16000)
    else:
        tables = bytes(6) + b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0" + b"\x02\x02\x44\x01\0"
        path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 16000, 16000, 0x80, 0, 0) + tables + b";")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MediaError, match=r"16000×16000 pixels: more than (100|36) megapixels; make it|them smaller"):
        read_frames(VideoSource(path=path, kind=kind), [0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_interlaced_frames_whose_size_changes_are_said_to_differ(tmp_path):
    paths = [
        write_video(
            tmp_path / f"{side}.m2v", "mpeg2video", [np.full((side, side, 3), 90, np.uint8)] * 20, flags="+ildct+ilme"
        )
        for side in (64, 96)
    ]
    joined = tmp_path / "joined.m2v"
    joined.write_bytes(b"".join(path.read_bytes() for path in paths))
    with pytest.raises(MediaError, match="pictures differ in size: 64×64, 96×96"):
        read_frames(VideoSource(path=joined, kind="video"), range(40))


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.avif", "a.jpg"])
def test_an_animation_is_no_still(tmp_path, name):
    first, *others = (Image.new("RGB", (64, 48), (40 * number, 90, 200)) for number in range(3))
    first.save(tmp_path / name, format=name[2:].replace("jpg", "png"), save_all=True, append_images=others)
    with pytest.raises(MediaError, match="an animation that is named like a picture"):
        read_frames(still(tmp_path / name), [0])
    first.save(tmp_path / name)
    assert read_frames(still(tmp_path / name), [0]).shape == (1, 3, 48, 64)
