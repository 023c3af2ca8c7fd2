"""Heatmaps on frames: one scale over the clip, perceptually uniform colours, opacity in proportion to the heat."""

from functools import cache

import cv2
import matplotlib as mpl
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from video_tcav.core.errors import InputError

STRENGTH = 0.6
# Blue lowers and orange raises, as in charts; without a sign, the half that raises. It came with matplotlib 3.10.
_COLOURS = "managua_r"
# Quantile of absolute heat that gets the full colour, and brightness of what the model did not see.
_SHARE, _DIMMED = 0.99, 0.35
# Levels of 8 bits, for look-up tables; with a sign, level 128 is no heat.
_LEVELS, _ZERO = 256, 128
# Bins of a histogram over floats: their upper 16 of 31 bits without the sign, 8 of them of the mantissa's 23.
_BINS, _DROPPED_BITS = 1 << 16, 15


def blend_heat(
    frames: UInt8[Tensor, "time 3 height width"],
    heat: Float[Tensor, "time height width"],
    *,
    signed: bool,
    strength: float = STRENGTH,
    seen: Bool[Tensor, "height width"] | None = None,
    scale: float | None = None,
) -> UInt8[Tensor, "time 3 height width"]:
    """Frames with the heat on top.

    Opacity grows in proportion to the heat, so that a pixel without heat stays as it was. If `signed`, what lowers
    the target is blue and what raises it is orange; otherwise all heat is orange. The colours have even steps of lightness,
    and differ for those who cannot tell red from green.

    Args:
        frames: RGB.
        heat: of each pixel.
        signed: whether heat raises (positive) and lowers (negative) the target, or has no sign.
        strength: opacity where the heat is largest, above 0 and up to 1.
        seen: which part of the picture the model saw; the rest is darkened. All of it if not given.
        scale: heat that gets the full colour; `heat_scale(heat)` if not given.

    Raises:
        InputError: if the arguments do not fit each other, heat is not finite, or is negative without `signed`.
    """
    check_heat(frames, heat, signed=signed, seen=seen)
    if not 0 < strength <= 1:
        raise InputError(f"`strength` must be above 0 and at most 1. Got {strength}. {STRENGTH} is usual.")
    scale = heat_scale(heat) if scale is None else scale
    opacity_left, colours = _opacity_tables(signed, strength)
    light = None if seen is None else np.where(seen.cpu().numpy(), 255, round(255 * _DIMMED)).astype(np.uint8)
    blended = torch.empty(frames.shape, dtype=torch.uint8)
    for frame, frame_heat, result in zip(frames, heat, blended.numpy(), strict=True):
        levels = heat_levels(heat_array(frame_heat), scale, signed=signed)
        remaining = cv2.LUT(levels, opacity_left)
        for channel, colour, out in zip(frame.cpu().numpy(), colours, result, strict=True):
            below = channel if light is None else cv2.multiply(channel, light, scale=1 / 255)
            cv2.add(cv2.multiply(below, remaining, scale=1 / 255), cv2.LUT(levels, colour), dst=out)
    return blended


def heat_scale(heat: Float[Tensor, "time height width"]) -> float:
    """The absolute value that 99 % of all heat in the clip stays below, zeros left out; 0 if there is no heat.

    A few extreme pixels do not make the rest pale, and one hot spot in an empty clip still gets the full colour.
    Exact to half a percent, downwards.
    """
    counts = np.zeros(_BINS, np.int64)
    for frame in heat:
        # Positive floats sort as their bits do, so that a histogram of bits finds the quantile without sorting a video.
        bits = np.abs(heat_array(frame)).view(np.uint32)
        counts += np.bincount((bits >> _DROPPED_BITS).ravel(), minlength=_BINS)
    counts[0] = 0
    ranks = counts.cumsum()
    quantile_bin = int(np.searchsorted(ranks, _SHARE * ranks[-1]))
    return float(np.array(quantile_bin << _DROPPED_BITS, np.uint32).view(np.float32))


@cache
def heat_colours(signed: bool) -> UInt8[np.ndarray, "256 3"]:
    """The colours from the least to the most heat; if `signed`, entry 128 stands for none."""
    colours = mpl.colormaps[_COLOURS](np.linspace(0 if signed else 0.5, 1, _LEVELS))
    table = np.rint(colours[:, :3] * 255).astype(np.uint8)
    table.flags.writeable = False  # it is cached, and shared by all callers
    return table


def heat_levels(heat: Float[np.ndarray, "*place"], scale: float, *, signed: bool) -> UInt8[np.ndarray, "*place"]:
    """Each value's entry in the tables of 256 levels, as `heat_colours` has them."""
    # `convertScaleAbs` takes the absolute value last: shifted to the middle of the levels, nothing is negative by then.
    shares = heat / np.float32(scale or 1)  # where there is no scale, there is no heat
    if not signed:
        return cv2.convertScaleAbs(shares, alpha=_LEVELS - 1)
    return cv2.convertScaleAbs(np.clip(shares, -1, 1), alpha=_ZERO - 1, beta=_ZERO)


@cache
def level_shares(signed: bool) -> Float[np.ndarray, " 256"]:
    """How hot each level is, by absolute value, from 0 to 1."""
    levels = np.arange(_LEVELS)
    return np.abs(levels - _ZERO).clip(max=_ZERO - 1) / (_ZERO - 1) if signed else levels / (_LEVELS - 1)


def check_heat(
    frames: UInt8[Tensor, "time 3 height width"],
    heat: Float[Tensor, "time height width"],
    *,
    signed: bool,
    seen: Bool[Tensor, "height width"] | None = None,
) -> None:
    """Check that frames and heat fit each other, and that heat is finite, and not negative unless `signed`."""
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8 or frames.numel() == 0:
        raise InputError(
            f"`frames` must be uint8 of shape (time, 3, height, width). Got {_described(frames)}. Convert it, with a frame in it."
        )
    time, _, height, width = frames.shape
    if tuple(heat.shape) != (time, height, width) or not heat.is_floating_point():
        raise InputError(
            f"`heat` must be floats of shape {(time, height, width)}, as the frames are. Got {_described(heat)}. "
            "Bring it to the video's frames and size."
        )
    if seen is not None and (tuple(seen.shape) != (height, width) or seen.dtype != torch.bool):
        raise InputError(
            f"`seen` must be bool of shape {(height, width)}. Got {_described(seen)}. Give one value a pixel."
        )
    lowest, highest = (float(value) for value in heat.detach().aminmax())
    if not np.isfinite(lowest + highest):
        raise InputError(f"`heat` must be finite. Got {lowest} to {highest}. Look at how it was made.")
    if lowest < 0 and not signed:
        raise InputError(f"`heat` must not be negative without `signed`. Got {lowest:.3g}. Set `signed`, or clamp it.")


@cache
def _opacity_tables(signed: bool, strength: float) -> tuple[np.ndarray, UInt8[np.ndarray, "3 256"]]:
    """Share of the video that stays at each level, in 255ths, and colour that the heat adds to it."""
    remaining = np.rint(255 * (1 - strength * level_shares(signed))).astype(np.uint8)
    # From the rounded share, so that the sum of both is never above 255.
    added = np.rint(heat_colours(signed) * (1 - remaining[:, None] / 255)).astype(np.uint8)
    return remaining, np.ascontiguousarray(added.T)


def heat_array(heat: Float[Tensor, "height width"]) -> Float[np.ndarray, "height width"]:
    """The heat of one frame for NumPy and OpenCV."""
    return heat.detach().to("cpu", torch.float32).numpy()


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
