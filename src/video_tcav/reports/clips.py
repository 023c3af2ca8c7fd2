"""Clips and pictures inside a page: encoded as data URIs."""

import base64
from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.scratch import scratch_folder
from video_tcav.media import write_video
from video_tcav.media.encode import picture_bytes
from video_tcav.rendered import Factors, render

# 1.3 s at a usual rate: smoother than the 8 to 16 frames that models take of the rendered world.
_FRAMES, _FPS = 32, 25


@dataclass(frozen=True, kw_only=True)
class ShownClip:
    """One clip as a page shows it.

    Attributes:
        uri: the encoded clip as a data URI.
        label: its content in words, for those who cannot see it.
        moves: whether it is a video; otherwise it is a picture.
    """

    uri: str
    label: str
    moves: bool


def show_factors(factors: Factors, *, size: int, still: bool = False) -> ShownClip:
    """Render a clip of the rendered world for a page, smoother and larger than models see it; if `still`, its middle alone."""
    frames = render(factors, frames=_FRAMES, size=size).clip
    uri = picture_uri(frames[_FRAMES // 2]) if still else video_uri(frames, fps=_FPS)
    hand = "nothing in the hand" if factors.object == "none" else f"{factors.object} in the hand"
    label = f"A figure: {factors.motion}; {hand}; place: {factors.scene}."
    return ShownClip(uri=uri, label=label, moves=not still)


def video_uri(frames: UInt8[Tensor, "time 3 height width"], *, fps: float) -> str:
    """H.264 in MP4, which every browser plays."""
    with scratch_folder() as folder:
        path = folder / "clip.mp4"
        write_video(path, frames, fps=fps)
        return data_uri("video/mp4", path.read_bytes())


def picture_uri(frame: UInt8[Tensor, "3 height width"]) -> str:
    """A JPEG picture."""
    return data_uri("image/jpeg", picture_bytes(frame, ".jpg"))


def data_uri(media_type: str, content: bytes) -> str:
    """A file inside the page."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
