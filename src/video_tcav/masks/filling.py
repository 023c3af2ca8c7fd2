"""Inpainting: holes of a clip filled from its own background where that comes to light, and from their rim elsewhere."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from video_tcav.masks.compositing import edge_px, grown
from video_tcav.masks.stabilisation import align, camera_shifts

Clip = UInt8[Tensor, "time 3 height width"]

_RADIUS_PX = 3  # of OpenCV's inpainting: what Telea 2004 uses; larger ones smear
_RIM = 0.012  # share of the shorter side: blur of the lens, compression and shadows reach that far around a person
_STATIC_LEVELS = 10  # grey levels by which a still background may differ from its median, in nearly all of its pixels
_STATIC_SHARE = 0.9
_CHECKED_SIDE_PX = 128  # shorter side of the grid of pixels that are looked at for that


@dataclass(frozen=True, kw_only=True, eq=False)
class FilledClip:
    """A clip without what was in its holes.

    Attributes:
        clip: the pixels; outside of the grown holes they are as they were.
        how: what the holes were filled with: `background` of the clip's own frames, `inpainting` from the rim, or both.
    """

    clip: Clip
    how: str


def fill_in(clip: Clip, holes: Bool[Tensor, "time height width"]) -> FilledClip:
    """Fill the holes of every frame.

    A static camera shows most of what is behind a person in other frames: the median of these is the background. What it never
    shows is inpainted once, in the background, so that the filling does not move with the hole. The frames of a moving camera are
    inpainted one by one.

    Args:
        clip: the pixels.
        holes: what to fill; they are grown by a small rim first.

    Source:
        Inpainting: Telea 2004, "An image inpainting technique based on the fast marching method".
    """
    height, width = clip.shape[-2:]
    rim = edge_px(height, width) + max(1, round(_RIM * min(height, width)))
    grown_holes = grown(holes.numpy(), rim)
    if not grown_holes.any():
        return FilledClip(clip=clip, how="nothing")
    pictures = np.ascontiguousarray(clip.permute(0, 2, 3, 1).numpy())
    # a hand-held camera shakes: its frames show one background once they are laid over each other
    shifts = camera_shifts(pictures)
    background = _background(pictures, grown_holes, shifts)
    if background is None:
        filled, how = np.stack([_inpainted(*frame) for frame in zip(pictures, grown_holes, strict=True)]), "inpainting"
    else:
        filled, how = _from_background(pictures, grown_holes, shifts, background)
    return FilledClip(clip=torch.from_numpy(filled).permute(0, 3, 1, 2).contiguous(), how=how)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Background:
    """The scene behind everything, as the middle frame's camera sees it."""

    picture: UInt8[np.ndarray, "height width 3"]
    visible: Bool[np.ndarray, "height width"]  # seen in some frame; the rest is inpainted


def _background(
    pictures: UInt8[np.ndarray, "time height width 3"],
    holes: Bool[np.ndarray, "time height width"],
    shifts: Int[np.ndarray, "time 2"],
) -> _Background | None:
    """Median of the frames outside of their holes; `None` where the camera moves, so that frames do not lie on each other."""
    aligned, shown = align(pictures, shifts), ~align(holes, shifts, outside=True)
    if not _is_static(aligned, shown):
        return None
    visible = np.any(shown, axis=0)
    mixed = visible & ~shown.all(0)  # elsewhere any frame will do, and large clips would fill the memory
    # pixels that no hole ever covers keep their own noise, which a median would smooth away
    picture = aligned[len(aligned) // 2].copy()
    picture[mixed] = np.rint(_median(aligned[:, mixed], shown[:, mixed]))
    return _Background(picture=_inpainted(picture, ~visible), visible=visible)


def _is_static(aligned: UInt8[np.ndarray, "time height width 3"], shown: Bool[np.ndarray, "time height width"]) -> bool:
    """Whether the frames are their median outside of the holes, but for noise and what little else moves."""
    # a sample of pixels tells as much: medians of whole large frames take longer than the model
    step = max(1, min(aligned.shape[1:3]) // _CHECKED_SIDE_PX)
    pixels, is_shown = aligned[:, ::step, ::step], shown[:, ::step, ::step]
    is_shown = is_shown[:, several] if (several := is_shown.sum(0) > 1).any() else is_shown[:, :0]
    if not is_shown.size:
        return False
    pixels = pixels[:, several].astype(np.float32)
    # the largest of three channels: a change of hue alone is one, too
    change = np.abs(pixels - _median(pixels, is_shown)).max(-1)
    return float((change[is_shown] <= _STATIC_LEVELS).mean()) >= _STATIC_SHARE


def _median(
    pixels: Shaped[np.ndarray, "time pixel 3"], shown: Bool[np.ndarray, "time pixel"]
) -> Float[np.ndarray, "pixel 3"]:
    """Median over the frames in which a pixel is shown, which must be some."""
    values = pixels.astype(np.float32)
    values[~shown] = np.nan
    return np.nanmedian(values, axis=0)


def _from_background(
    pictures: UInt8[np.ndarray, "time height width 3"],
    holes: Bool[np.ndarray, "time height width"],
    shifts: Int[np.ndarray, "time 2"],
    background: _Background,
) -> tuple[UInt8[np.ndarray, "time height width 3"], str]:
    repeated = np.broadcast_to(background.picture, pictures.shape)
    # the background back to where each frame's camera saw it
    behind = align(repeated, -shifts)
    is_visible = align(np.broadcast_to(background.visible, holes.shape), -shifts, outside=False)
    filled = np.where(holes[..., None], behind, pictures)
    share = float(is_visible[holes].mean())
    how = "background" if share == 1 else "background and inpainting" if share else "inpainting"
    return filled, how


def _inpainted(
    picture: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    if hole.all():  # no rim to fill from
        return np.broadcast_to(np.rint(picture.mean((0, 1))).astype(np.uint8), picture.shape)
    return cv2.inpaint(picture, hole.astype(np.uint8), _RADIUS_PX, cv2.INPAINT_TELEA) if hole.any() else picture
