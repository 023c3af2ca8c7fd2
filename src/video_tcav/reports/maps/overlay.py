"""Overlay: a video with its heat on top, at its own size and rate, as MP4, animated GIF or animated WebP."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from video_tcav.core.checks import positive
from video_tcav.core.errors import InputError
from video_tcav.core.files import atomic_path, check_file_writable
from video_tcav.media import write_video
from video_tcav.reports.maps.heat import STRENGTH, blend_heat, check_heat

_VIDEO = ".mp4"
# The palette is made from a few small frames: they have the colours of all, and quantising takes time with each pixel.
_PALETTE_FRAMES, _PALETTE_WIDTH_PX = 8, 160


@dataclass(frozen=True, kw_only=True)
class _Animation:
    """How a format of animated pictures is written."""

    format: str
    step_ms: int
    fastest_fps: int  # browsers slow down what is faster
    options: dict[str, Any] = field(default_factory=dict)


_ANIMATIONS = {
    ".gif": _Animation(format="GIF", step_ms=10, fastest_fps=50),
    ".webp": _Animation(format="WEBP", step_ms=1, fastest_fps=90, options={"quality": 85, "method": 4}),
}


def write_overlay(
    path: str | Path,
    frames: UInt8[Tensor, "time 3 height width"],
    heat: Float[Tensor, "time height width"],
    *,
    fps: float,
    signed: bool,
    strength: float = STRENGTH,
    seen: Bool[Tensor, "height width"] | None = None,
    scale: float | None = None,
) -> Path:
    """Write the frames with the heat on top; the file is there in full or not at all.

    Every browser plays all three. MP4 is H.264, and an odd height or width is made even by repeating the last row or
    column. GIF and WebP repeat for ever; a frame that equals the one before makes that one last longer. GIF has 256
    colours for the whole clip and steps of 10 ms, in which the rate is kept on average.

    Args:
        path: where; ends in .mp4, .gif or .webp.
        frames: RGB, all frames of the video or of a part of it.
        heat: of each pixel.
        fps: frames per second of the video.
        signed: as for `blend_heat`, likewise `strength` and `seen`.
        strength: opacity where the heat is largest.
        seen: which part of the picture the model saw.
        scale: heat that gets the full colour; `heat_scale(heat)` if not given.

    Raises:
        InputError: for another ending, a rate that the format cannot keep, or as `blend_heat` does.
        OutputError: if the file cannot be written.
    """
    path = Path(path)
    animation = _checked_format(path, fps)
    check_heat(frames, heat, signed=signed, seen=seen)
    check_file_writable(path)
    blended = blend_heat(frames, heat, signed=signed, strength=strength, seen=seen, scale=scale)
    if animation is None:
        write_video(path, blended, fps=fps)
    else:
        _write_animation(path, blended, fps, animation)
    return path


def fastest_fps(ending: str) -> float:
    """How many frames a second a format of files takes."""
    return _ANIMATIONS[ending].fastest_fps if ending in _ANIMATIONS else float("inf")


def _checked_format(path: Path, fps: float) -> _Animation | None:
    """How to write the file; none for a video."""
    ending = path.suffix.lower()
    if ending != _VIDEO and ending not in _ANIMATIONS:
        raise InputError(f"`path` must end in {_VIDEO}, {' or '.join(_ANIMATIONS)}. Got {path.name}. Change it.")
    positive("fps", fps, "25 is usual.")
    animation = _ANIMATIONS.get(ending)
    if animation is not None and round(fps, 2) > animation.fastest_fps:
        raise InputError(
            f"`fps` must be at most {animation.fastest_fps} for {ending}, since browsers slow down what is faster. "
            f"Got {fps:g}. Write {_VIDEO}, or fewer frames."
        )
    return animation


def _write_animation(
    path: Path, frames: UInt8[Tensor, "time 3 height width"], fps: float, animation: _Animation
) -> None:
    first, *following = _images(frames.permute(0, 2, 3, 1).numpy(), one_palette=animation.format == "GIF")
    durations = _durations_ms(len(frames), fps, animation.step_ms)
    with atomic_path(path) as temporary:
        first.save(
            temporary,
            format=animation.format,
            save_all=True,
            append_images=following,
            duration=durations,
            loop=0,
            **animation.options,
        )


def _durations_ms(count: int, fps: float, step_ms: int) -> list[int]:
    """How long each frame lasts, in whole steps, so that no frame comes more than half a step early or late."""
    # Rounding starts instead of durations keeps errors from adding up.
    starts = np.rint(np.arange(count + 1) * (1000 / fps / step_ms)).astype(int)
    return (np.diff(starts) * step_ms).tolist()


def _images(pictures: UInt8[np.ndarray, "time height width 3"], *, one_palette: bool) -> list[Image.Image]:
    images = [Image.fromarray(np.ascontiguousarray(picture)) for picture in pictures]
    if not one_palette:
        return images
    # Dithering hides the steps of smooth heat that 256 colours leave.
    palette = _palette(pictures)
    return [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]


def _palette(pictures: UInt8[np.ndarray, "time height width 3"]) -> Image.Image:
    """256 colours for the whole clip, so that still things do not flicker.

    Colours are spread over all that occur and then moved to the most frequent: Pillow's usual choice by frequency alone
    loses those of a small hot spot.
    """
    chosen = pictures[np.linspace(0, len(pictures) - 1, _PALETTE_FRAMES).round().astype(int)]
    height, width = pictures.shape[1:3]
    small = (min(width, _PALETTE_WIDTH_PX), max(1, round(height * min(1, _PALETTE_WIDTH_PX / width))))
    column = np.concatenate([cv2.resize(picture, small, interpolation=cv2.INTER_AREA) for picture in chosen])
    return Image.fromarray(column).quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
