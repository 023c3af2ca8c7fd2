"""Contact sheet of a clip: frames, the same frames with their heat, and each moment's share of the heat."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from torch import Tensor

from video_tcav.core.checks import at_least
from video_tcav.reports.charts import INK, MUTED, RULE, chart_style
from video_tcav.reports.maps.canvas import (
    LINE_PX,
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
from video_tcav.reports.maps.heat import STRENGTH, blend_heat, check_heat, heat_array, heat_colours, heat_scale
from video_tcav.tcav.wording import percent

# Room for the names of rows on the left, and for `raises` and `lowers` on the right.
_LEFT_PX, _RIGHT_PX = 128, 104
_WIDEST_CELL_PX, _TALLEST_CELL_PX, _MOST_ENLARGED = 480, 400, 4
_LEADER_PX, _TIMELINE_PX, _TICKS_PX = 22, 150, 74
_LABEL_PX = 84
# Levels of `heat_colours` for the timeline: strong colours that show on white.
_RAISES, _LOWERS, _UNSIGNED = 208, 48, 150


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

    Frames are evenly spaced, each in the middle of its share of the clip, but for the frame with the most heat, which takes the
    place of that of its share; its time is bold, and marked in the timeline. Under them stand the same frames with the heat.
    The timeline under these has all frames: what share of the clip's heat, by absolute value, each of them has.

    Args:
        frames: RGB, all of the clip.
        heat: of each pixel.
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
    at_least("columns", columns, 1, cure="8 is usual.")
    chosen, hottest = chosen_frames(heat, columns)
    (width, height), gap = _cell_size(len(chosen), frames.shape[-1], frames.shape[-2])
    small, hot, mask = resized(frames[chosen], heat[chosen], seen, width, height)
    full = (heat_scale(heat) if scale is None else scale) * shrinkage(heat[chosen], hot)
    heated = blend_heat(small, hot, signed=signed, strength=strength, seen=mask, scale=full)
    row_width = (width + gap) * len(chosen)
    left = _LEFT_PX - gap // 2
    sheet_width = max(NARROWEST_PX, _LEFT_PX + row_width - gap + _RIGHT_PX)
    rows = [(0, height), (round(1.5 * LINE_PX), height), (_LEADER_PX, _TIMELINE_PX)]
    with chart_style():
        figure, (frames_axes, heat_axes, timeline) = new_sheet(
            title,
            sheet_width,
            rows,
            left=left,
            right=sheet_width - left - row_width,
            below=_TICKS_PX,
            bar_left=_LEFT_PX,
            signed=signed,
        )
        _draw_row(frames_axes, small, gap, "frames")
        _label_times(frames_axes, times[chosen], width + gap, hottest)
        _draw_row(heat_axes, heated, gap, "with heat")
        _draw_timeline(timeline, times, heat, chosen, signed=signed, ticks=max(2, row_width // TICK_PX))
        _draw_leaders(heat_axes, timeline, times[chosen])
        if full:
            timeline.annotate("most heat", (times[chosen[hottest]], 1), (5, -2), xycoords=timeline.get_xaxis_transform(),
                              textcoords="offset points", va="top", color=INK)  # fmt: skip
        return to_picture(figure)


def chosen_frames(heat: Float[Tensor, "time height width"], columns: int) -> tuple[Int[np.ndarray, " column"], int]:
    """The frame in the middle of each share of the clip, or the one with the most heat in its share, and its column."""
    count, columns = len(heat), min(len(heat), columns)
    chosen = ((np.arange(columns) + 0.5) * count / columns).astype(int)
    amounts = np.abs(frame_shares(heat)).sum(0)
    hottest = int(amounts.argmax())
    column = hottest * columns // count
    if amounts[hottest] > amounts[chosen[column]]:  # where none is hotter than others, frames stay evenly spaced
        chosen[column] = hottest
    return chosen, column


def _cell_size(count: int, width: int, height: int) -> tuple[tuple[int, int], int]:
    """Width and height of a cell, as large as fits but without blurring the frame, and the gap between cells."""
    room = WIDTH_PX - _LEFT_PX - _RIGHT_PX
    gap = 8 if room / count > 80 else 2  # even, since half of it stands on either side of a cell
    cell = min((room + gap) / count - gap, _WIDEST_CELL_PX, _TALLEST_CELL_PX * width / height, _MOST_ENLARGED * width)
    return (max(1, int(cell)), max(1, round(int(cell) * height / width))), gap


def _draw_row(axes: Axes, pictures: UInt8[Tensor, "column 3 height width"], gap: int, name: str) -> None:
    """Pictures side by side, with the row's name before them."""
    sides = (gap // 2, gap // 2)
    cells = np.pad(pictures.permute(0, 2, 3, 1).numpy(), ((0, 0), (0, 0), sides, (0, 0)), constant_values=255)
    show_picture(axes, np.concatenate(cells, axis=1))
    axes.text(-14, pictures.shape[-2] / 2, name, ha="right", va="center", color=MUTED)


def _label_times(axes: Axes, times: Float[np.ndarray, " column"], pitch: int, hottest: int) -> None:
    """The time of each frame under it, or of every second or third where they would overlap; bold at the hottest."""
    stride = math.ceil(_LABEL_PX / pitch)
    digits = 2 if len(times) < 2 or np.diff(times).min() < 1 else 1
    columns = range(hottest % stride, len(times), stride)
    axes.set_xticks(
        [(column + 0.5) * pitch for column in columns], [f"{times[column]:.{digits}f} s" for column in columns]
    )
    axes.get_xticklabels()[hottest // stride].set(fontweight="bold", color=INK)


def _draw_timeline(
    axes: Axes,
    times: Float[np.ndarray, " time"],
    heat: Float[Tensor, "time height width"],
    chosen: Int[np.ndarray, " column"],
    *,
    signed: bool,
    ticks: int,
) -> None:
    axes.set_xlim(*_span(times, chosen))
    colours = heat_colours(signed) / 255
    shares = frame_shares(heat)
    for share, level in zip(shares, (_RAISES, _LOWERS) if signed else (_UNSIGNED,), strict=False):
        axes.fill_between(times, share, color=colours[level], alpha=0.35, linewidth=0)
        axes.plot(times, share, color=colours[level], linewidth=1.6)
        axes.plot(times[chosen], share[chosen], color=colours[level], marker="o", markersize=4, linestyle="none")
    high, low = float(shares[0].max()), float(shares[1].min())
    room = 0.12 * (high - low) or 0.05
    axes.set_ylim(low - (room if low < 0 else 0), high + room)
    digits = max(0, math.ceil(-math.log10(100 * room * 2)))  # as many as neighbouring marks need to differ
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=TICK_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(abs(share), digits)))
    axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=TICK_STEPS))
    axes.tick_params(axis="x", pad=6)
    axes.set(xlabel="time in seconds", ylabel="share of heat")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.spines["bottom"].set_visible(low == 0)
    if signed:
        for word, height, edge, level in (("raises", 1, "top", _RAISES), ("lowers", 0, "bottom", _LOWERS)):
            axes.annotate(word, (1, height), xytext=(6, 0), xycoords="axes fraction", textcoords="offset points",
                          va=edge, color=colours[level], annotation_clip=False)  # fmt: skip


def _span(times: Float[np.ndarray, " time"], chosen: Int[np.ndarray, " column"]) -> tuple[float, float]:
    """Ends of the timeline, so that each chosen frame's time is under its column."""
    first, last = times[chosen[[0, -1]]]
    half = (last - first) / (len(chosen) - 1) / 2 if len(chosen) > 1 else 0.5
    return float(min(first - half, times[0])), float(max(last + half, times[-1]))


def _draw_leaders(heat_axes: Axes, timeline: Axes, times: Float[np.ndarray, " column"]) -> None:
    """A line from the middle of each column to its time, which need not be right under it."""
    width, bottom = heat_axes.get_xlim()[1], heat_axes.get_ylim()[0]
    style = {"color": RULE, "linewidth": 0.9}
    for column, time in enumerate(times):
        middle = ((column + 0.5) * width / len(times), bottom + 4)
        timeline.figure.add_artist(
            ConnectionPatch(
                middle, (time, 1), heat_axes.transData, timeline.get_xaxis_transform(), zorder=-0.5, **style
            )
        )
        timeline.axvline(time, zorder=0, **style)


def frame_shares(heat: Float[Tensor, "time height width"]) -> Float[np.ndarray, "sign time"]:
    """Each frame's share of all heat: that which raises the target, and that which lowers it, with a minus."""
    arrays = [heat_array(frame) for frame in heat]
    sums = np.array([array.sum(dtype=np.float64) for array in arrays])
    sizes = np.array([np.abs(array).sum(dtype=np.float64) for array in arrays])
    # The sum is positive minus negative part and the size is their sum, so half their sum is the positive part.
    return np.stack([sizes + sums, sums - sizes]) / 2 / (sizes.sum() or 1)
