"""From factors to pixels: the clip, and per frame what every pixel belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.rendered.factors import ORDERED, Colour, Factors, Nuisance
from video_tcav.rendered.figure import ARM, BODY, OBJECT, SCENE, Part, figure_parts, seat_part, shadow_part
from video_tcav.rendered.motions import SIT_BACK, joints_over_time
from video_tcav.rendered.scenes import draw_scene

FRAMES, SIZE = 16, 64
_SHIFT = 6
_PARTS: dict[str, tuple[int, ...]] = {"figure": (BODY, ARM), "arm": (ARM,), "object": (OBJECT,)}
_NOISE_BANK = 1 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedClip:
    """A clip with its truth.

    Attributes:
        factors: what it is made of.
        clip: the pixels, RGB.
        labels: what each pixel belongs to: 0 scene, 1 figure, 2 the arm whose hand holds the object, 3 the object.
    """

    factors: Factors
    clip: UInt8[Tensor, "time 3 height width"]
    labels: UInt8[Tensor, "time height width"]

    def mask(self, part: str) -> Bool[Tensor, "time height width"]:
        """Which pixels show `figure` (arm included), `arm` or `object`, as far as nothing hides them."""
        return torch.isin(self.labels, torch.tensor(_known(part), dtype=torch.uint8))

    def boxes(self, part: str) -> Float[Tensor, "time 4"]:
        """The smallest box around a part in each frame: left, top, right, bottom in pixels; NaN where it is not seen."""
        mask = self.mask(part)
        found = torch.full((len(mask), 4), torch.nan)
        for frame, seen in enumerate(mask):
            rows, columns = seen.any(1).nonzero().ravel(), seen.any(0).nonzero().ravel()
            if len(rows):
                edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
                found[frame] = torch.tensor([float(edge) for edge in edges])
        return found


def render(factors: Factors, *, frames: int = FRAMES, size: int | tuple[int, int] = SIZE) -> RenderedClip:
    """Render one clip.

    Args:
        factors: what to show; the same factors give the same clip.
        frames: how many frames; the clip shows the same stretch of time whatever their number.
        size: pixels, or `(height, width)`.

    Raises:
        InputError: if `frames` or `size` is too small.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if frames < 1 or min(height, width) < 16:
        raise InputError(
            f"`size` must be at least 16 pixels, `frames` at least 1. Got {height}x{width}, {frames} frames. Take more."
        )
    look = factors.nuisance
    scene, path, noise = (np.random.default_rng([look.detail, part]) for part in range(3))
    margin = 1 + round(look.shake * height)
    background = draw_scene(factors.scene, height + 2 * margin, width + 2 * margin, scene)
    shake = np.clip(_shake(frames, path) * look.shake * height, -margin + 1, margin - 1)
    clip = np.empty((frames, height, width, 3), np.uint8)
    labels = np.zeros((frames, height, width), np.uint8)
    for frame, (across, down) in enumerate(np.round(shake).astype(int)):
        top, left = margin + down, margin + across
        clip[frame] = background[top : top + height, left : left + width]
    parts = _parts(factors, frames)
    _paint(clip, labels, parts, _corners(parts, look, np.round(shake), height, width))
    _expose(clip, look.light, look.noise, noise)
    return RenderedClip(
        factors=factors, clip=torch.from_numpy(clip).permute(0, 3, 1, 2), labels=torch.from_numpy(labels)
    )


def render_batch(
    many: Sequence[Factors], *, frames: int = FRAMES, size: int | tuple[int, int] = SIZE
) -> UInt8[Tensor, "clip time 3 height width"]:
    """The pixels of several clips."""
    return torch.stack([render(factors, frames=frames, size=size).clip for factors in many])


def _known(part: str) -> tuple[int, ...]:
    if part not in _PARTS:
        raise InputError(f"`part` must be one of {', '.join(_PARTS)}. Got {part!r}. Choose one.")
    return _PARTS[part]


def _parts(factors: Factors, frames: int) -> list[Part]:
    """Shadow, seat and figure, the hindmost first."""
    joints = joints_over_time(factors.motion, factors.nuisance, frames)
    seat = [seat_part(-SIT_BACK - 0.01, 0.2, frames)] if factors.motion in ORDERED else []
    return [shadow_part(joints.hip), *seat, *figure_parts(factors, joints)]


def _corners(
    parts: Sequence[Part], look: Nuisance, shake: Float[np.ndarray, "frame 2"], height: int, width: int
) -> Int[np.ndarray, "frame corner 2"]:
    """The corners of all parts, one part after the other, in OpenCV's fractions of a pixel."""
    outlines = np.concatenate([part.outline for part in parts], axis=1)
    scale = look.scale * height
    found = np.empty((*outlines.shape, 2))
    found[..., 0] = np.real(outlines) * (-scale if look.mirrored else scale) + (width * (0.5 + look.x) - shake[:, :1])
    found[..., 1] = np.imag(outlines) * -scale + (height * look.y - shake[:, 1:])
    return np.rint(found * (1 << _SHIFT)).astype(np.int32)


def _paint(clip: np.ndarray, labels: np.ndarray, parts: Sequence[Part], corners: np.ndarray) -> None:
    ends = np.cumsum([part.outline.shape[1] for part in parts]).tolist()
    places = [(part, slice(end - part.outline.shape[1], end)) for part, end in zip(parts, ends, strict=True)]
    (shadow, at), *others = places
    for picture, label, points in zip(clip, labels, corners, strict=True):
        _darken(picture, points[at], shadow.colour)
        for part, where in others:
            cv2.fillConvexPoly(picture, points[where], part.colour, cv2.LINE_AA, _SHIFT)
            if part.label != SCENE:
                cv2.fillConvexPoly(label, points[where], part.label, cv2.LINE_8, _SHIFT)


def _darken(picture: np.ndarray, outline: np.ndarray, colour: Colour) -> None:
    """Paint an outline with a third of its strength."""
    height, width = picture.shape[:2]
    (left, top), (right, bottom) = outline.min(0) >> _SHIFT, (outline.max(0) >> _SHIFT) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return
    part = picture[top:bottom, left:right]
    shaded = part.copy()
    cv2.fillConvexPoly(shaded, outline - np.array([left, top], np.int32) * (1 << _SHIFT), colour, cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(part, 0.68, shaded, 0.32, 0.0, dst=part)


def _shake(frames: int, generator: np.random.Generator) -> np.ndarray:
    """A smooth path of the camera, about one in size."""
    times = np.arange(frames)[:, None] / frames
    speed, start = generator.uniform(0.5, 2.5, 2), generator.uniform(0, 2 * np.pi, 2)
    return np.sin(2 * np.pi * speed * times + start)


def _expose(clip: np.ndarray, light: float, noise: float, generator: np.random.Generator) -> None:
    """Light and sensor noise, in place; the noise comes from a fixed bank, read from a drawn place."""
    flat = clip.reshape(len(clip), -1)
    cv2.convertScaleAbs(flat, dst=flat, alpha=light)
    if noise <= 0:
        return
    length = flat.shape[1]
    bank = _noise_bank(max(_NOISE_BANK, 2 * length))
    for row, start in zip(flat, generator.integers(len(bank) - length, size=len(flat)), strict=True):
        row[:] = np.clip(row + bank[start : start + length] * np.float32(noise), 0, 255)


@lru_cache(maxsize=2)
def _noise_bank(length: int) -> np.ndarray:
    return np.random.default_rng(17).standard_normal(length, dtype=np.float32)
