"""Preprocessing of a decoded clip: resize, centre crop, scale to [0, 1], normalise, lay out."""

from math import ceil

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from video_tcav.core.clip_spec import ClipSpec

_LARGE_FRAME = 12_000_000
"""Values of one frame, 4 megapixels in three colours: above it floats of all channels take too much memory."""


def prepare_clip(
    clip: UInt8[Tensor, "time 3 height width"], spec: ClipSpec
) -> Float[Tensor, "first second height_out width_out"]:
    """One model input by the sizes, mean, deviation and layout of a clip spec, as torchvision's video presets compute it."""
    # A still picture is a view with stride 0 in time: it is prepared once and repeated at the end.
    still = clip.shape[0] > 1 and clip.stride(0) == 0
    frames = clip[:1].contiguous() if still else clip.contiguous()
    if spec.size is not None:
        # Bilinear without antialiasing, as the published video models were trained (pytorch/vision#7160).
        target = list(resized_size((frames.shape[-2], frames.shape[-1]), spec))
        # Large frames channel by channel: floats take four bytes for one.
        groups = frames.split(1, dim=1) if frames[0].numel() > _LARGE_FRAME else [frames]
        frames = _centre_crop(torch.cat([_resized(group, target) for group in groups], dim=1), spec.size)
    mean, deviation = (torch.tensor(values, device=frames.device)[:, None, None] for values in (spec.mean, spec.std))
    normalised = (frames / 255).sub_(mean).div_(deviation)
    if still:
        normalised = normalised.expand(clip.shape[0], -1, -1, -1).contiguous()
    return normalised.transpose(0, 1) if spec.layout == "channels_first" else normalised


def _resized(
    frames: UInt8[Tensor, "time channel height width"], size: list[int]
) -> UInt8[Tensor, "time channel height_out width_out"]:
    floats = functional.interpolate(frames.float(), size, mode="bilinear", align_corners=False, antialias=False)
    return floats.round_().to(torch.uint8)


def _centre_crop(
    frames: UInt8[Tensor, "time channel height width"], size: tuple[int, int]
) -> UInt8[Tensor, "time channel height_out width_out"]:
    """The middle of the frames, with black around it where they are smaller than the crop."""
    edges = [_edges(full, crop) for full, crop in zip(frames.shape[-2:], size, strict=True)]
    return functional.pad(frames, [*edges[1], *edges[0]])  # the last axis first; a negative width crops


def _edges(full: int, crop: int) -> tuple[int, int]:
    """Pixels to add before and after an axis; negative to cut off. Rounded as torchvision's centre crop does."""
    before = (crop - full) // 2 if crop > full else -round((full - crop) / 2)
    return before, crop - full - before


def resized_size(native: tuple[int, int], spec: ClipSpec) -> tuple[int, int]:
    """`(height, width)` of a video (`native`) after the resize and before the crop; `spec.size` must be set.

    Where `resize` is unset, it is large enough for the crop.
    """
    assert spec.size is not None
    if isinstance(spec.resize, tuple):
        return spec.resize
    short = min(spec.size) if spec.resize is None else spec.resize
    height, width = native
    # Truncated, not rounded, as torchvision's resize does.
    height, width = (short, int(short * width / height)) if height <= width else (int(short * height / width), short)
    if spec.resize is None and (height < spec.size[0] or width < spec.size[1]):
        scale = max(spec.size[0] / native[0], spec.size[1] / native[1])
        return max(spec.size[0], ceil(native[0] * scale)), max(spec.size[1], ceil(native[1] * scale))
    return height, width


def seen_box(native: tuple[int, int], spec: ClipSpec) -> tuple[float, float, float, float]:
    """Box of a video's picture (`native` is its `(height, width)`) that remains after resize and centre crop.

    It is top, left, bottom and right, in pixels of the video.
    """
    height, width = native
    if spec.size is None:
        return 0.0, 0.0, float(height), float(width)
    resized = resized_size(native, spec)
    edges = []
    for side, full, crop in zip(native, resized, spec.size, strict=True):
        start = round((full - crop) / 2)  # as torchvision's center_crop rounds
        edges.append((max(0.0, start * side / full), min(float(side), (start + crop) * side / full)))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right
