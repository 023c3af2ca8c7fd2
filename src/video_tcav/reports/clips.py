"""Clips and pictures inside a page: encoded, and carried along as data URIs."""

import base64
from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.scratch import scratch_folder
from video_tcav.media import write_video
from video_tcav.media.encode import picture_bytes
from video_tcav.rendered import Factors, render

_FRAMES, _FPS = 32, 25


@dataclass(frozen=True, kw_only=True)
class ShownClip:
    """One clip as a page shows it.

    Attributes:
        uri: the encoded clip as a data URI.
        label: what is to be seen, for those who cannot see it.
        moves: whether it is a video; otherwise it is a picture.
    """

    uri: str
    label: str
    moves: bool


def show_factors(factors: Factors, *, size: int, still: bool = False) -> ShownClip:
    """Render a clip of the rendered world for a page, smoother and larger than models see it.

    Args:
        factors: what it shows.
        size: pixels.
        still: whether to show the picture in its middle alone.
    """
    found = render(factors, frames=_FRAMES, size=size).clip
    uri = picture_uri(found[_FRAMES // 2]) if still else video_uri(found, fps=_FPS)
    return ShownClip(uri=uri, label=_seen(factors), moves=not still)


def video_uri(frames: UInt8[Tensor, "time 3 height width"], *, fps: float) -> str:
    """H.264 in MP4, which every browser plays."""
    with scratch_folder() as folder:
        path = folder / "clip.mp4"
        write_video(path, frames, fps=fps)
        return data_uri("video/mp4", path.read_bytes())


def picture_uri(frame: UInt8[Tensor, "3 height width"]) -> str:
    """A JPEG picture."""
    return data_uri("image/jpeg", picture_bytes(frame, ".jpg"))


def _seen(factors: Factors) -> str:
    held = "nothing in the hand" if factors.object == "none" else f"{factors.object} in the hand"
    return f"A figure: {factors.motion}; {held}; place: {factors.scene}."


def data_uri(kind: str, content: bytes) -> str:
    """A file as a part of the page."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
