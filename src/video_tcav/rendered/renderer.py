"""Render factors to pixels, and to a label map of every frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError
from video_tcav.rendered.factors import ORDERED, Colour, Factors, Nuisance
from video_tcav.rendered.figure import ARM, BODY, OBJECT, SCENE, Shape, figure_shapes, seat_shape, shadow_shape
from video_tcav.rendered.motions import joints_over_time
from video_tcav.rendered.scenes import draw_scene

FRAMES, SIZE = 16, 64  # frames and pixels that the packaged networks take
# Bits of OpenCV's fractions of a pixel: outlines move by 1/64 px, so that slow motion is smooth.
_SHIFT = 6
_LABELS_OF: dict[str, tuple[int, ...]] = {"figure": (BODY, ARM), "arm": (ARM,), "object": (OBJECT,)}
# Random numbers in the bank of sensor noise, which saves drawing a fresh one for every pixel of every clip.
_NOISE_BANK = 1 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedClip:
    """A clip with its ground truth.

    Attributes:
        factors: that were rendered.
        clip: the pixels, RGB.
        labels: of each pixel: 0 scene, 1 figure, 2 the arm whose hand holds the object, 3 the object.
    """

    factors: Factors
    clip: UInt8[Tensor, "time 3 height width"]
    labels: UInt8[Tensor, "time height width"]

    def mask(self, part: str) -> Bool[Tensor, "time height width"]:
        """Pixels of `figure` (arm included), `arm` or `object` that nothing hides."""
        labels = _LABELS_OF[one_of("part", part, tuple(_LABELS_OF))]
        return torch.isin(self.labels, torch.tensor(labels, dtype=torch.uint8))

    def boxes(self, part: str) -> Float[Tensor, "time 4"]:
        """Bounding box of a part in each frame: left, top, right, bottom in pixels; NaN where it is not visible."""
        boxes = torch.full((len(self.labels), 4), torch.nan)
        for box, visible in zip(boxes, self.mask(part), strict=True):
            left, top, width, height = cv2.boundingRect(visible.byte().numpy())
            if width:
                box[:] = torch.tensor([left, top, left + width, top + height])
        return boxes


def render(factors: Factors, *, frames: int = FRAMES, size: int | tuple[int, int] = SIZE) -> RenderedClip:
    """Render one clip.

    Args:
        factors: the same factors give the same clip.
        frames: how many frames; the clip covers the same time whatever their number.
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
    # Streams 0 to 2 of a clip's own seed: scene, path of the camera, sensor noise.
    scene, path, noise = (np.random.default_rng([look.detail, stream]) for stream in range(3))
    # The background is larger than the clip by the reach of the shaking camera, and rendered once.
    margin = 1 + round(look.shake * height)
    background = draw_scene(factors.scene, height + 2 * margin, width + 2 * margin, scene)
    shake = np.clip(_shake(frames, path) * look.shake * height, -margin + 1, margin - 1)
    clip = np.empty((frames, height, width, 3), np.uint8)
    labels = np.zeros((frames, height, width), np.uint8)
    for frame, (across, down) in enumerate(np.round(shake).astype(int)):
        top, left = margin + down, margin + across
        clip[frame] = background[top : top + height, left : left + width]
    joints = joints_over_time(factors.motion, look, frames)
    seat = [seat_shape(frames)] if factors.motion in ORDERED else []
    shapes = [shadow_shape(joints.hip), *seat, *figure_shapes(factors, joints)]  # from back to front
    _paint(clip, labels, shapes, _corners(shapes, look, np.round(shake), height, width))
    _expose(clip, look.light, look.noise, noise)
    return RenderedClip(
        factors=factors, clip=torch.from_numpy(clip).permute(0, 3, 1, 2), labels=torch.from_numpy(labels)
    )


def render_batch(
    many: Sequence[Factors], *, frames: int = FRAMES, size: int | tuple[int, int] = SIZE
) -> UInt8[Tensor, "clip time 3 height width"]:
    """The pixels of several clips."""
    return torch.stack([render(factors, frames=frames, size=size).clip for factors in many])


def _corners(
    shapes: Sequence[Shape], look: Nuisance, shake: Float[np.ndarray, "frame 2"], height: int, width: int
) -> Int[np.ndarray, "frame corner 2"]:
    """Corners of all shapes, concatenated, in OpenCV's fractions of a pixel."""
    outlines = np.concatenate([shape.outline for shape in shapes], axis=1)
    scale = look.scale * height
    corners = np.empty((*outlines.shape, 2))
    corners[..., 0] = np.real(outlines) * (-scale if look.mirrored else scale) + (width * (0.5 + look.x) - shake[:, :1])
    corners[..., 1] = np.imag(outlines) * -scale + (height * look.y - shake[:, 1:])
    return np.rint(corners * (1 << _SHIFT)).astype(np.int32)


def _paint(clip: np.ndarray, labels: np.ndarray, shapes: Sequence[Shape], corners: np.ndarray) -> None:
    ends = np.cumsum([shape.outline.shape[1] for shape in shapes]).tolist()
    slices = [(shape, slice(end - shape.outline.shape[1], end)) for shape, end in zip(shapes, ends, strict=True)]
    (shadow, at), *figure = slices
    for picture, label, points in zip(clip, labels, corners, strict=True):
        _darken(picture, points[at], shadow.colour)
        for shape, where in figure:
            cv2.fillConvexPoly(picture, points[where], shape.colour, cv2.LINE_AA, _SHIFT)
            # Labels are drawn without antialiasing: a mixed label would be a third one.
            if shape.label != SCENE:
                cv2.fillConvexPoly(label, points[where], shape.label, cv2.LINE_8, _SHIFT)


def _darken(picture: np.ndarray, outline: np.ndarray, colour: Colour) -> None:
    """Paint an outline with a third of its opacity, on its bounding box alone."""
    height, width = picture.shape[:2]
    (left, top), (right, bottom) = outline.min(0) >> _SHIFT, (outline.max(0) >> _SHIFT) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return
    region = picture[top:bottom, left:right]
    shaded = region.copy()
    cv2.fillConvexPoly(shaded, outline - np.array([left, top], np.int32) * (1 << _SHIFT), colour, cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(region, 0.68, shaded, 0.32, 0.0, dst=region)


def _shake(frames: int, generator: np.random.Generator) -> np.ndarray:
    """A smooth random path of the camera, with an amplitude of one."""
    times = np.arange(frames)[:, None] / frames
    speed, start = generator.uniform(0.5, 2.5, 2), generator.uniform(0, 2 * np.pi, 2)
    return np.sin(2 * np.pi * speed * times + start)


def _expose(clip: np.ndarray, light: float, noise: float, generator: np.random.Generator) -> None:
    """Apply light and sensor noise in place; the noise is read from a fixed bank at random offsets."""
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
    # Stream 17; the bank is the same for all clips, whatever their seeds.
    return np.random.default_rng(17).standard_normal(length, dtype=np.float32)
