"""A clip on one sheet: frames, the same frames with their heat, and how much heat each moment has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.reports.charts import MUTED, RULE, chart_style
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
    place_axes,
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
from video_tcav.reports.maps.heat import STRENGTH, blend_heat, check_heat, heat_array, heat_colours, heat_scale
from video_tcav.reports.page import percent

_LEFT_PX, _RIGHT_PX = 128, 104
_WIDEST_CELL_PX, _TALLEST_CELL_PX, _MOST_ENLARGED = 480, 400, 4
_LEADER_PX, _TIMELINE_PX, _TICKS_PX = 22, 150, 74
_LABEL_PX = 84
_FOR, _AGAINST, _PLAIN = 208, 48, 150
"""Which of the heat's colours the timeline has: strong ones that show on white."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where everything is, in pixels from the top left corner."""

    lines: tuple[str, ...]
    count: int
    cell: tuple[int, int]
    gap: int
    width: int

    @property
    def pitch(self) -> int:
        return self.cell[0] + self.gap

    @property
    def frames_top(self) -> int:
        return title_height(self.lines)

    @property
    def heat_top(self) -> int:
        return self.frames_top + self.cell[1] + round(1.5 * LINE_PX)

    @property
    def timeline_top(self) -> int:
        return self.heat_top + self.cell[1] + _LEADER_PX

    @property
    def bar_top(self) -> int:
        return self.timeline_top + _TIMELINE_PX + _TICKS_PX

    @property
    def height(self) -> int:
        return self.bar_top + BAR_HEIGHT_PX + MARGIN_PX

    def left(self, column: int) -> int:
        return _LEFT_PX + column * self.pitch

    def middle(self, column: int) -> float:
        return self.left(column) + self.cell[0] / 2


def sheet_picture(
    frames: UInt8[Tensor, "time 3 height width"],
    heat: Float[Tensor, "time height width"],
    *,
    times_s: Sequence[float] | Float[np.ndarray, " time"],
    title: str,
    signed: bool,
    columns: int = 8,
    strength: float = STRENGTH,
    seen: Bool[Tensor, "height width"] | None = None,
    scale: float | None = None,
) -> UInt8[Tensor, "3 sheet_height sheet_width"]:
    """A picture of a clip with its heat, at most 1600 pixels wide.

    Frames are evenly spaced, each in the middle of its share of the clip; under them the same frames with the heat.
    The timeline under these has all frames: what share of the clip's heat, by absolute value, each of them has.

    Args:
        frames: RGB, all of the clip.
        heat: what each pixel counts.
        times_s: when each frame is shown.
        title: above all.
        signed: as for `blend_heat`, likewise `strength` and `seen`.
        columns: how many frames to show at most.
        strength: opacity where the heat is largest.
        seen: which part of the picture the model saw.
        scale: heat that gets the full colour; `heat_scale(heat)` if not given.

    Raises:
        InputError: if the arguments do not fit each other, heat is not finite, or times do not rise.
    """
    check_heat(frames, heat, signed=signed, seen=seen)
    times = checked_times(times_s, len(frames))
    if columns < 1:
        raise InputError(f"`columns` must be at least 1. Got {columns}. 8 is usual.")
    chosen = _evenly_spaced(len(frames), columns)
    layout = _lay_out(title, len(chosen), frames.shape[-1], frames.shape[-2])
    with chart_style():
        figure = new_canvas(layout.width, layout.height)
        place_title(figure, layout.lines)
        small, hot, part = resized(frames[chosen], heat[chosen], seen, *layout.cell)
        full = (heat_scale(heat) if scale is None else scale) * shrinkage(heat[chosen], hot)
        heated = blend_heat(small, hot, signed=signed, strength=strength, seen=part, scale=full)
        _draw_rows(figure, layout, small, heated, times[chosen])
        _draw_timeline(figure, layout, times, heat, chosen, signed=signed)
        place_heat_bar(figure, _LEFT_PX, layout.bar_top, signed=signed)
        return to_picture(figure)


def _evenly_spaced(count: int, columns: int) -> Int[np.ndarray, " column"]:
    """The frame in the middle of each share of the clip."""
    shown = min(count, columns)
    return ((np.arange(shown) + 0.5) * count / shown).astype(int)


def _lay_out(title: str, count: int, width: int, height: int) -> _Layout:
    """Cells as large as fit, but no larger than does a frame good."""
    room = WIDTH_PX - _LEFT_PX - _RIGHT_PX
    gap = 8 if room / count > 80 else 2
    cell = min((room + gap) / count - gap, _WIDEST_CELL_PX, _TALLEST_CELL_PX * width / height, _MOST_ENLARGED * width)
    size = (max(1, int(cell)), max(1, round(int(cell) * height / width)))
    full = max(NARROWEST_PX, _LEFT_PX + count * (size[0] + gap) - gap + _RIGHT_PX)
    return _Layout(lines=tuple(title_lines(title, full)), count=count, cell=size, gap=gap, width=full)


def _draw_rows(
    figure: Figure,
    layout: _Layout,
    frames: UInt8[Tensor, "column 3 height width"],
    heated: UInt8[Tensor, "column 3 height width"],
    times: Float[np.ndarray, " column"],
) -> None:
    for top, row, name in ((layout.frames_top, frames, "frames"), (layout.heat_top, heated, "with heat")):
        place_text(figure, _LEFT_PX - 14, top + layout.cell[1] / 2, name, across="right", down="center")
        for column, picture in enumerate(row.permute(0, 2, 3, 1).numpy()):
            place_picture(figure, picture, layout.left(column), top)
    each = math.ceil(_LABEL_PX / layout.pitch)
    digits = 2 if len(times) < 2 or np.diff(times).min() < 1 else 1
    for column in range(0, layout.count, each):
        top = layout.frames_top + layout.cell[1] + LINE_PX / 4
        place_text(figure, layout.middle(column), top, f"{times[column]:.{digits}f} s", across="center")


def _draw_timeline(
    figure: Figure,
    layout: _Layout,
    times: Float[np.ndarray, " time"],
    heat: Float[Tensor, "time height width"],
    chosen: Int[np.ndarray, " column"],
    *,
    signed: bool,
) -> None:
    axes = place_axes(
        figure, layout.left(0) - layout.gap / 2, layout.timeline_top, layout.pitch * layout.count, _TIMELINE_PX
    )
    axes.set_xlim(*_span(times, chosen))
    colours = heat_colours(signed) / 255
    shares = _shares(heat)
    for part, level in zip(shares, (_FOR, _AGAINST) if signed else (_PLAIN,), strict=False):
        axes.fill_between(times, part, color=colours[level], alpha=0.35, linewidth=0)
        axes.plot(times, part, color=colours[level], linewidth=1.6)
        axes.plot(times[chosen], part[chosen], color=colours[level], marker="o", markersize=4, linestyle="none")
    _scale_timeline(axes, shares, max(2, layout.pitch * layout.count // TICK_PX))
    _draw_leaders(figure, layout, axes, times[chosen])
    if signed:
        for word, place, down, colour in (("for", 1, "top", _FOR), ("against", 0, "bottom", _AGAINST)):
            axes.annotate(word, (1, place), xytext=(6, 0), xycoords="axes fraction", textcoords="offset points",
                          va=down, color=colours[colour], annotation_clip=False)  # fmt: skip


def _span(times: Float[np.ndarray, " time"], chosen: Int[np.ndarray, " column"]) -> tuple[float, float]:
    """From when to when the timeline goes, so that each chosen frame's time is under its column."""
    first, last = times[chosen[[0, -1]]]
    half = (last - first) / (len(chosen) - 1) / 2 if len(chosen) > 1 else 0.5
    return float(min(first - half, times[0])), float(max(last + half, times[-1]))


def _scale_timeline(axes: Axes, shares: Float[np.ndarray, "sign time"], ticks: int) -> None:
    high, low = float(shares[0].max()), float(shares[1].min())
    room = 0.12 * (high - low) or 0.05
    axes.set_ylim(low - (room if low < 0 else 0), high + room)
    digits = max(0, math.ceil(-math.log10(100 * room * 2)))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=TICK_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(abs(share), digits)))
    axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=TICK_STEPS))
    axes.tick_params(axis="x", pad=6)
    axes.set(xlabel="time in seconds", ylabel="share of heat")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.spines["bottom"].set_visible(low == 0)


def _draw_leaders(figure: Figure, layout: _Layout, axes: Axes, times: Float[np.ndarray, " column"]) -> None:
    """From the middle of each column to its time on the timeline."""
    low, high = axes.get_xlim()
    top, bottom = layout.timeline_top - _LEADER_PX + 4, layout.timeline_top + _TIMELINE_PX
    for column, time in enumerate(times):
        place = layout.left(0) - layout.gap / 2 + layout.pitch * layout.count * (time - low) / (high - low)
        place_line(figure, (layout.middle(column), top), (place, layout.timeline_top), (place, bottom), colour=RULE)


def _shares(heat: Float[Tensor, "time height width"]) -> Float[np.ndarray, "sign time"]:
    """What share of all heat each frame has: for, and against with a minus."""
    arrays = [heat_array(frame) for frame in heat]
    sums = np.array([one.sum(dtype=np.float64) for one in arrays])
    sizes = np.array([np.abs(one).sum(dtype=np.float64) for one in arrays])
    return np.stack([sizes + sums, sums - sizes]) / 2 / (sizes.sum() or 1)
