"""Space-time view of a clip: hot regions stand out as tubes in a block of slices, which shows their path."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from video_tcav.reports.charts import MUTED, PAPER, chart_style
from video_tcav.reports.maps.canvas import (
    LINE_PX,
    MARGIN_PX,
    NARROWEST_PX,
    TICK_PX,
    TICK_STEPS,
    WIDTH_PX,
    checked_times,
    new_sheet,
    resized,
    show_picture,
    shrinkage,
    to_picture,
)
from video_tcav.reports.maps.heat import blend_heat, check_heat, heat_colours, heat_levels, heat_scale, level_shares

# A slice's longer side before the projection; then what is left of its width, and how far it falls and time rises.
_LONGEST_SIDE_PX, _ACROSS, _DOWN, _RISE = 380, 0.5, 0.2, 0.1
# Least distance of slices in time, and of the layers between them that make up the tube.
_SLICE_PX, _STEP_PX = 180, 3
_AXIS_PX, _AXIS_GAP_PX, _TICK_LENGTH_PX = 76, 12, 8
_BAR_LEFT_PX = 96
# Opacity of a slice where it is cold, where it is hot, and of its edge.
_FAINT, _CLEAR, _EDGE = 0.3, 0.95, 0.4
# Shares of the scale between which heat becomes visible in the tube, and depth in pixels at which it hides what is behind.
_FROM, _TO, _DEPTH_PX = 0.3, 0.7, 12

_Layer = tuple[Float[np.ndarray, "height width 1"], Float[np.ndarray, "height width 3"]]
"""Share of the background that stays, and the colour that is added to it."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Geometry of the block of slices, in pixels."""

    side: tuple[int, int]  # width and height of a slice before its right edge falls
    length: int  # of the time

    @property
    def fall(self) -> int:
        """How much lower a slice's right edge is than its left."""
        return round(self.side[0] / _ACROSS * _DOWN)

    @property
    def rise(self) -> int:
        """How much higher the last slice is than the first."""
        return round(self.length * _RISE)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.length + self.side[0], self.rise + self.side[1] + self.fall

    def corner(self, share: float) -> tuple[int, int]:
        """The left top of the slice at that share of the time."""
        return round(share * self.length), round((1 - share) * self.rise)

    def on_axis(self, share: float) -> tuple[float, float]:
        """That share of the time on the axis, which runs along the slices' right lower corners."""
        bottom = self.side[1] + self.fall + _AXIS_GAP_PX
        return self.side[0] + share * self.length, bottom + (1 - share) * self.rise


def tube_picture(
    frames: UInt8[Tensor, "time 3 height width"],
    heat: Float[Tensor, "time height width"],
    *,
    times_s: Sequence[float] | Float[np.ndarray, " time"],
    title: str,
    signed: bool,
    seen: Bool[Tensor, "height width"] | None = None,
    scale: float | None = None,
) -> UInt8[Tensor, "3 picture_height picture_width"]:
    """A picture of a clip's space and time, at most 1600 pixels wide.

    Time runs to the right. Some frames stand as faint slices, the first in front; hot regions are clear in them, and are
    joined through time where they have a third of the heat that gets the full colour, or more.

    Args:
        frames: RGB, all of the clip.
        heat: of each pixel.
        times_s: when each frame is shown.
        title: above all.
        signed: as for `blend_heat`, likewise `seen`.
        seen: which part of the picture the model saw.
        scale: heat that gets the full colour; `heat_scale(heat)` if not given.

    Raises:
        InputError: if the arguments do not fit each other, heat is not finite, or times do not rise.

    Source:
        After the saliency tubes of Stergiou et al. 2019, arXiv:1902.01078.
    """
    check_heat(frames, heat, signed=signed, seen=seen)
    times = checked_times(times_s, len(frames))
    block = _block_of(len(frames), frames.shape[-1], frames.shape[-2])
    small, hot, mask = resized(frames, heat, seen, *block.side)
    scale = (heat_scale(heat) if scale is None else scale) * shrinkage(heat, hot)
    pictures = blend_heat(small, hot, signed=signed, seen=mask, scale=scale).permute(0, 2, 3, 1).numpy()
    levels = np.stack([heat_levels(_projected(frame, block), scale, signed=signed) for frame in hot.numpy()])
    width = max(NARROWEST_PX, block.size[0] + 2 * MARGIN_PX + LINE_PX)
    with chart_style():
        figure, (axes,) = new_sheet(
            title,
            width,
            [(0, block.size[1])],
            left=MARGIN_PX,
            right=width - MARGIN_PX - block.size[0],
            below=_AXIS_PX,
            bar_left=_BAR_LEFT_PX,
            signed=signed,
        )
        show_picture(axes, _painted(block, pictures, levels, times, signed=signed))
        _draw_axis(axes, block, times)
        return to_picture(figure)


def _block_of(count: int, width: int, height: int) -> _Block:
    """Slices of one size whatever the video's, and the time as long as fits."""
    scale = _LONGEST_SIDE_PX / max(height, width)
    side = (max(1, round(width * scale * _ACROSS)), max(1, round(height * scale)))
    length = min(WIDTH_PX - 2 * MARGIN_PX - LINE_PX - side[0], _SLICE_PX * (count - 1))
    return _Block(side=side, length=length)


def _painted(
    block: _Block,
    pictures: UInt8[np.ndarray, "time height width 3"],
    levels: UInt8[np.ndarray, "time slice_height width"],
    times: Float[np.ndarray, " time"],
    *,
    signed: bool,
) -> UInt8[np.ndarray, "block_height block_width 3"]:
    """The slices and the heat between them, painted from the last to the first."""
    shares = (times - times[0]) / (times[-1] - times[0] or 1)
    stride = max(1, math.ceil((len(times) - 1) * _SLICE_PX / max(1, block.length)))
    rows, columns = _hot_box(levels, signed)
    hot = levels[:, rows, columns]
    moments = np.linspace(0, 1, max(1, block.length // _STEP_PX)) if hot.size else ()
    painted = [(share, None) for share in moments]
    painted += [(shares[frame], frame) for frame in range(0, len(times), stride)]
    picture = np.empty((block.size[1], block.size[0], 3), np.float32)
    picture[:] = _rgb(PAPER)
    # From the back; at the same moment the fog comes first, since the slice stands in it.
    for share, frame in sorted(painted, key=lambda item: (-item[0], item[1] is not None)):
        left, top = block.corner(share)
        behind = picture[top : top + levels.shape[1], left : left + levels.shape[2]]
        if frame is None:
            _paint(behind[rows, columns], _fog(hot, shares, share, signed))
        else:
            frame_picture = _projected(pictures[frame], block, repeat=True)
            _paint(behind, _slice(frame_picture, levels[frame], block, signed))
    return np.rint(picture).astype(np.uint8)


def _paint(behind: Float[np.ndarray, "height width 3"], layer: _Layer) -> None:
    remaining, colour = layer
    behind *= remaining
    behind += colour


def _hot_box(levels: UInt8[np.ndarray, "time height width"], signed: bool) -> tuple[slice, slice]:
    """The smallest box that holds all heat that is visible between slices: painting the rest would change nothing."""
    shares = level_shares(signed)
    hottest = np.maximum(shares[levels.max(0)], shares[levels.min(0)])
    rows, columns = (np.flatnonzero(hottest.max(axis) > _FROM) for axis in (-1, 0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))


def _fog(
    levels: UInt8[np.ndarray, "time height width"], shares: Float[np.ndarray, " time"], share: float, signed: bool
) -> _Layer:
    """The heat at one moment, between the frames before and after it."""
    index = float(np.interp(share, shares, np.arange(len(levels))))
    before, after = math.floor(index), math.ceil(index)
    between = cv2.addWeighted(levels[before], 1 - index + before, levels[after], index - before, 0)
    remaining, colour = _fog_tables(signed)
    return remaining[between], colour[between]


@cache
def _fog_tables(signed: bool) -> tuple[Float[np.ndarray, "256 1"], Float[np.ndarray, "256 3"]]:
    """For each level of heat, the share of the background that stays, and the colour that is added."""
    rise = np.clip((level_shares(signed) - _FROM) / (_TO - _FROM), 0, 1)
    smooth = rise**2 * (3 - 2 * rise)  # Hermite's smooth step: no edge where heat becomes visible
    # Beer-Lambert: what one step of the depth lets through is the `_STEP_PX / _DEPTH_PX`-th power of the whole.
    remaining = (1 - _CLEAR * smooth)[:, None] ** (_STEP_PX / _DEPTH_PX)
    return remaining.astype(np.float32), ((1 - remaining) * heat_colours(signed)).astype(np.float32)


def _slice(
    picture: UInt8[np.ndarray, "height width 3"],
    levels: UInt8[np.ndarray, "height width"],
    block: _Block,
    signed: bool,
) -> _Layer:
    """A frame in the block: faint where it is cold, with a fine edge."""
    flat = np.ones(block.side[::-1], np.float32)
    inside = _projected(flat, block)[..., None]
    flat[1:-1, 1:-1] = 0
    edge = _EDGE * _projected(flat, block)[..., None]
    opacity = inside * (_FAINT + (_CLEAR - _FAINT) * level_shares(signed).astype(np.float32)[levels])[..., None]
    return (1 - opacity) * (1 - edge), opacity * picture * (1 - edge) + edge * _rgb(MUTED)


def _projected(picture: np.ndarray, block: _Block, *, repeat: bool = False) -> np.ndarray:
    """A slice sheared so that its right edge is lower; outside are zeros, or its edges if `repeat`."""
    width, height = block.side
    shear = np.array([[1, 0, 0], [block.fall / width, 1, 0]])
    border = cv2.BORDER_REPLICATE if repeat else cv2.BORDER_CONSTANT
    return cv2.warpAffine(picture, shear, (width, height + block.fall), flags=cv2.INTER_LINEAR, borderMode=border)


def _rgb(colour: str) -> Float[np.ndarray, " 3"]:
    return 255 * np.array(to_rgb(colour), np.float32)


def _draw_axis(axes: Axes, block: _Block, times: Float[np.ndarray, " time"]) -> None:
    """The axis of time, which is aslant, so that matplotlib's own cannot be used."""
    first, last = float(times[0]), float(times[-1])
    ticks = MaxNLocator(max(2, block.length // TICK_PX), steps=TICK_STEPS).tick_values(first, last)
    style = {"color": MUTED, "linewidth": 0.9, "clip_on": False}
    axes.plot(*zip(block.on_axis(0), block.on_axis(1), strict=True), **style)
    for tick in ticks if last > first else [first]:
        if first <= tick <= last:
            x, y = block.on_axis((tick - first) / (last - first or 1))
            axes.plot((x, x), (y, y + _TICK_LENGTH_PX), **style)
            axes.text(x, y + 1.6 * _TICK_LENGTH_PX, f"{tick:g} s", ha="center", va="top", color=MUTED)
