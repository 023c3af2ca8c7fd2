"""Encoding: videos that browsers play, and pictures."""

from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import av
import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.checks import one_of, positive
from video_tcav.core.errors import InputError
from video_tcav.core.files import atomic_path

VideoCodec = Literal["h264", "vp9", "av1"]

_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    # without x264's macroblock tree, whose bytes differ from one run to the next
    "h264": ("libx264", {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"}),
    "vp9": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4"}),
    "av1": ("libsvtav1", {"crf": "28", "preset": "8"}),
}
_CONTAINERS: dict[str, dict[str, str]] = {
    "h264": {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"},
    "vp9": {".webm": "webm", ".mkv": "matroska", ".mp4": "mp4"},
    "av1": {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"},
}


def write_video(
    path: str | Path,
    frames: UInt8[Tensor, "time 3 height width"],
    *,
    fps: float | int = 25,
    codec: VideoCodec = "h264",
) -> None:
    """Write a video atomically.

    An odd height or width is made even by repeating the last row or column, since codecs halve the resolution of colour.

    Args:
        path: where; the ending is the container (h264: .mp4, .mov, .mkv; vp9: .webm, .mkv, .mp4; av1: .mp4, .webm, .mkv).
        frames: RGB.
        fps: frames per second.
        codec: `h264` is written by x264 (GPL upstream), the other two by encoders under permissive licences.

    Raises:
        InputError: if there is no frame, or codec, ending or rate is not possible.
        OutputError: if the file cannot be written.
    """
    path = Path(path)
    one_of("codec", codec, get_args(VideoCodec))
    container_format = _CONTAINERS[codec].get(path.suffix.lower())
    if container_format is None:
        endings = ", ".join(_CONTAINERS[codec])
        raise InputError(f"`path` must end in one of {endings} for {codec}. Got {path.name}. Change it.")
    positive("fps", fps, "25 is usual.")
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8 or frames.numel() == 0:
        layout = f"{str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
        raise InputError(
            f"`frames` must be uint8 of shape (time, 3, height, width). Got {layout}. Convert it, with a frame in it."
        )
    with atomic_path(path) as temporary:  # FFmpeg's errors of file and format are OSErrors too
        _encode(temporary, frames, Fraction(fps).limit_denominator(65535), codec, container_format)


def write_picture(path: str | Path, picture: UInt8[Tensor, "3 height width"]) -> None:
    """Write an RGB picture as PNG, atomically.

    Raises:
        InputError: unless `path` ends in .png.
        OutputError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"`path` must end in .png. Got {path.name}. Change it.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture_bytes(picture, ".png"))


def picture_bytes(picture: UInt8[Tensor, "3 height width"], ending: str) -> bytes:
    """An RGB picture encoded as a file with this ending; JPEG at quality 90."""
    blue_first = np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy()[..., ::-1])  # OpenCV's order
    options = [cv2.IMWRITE_JPEG_QUALITY, 90] if ending in (".jpg", ".jpeg") else []
    return cv2.imencode(ending, blue_first, options)[1].tobytes()


def _encode(
    path: Path, frames: UInt8[Tensor, "time 3 height width"], rate: Fraction, codec: str, container_format: str
) -> None:
    encoder, options = _ENCODERS[codec]
    height, width = frames.shape[-2:]
    muxing = {"movflags": "faststart"} if container_format in ("mp4", "mov") else {}
    with av.open(str(path.absolute()), "w", format=container_format, options=muxing) as container:
        stream = container.add_stream(encoder, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        for frame in frames:
            picture = frame.permute(1, 2, 0).cpu().numpy()
            even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())
