"""Videos made on the spot: every frame has its own brightness, so a picture tells which frame it is."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

CODECS = {
    ".mp4": "libx264",
    ".mov": "libx264",
    ".mkv": "libx264",
    ".webm": "libvpx-vp9",
    ".avi": "mpeg4",
    ".gif": "gif",
}
LEVELS = 40  # distinct grey levels, 6 apart


def numbered_picture(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    picture = np.full((height, width, 3), 8 + 6 * (number % LEVELS), np.uint8)
    picture[: height // 4, : width // 4] = (250, 0, 0)  # red: the corner that was top left
    return picture


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    def make(
        name: str,
        frames: int = 30,
        *,
        fps: int = 25,
        times_ms: list[int] | None = None,
        codec: str | None = None,
        options: dict[str, str] | None = None,
        muxing: dict[str, str] | None = None,
        rotation: int = 0,
        hflip: bool = False,
        noise: bool = False,
        sound_s: float = 0,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noisy = np.random.default_rng(0)
        with av.open(str(path), "w", options=muxing or {}) as container:
            codec = codec or CODECS[path.suffix]
            stream = container.add_stream(codec, rate=fps, options=options or {})
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
            if codec == "mpeg4":
                stream.bit_rate = 2_000_000  # by default too coarse for 6 grey levels
            if rotation or hflip:
                stream.set_display_rotation(rotation, hflip=hflip)
            if times_ms:
                stream.codec_context.time_base = Fraction(1, 1000)
            sound = (
                container.add_stream("aac" if path.suffix != ".webm" else "libopus", rate=48000) if sound_s else None
            )
            for number in range(frames):
                picture = numbered_picture(number)
                if noise:
                    picture = noisy.integers(0, 256, picture.shape, dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                if times_ms:
                    frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if sound is not None:
                _write_silence(container, sound, sound_s)
        return path

    return make


def _write_silence(container, stream, seconds: float) -> None:
    samples = 960
    for number in range(int(seconds * 48000 / samples)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * samples, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


@pytest.fixture
def make_sound(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str) -> Path:
        with av.open(str(tmp_path / name), "w") as container:
            _write_silence(container, container.add_stream("aac", rate=48000), 0.5)
        return tmp_path / name

    return make


@pytest.fixture
def make_images(tmp_path: Path) -> Callable[..., Path]:
    def make(folder: str, names: list[str], *, sizes: list[tuple[int, int]] | None = None) -> Path:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            height, width = sizes[number] if sizes else (48, 64)
            codec = {"jpg": "mjpeg", "png": "png"}[name.rsplit(".", 1)[1]]
            write_image(tmp_path / folder / name, numbered_picture(number, height, width), codec)
        return tmp_path / folder

    return make


def write_image(path: Path, picture: np.ndarray, codec: str) -> None:
    context = av.CodecContext.create(codec, "w")
    context.height, context.width = picture.shape[:2]
    context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=context.pix_fmt)
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode()]))


@pytest.fixture
def frame_numbers() -> Callable[[torch.Tensor], list[int]]:
    """The numbers of `make_video`'s frames, read back from the brightness of the lower right quarter."""

    def read(frames: torch.Tensor) -> list[int]:
        grey = frames[..., frames.shape[-2] // 2 :, frames.shape[-1] // 2 :].float().mean((-1, -2, -3))
        return ((grey - 8) / 6).round().long().flatten().tolist()

    return read


@pytest.fixture
def cut() -> Callable[..., Path]:
    """A copy of a file with only its first part."""

    def cut(path: Path, part: float = 0.6) -> Path:
        content = path.read_bytes()
        short = path.with_name(f"cut_{path.name}")
        short.write_bytes(content[: int(part * len(content))])
        return short

    return cut
