"""A clip as a block of space and time: hot regions stand out as tubes, so that one sees the path of what mattered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from video_tcav.reports.charts import MUTED, PAPER, chart_style
from video_tcav.reports.maps.canvas import (
    BAR_HEIGHT_PX,
    LINE_PX,
    MARGIN_PX,
    NARROWEST_PX,
    TICK_PX,
    TICK_STEPS,
    WIDTH_PX,
    checked_times,
    new_canvas,
    place_heat_bar,
    place_line,
    place_picture,
    place_text,
    place_title,
    resized,
    shrinkage,
    title_height,
    title_lines,
    to_picture,
)
from video_tcav.reports.maps.heat import blend_heat, check_heat, heat_colours, heat_levels, heat_scale, level_shares

_LONGEST_SIDE_PX, _ACROSS, _DOWN, _RISE = 380, 0.5, 0.2, 0.1
"""A slice's longer side before it is seen aslant; then what is left of its width, and how far it falls and time rises."""
_SLICE_PX, _STEP_PX = 180, 3
_AXIS_PX, _AXIS_GAP_PX, _TICK_LENGTH_PX = 76, 12, 8
_FAINT, _CLEAR, _EDGE = 0.3, 0.95, 0.4
_FROM, _TO, _DEPTH_PX = 0.3, 0.7, 12
"""Between which shares of the scale heat comes to be seen in space, and how deep it must be to hide what is behind."""

_Layer = tuple[Float[np.ndarray, "height width 1"], Float[np.ndarray, "height width 3"]]
"""What is left of what is behind, and what is added to it."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where everything is, in pixels from the top left corner."""

    lines: tuple[str, ...]
    side: tuple[int, int]
    length: int

    @property
    def fall(self) -> int:
        """How much lower a slice's right edge is than its left."""
        return round(self.side[0] / _ACROSS * _DOWN)

    @property
    def rise(self) -> int:
        """How much higher the last slice is than the first."""
        return round(self.length * _RISE)

    @property
    def block(self) -> tuple[int, int]:
        return self.length + self.side[0], self.rise + self.side[1] + self.fall

    @property
    def block_top(self) -> int:
        return title_height(self.lines)

    @property
    def bar_top(self) -> int:
        return self.block_top + self.block[1] + _AXIS_PX

    @property
    def size(self) -> tuple[int, int]:
        return max(NARROWEST_PX, self.block[0] + 2 * MARGIN_PX + LINE_PX), self.bar_top + BAR_HEIGHT_PX + MARGIN_PX

    def corner(self, share: float) -> tuple[int, int]:
        """The left top of the slice at that share of the time, in the block."""
        return round(share * self.length), round((1 - share) * self.rise)

    def on_axis(self, share: float) -> tuple[float, float]:
        """That share of the time on the axis, which runs along the slices' right lower corners."""
        left, top = MARGIN_PX + self.side[0], self.block_top + self.side[1] + self.fall + _AXIS_GAP_PX
        return left + share * self.length, top + (1 - share) * self.rise


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
        heat: what each pixel counts.
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
    layout = _lay_out(title, len(frames), frames.shape[-1], frames.shape[-2])
    small, hot, part = resized(frames, heat, seen, *layout.side)
    scale = (heat_scale(heat) if scale is None else scale) * shrinkage(heat, hot)
    pictures = blend_heat(small, hot, signed=signed, seen=part, scale=scale).permute(0, 2, 3, 1).numpy()
    levels = np.stack([heat_levels(_aslant(one, layout), scale, signed=signed) for one in hot.numpy()])
    with chart_style():
        figure = new_canvas(*layout.size)
        place_title(figure, layout.lines)
        place_picture(figure, _block(layout, pictures, levels, times, signed=signed), MARGIN_PX, layout.block_top)
        _draw_axis(figure, layout, times)
        place_heat_bar(figure, MARGIN_PX, layout.bar_top, signed=signed)
        return to_picture(figure)


def _lay_out(title: str, count: int, width: int, height: int) -> _Layout:
    """Slices as large as is good to look at, and the time as long as fits."""
    scale = _LONGEST_SIDE_PX / max(height, width)
    side = (max(1, round(width * scale * _ACROSS)), max(1, round(height * scale)))
    length = min(WIDTH_PX - 2 * MARGIN_PX - LINE_PX - side[0], _SLICE_PX * (count - 1))
    untitled = _Layout(lines=(), side=side, length=length)
    return replace(untitled, lines=tuple(title_lines(title, untitled.size[0])))


def _block(
    layout: _Layout,
    pictures: UInt8[np.ndarray, "time height width 3"],
    levels: UInt8[np.ndarray, "time slice_height width"],
    times: Float[np.ndarray, " time"],
    *,
    signed: bool,
) -> UInt8[np.ndarray, "block_height block_width 3"]:
    """The slices and what is hot between them, painted from the last to the first."""
    shares = (times - times[0]) / (times[-1] - times[0] or 1)
    stride = max(1, math.ceil((len(times) - 1) * _SLICE_PX / max(1, layout.length)))
    rows, columns = _hot_part(levels, signed)
    hot = levels[:, rows, columns]
    moments = np.linspace(0, 1, max(1, layout.length // _STEP_PX)) if hot.size else ()
    painted = [(share, None) for share in moments] + [(shares[one], one) for one in range(0, len(times), stride)]
    block = np.empty((layout.block[1], layout.block[0], 3), np.float32)
    block[:] = _rgb(PAPER)
    for share, frame in sorted(painted, key=lambda one: (-one[0], one[1] is not None)):
        left, top = layout.corner(share)
        behind = block[top : top + levels.shape[1], left : left + levels.shape[2]]
        if frame is None:
            _paint(behind[rows, columns], _fog(hot, shares, share, signed))
        else:
            _paint(behind, _slice(_aslant(pictures[frame], layout, repeat=True), levels[frame], layout, signed))
    return np.rint(block).astype(np.uint8)


def _paint(behind: Float[np.ndarray, "height width 3"], layer: _Layer) -> None:
    kept, added = layer
    behind *= kept
    behind += added


def _hot_part(levels: UInt8[np.ndarray, "time height width"], signed: bool) -> tuple[slice, slice]:
    """The smallest box that holds all that is seen between slices."""
    shares = level_shares(signed)
    hottest = np.maximum(shares[levels.max(0)], shares[levels.min(0)])
    rows, columns = (np.flatnonzero(hottest.max(axis) > _FROM) for axis in (-1, 0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))


def _fog(
    levels: UInt8[np.ndarray, "time height width"], shares: Float[np.ndarray, " time"], share: float, signed: bool
) -> _Layer:
    """What is hot at one moment, between the frames before and after it."""
    place = float(np.interp(share, shares, np.arange(len(levels))))
    before, after = math.floor(place), math.ceil(place)
    here = cv2.addWeighted(levels[before], 1 - place + before, levels[after], place - before, 0)
    kept, added = _fog_tables(signed)
    return kept[here], added[here]


@cache
def _fog_tables(signed: bool) -> tuple[Float[np.ndarray, "256 1"], Float[np.ndarray, "256 3"]]:
    """For each level, what is left of what is behind it, and what is added."""
    rise = np.clip((level_shares(signed) - _FROM) / (_TO - _FROM), 0, 1)
    kept = (1 - _CLEAR * rise**2 * (3 - 2 * rise))[:, None] ** (_STEP_PX / _DEPTH_PX)
    return kept.astype(np.float32), ((1 - kept) * heat_colours(signed)).astype(np.float32)


def _slice(
    picture: UInt8[np.ndarray, "height width 3"],
    levels: UInt8[np.ndarray, "height width"],
    layout: _Layout,
    signed: bool,
) -> _Layer:
    """A frame that stands in the block: faint where it is cold, with a fine edge."""
    whole = np.ones(layout.side[::-1], np.float32)
    inside = _aslant(whole, layout)[..., None]
    whole[1:-1, 1:-1] = 0
    edge = _EDGE * _aslant(whole, layout)[..., None]
    opacity = inside * (_FAINT + (_CLEAR - _FAINT) * level_shares(signed).astype(np.float32)[levels])[..., None]
    return (1 - opacity) * (1 - edge), opacity * picture * (1 - edge) + edge * _rgb(MUTED)


def _aslant(picture: np.ndarray, layout: _Layout, *, repeat: bool = False) -> np.ndarray:
    """A slice as it is seen, lower to the right; outside are zeros, or its edges if `repeat`."""
    width, height = layout.side
    warp = np.array([[1, 0, 0], [layout.fall / width, 1, 0]])
    border = cv2.BORDER_REPLICATE if repeat else cv2.BORDER_CONSTANT
    return cv2.warpAffine(picture, warp, (width, height + layout.fall), flags=cv2.INTER_LINEAR, borderMode=border)


def _rgb(colour: str) -> Float[np.ndarray, " 3"]:
    return 255 * np.array(to_rgb(colour), np.float32)


def _draw_axis(figure: Figure, layout: _Layout, times: Float[np.ndarray, " time"]) -> None:
    first, last = float(times[0]), float(times[-1])
    ticks = MaxNLocator(max(2, layout.length // TICK_PX), steps=TICK_STEPS).tick_values(first, last)
    place_line(figure, layout.on_axis(0), layout.on_axis(1), colour=MUTED)
    for tick in ticks if last > first else [first]:
        if first <= tick <= last:
            across, down = layout.on_axis((tick - first) / (last - first or 1))
            place_line(figure, (across, down), (across, down + _TICK_LENGTH_PX), colour=MUTED)
            place_text(figure, across, down + 1.6 * _TICK_LENGTH_PX, f"{tick:g} s", across="center")
