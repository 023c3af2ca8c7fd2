"""Sheets: rows of axes that are pixel-exact, with pictures in them, below a title and above the colour bar of heat."""

import textwrap
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.reports.charts import INK, MUTED, PAPER
from video_tcav.reports.maps.heat import blend_heat, heat_array, heat_scale

# A sheet is at most as wide as a screen shows without scrolling, and at least as wide as the colour bar with its words.
WIDTH_PX, NARROWEST_PX, MARGIN_PX, LINE_PX = 1600, 680, 28, 26
# Marks on a time axis: least distance, and multiples of powers of ten.
TICK_PX, TICK_STEPS = 130, (1, 2, 5, 10)
_DPI = 144
# The title's letters are about 14 pixels wide at 11 points and 144 dots an inch.
_TITLE_POINTS, _LETTER_PX, _TITLE_LINES, _LINE_SPACING = 11, 14, 3, 1.3
_BAR_PX, _BAR_GREY = (260, 16), 128
_BAR_WORDS = {True: ("lowers", "raises"), False: ("none", "raises")}


def new_sheet(
    title: str,
    width: int,
    rows: Sequence[tuple[int, int]],  # of each row the gap above it and its height
    *,
    left: int,  # where rows begin
    right: int,  # what rows leave free
    below: int,  # between the last row and the bar
    bar_left: int,  # where the bar begins; one of its words stands before it
    signed: bool,
) -> tuple[Figure, list[Axes]]:
    """An empty sheet with its title and colour bar, and the axes of its rows; sizes are in pixels.

    The title is broken into lines; what is too long ends in an ellipsis.
    """
    letters = max(8, (width - 2 * MARGIN_PX) // _LETTER_PX)
    lines = textwrap.wrap(title, letters, max_lines=_TITLE_LINES, placeholder=" …")
    line_px = _TITLE_POINTS * _DPI / 72 * _LINE_SPACING  # 72 points are an inch
    top = MARGIN_PX + round(len(lines) * line_px) + (LINE_PX // 2 if lines else 0)
    bar_top = top + sum(map(sum, rows)) + below
    height = bar_top + _BAR_PX[1] + MARGIN_PX
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    figure.text(MARGIN_PX / width, 1 - MARGIN_PX / height, "\n".join(lines), va="top", color=INK,
                fontsize=_TITLE_POINTS, fontweight="bold", linespacing=_LINE_SPACING)  # fmt: skip
    all_axes = []
    for gap, row_height in rows:
        top += gap
        all_axes.append(_pixel_axes(figure, (width, height), (left, top), (width - left - right, row_height)))
        top += row_height
    _draw_bar(_pixel_axes(figure, (width, height), (bar_left, bar_top), _BAR_PX), signed)
    return figure, all_axes


def _pixel_axes(figure: Figure, sheet: tuple[int, int], corner: tuple[int, int], size: tuple[int, int]) -> Axes:
    """Axes with that box; sizes are (width, height), the corner is the left upper one, from that of the sheet."""
    (width, height), (left, top) = sheet, corner
    axes = figure.add_axes((left / width, 1 - (top + size[1]) / height, size[0] / width, size[1] / height))
    axes.tick_params(length=0)
    return axes


def show_picture(axes: Axes, picture: UInt8[np.ndarray, "height width 3"]) -> None:
    """Pixels as they are, which `imshow` does not promise; the axes then count pixels from the left upper corner."""
    box = axes.get_window_extent()
    # A figure's image lies below its axes (zorder 0 and more), and is placed by its lower edge.
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.figimage(picture, round(box.x0), round(box.y1) - len(picture), origin="upper", zorder=-1)
    axes.set(xlim=(0, round(box.width)), ylim=(round(box.height), 0), xticks=(), yticks=())
    axes.spines[:].set_visible(False)


def to_picture(figure: Figure) -> UInt8[Tensor, "3 height width"]:
    """The drawn figure as RGB."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _draw_bar(axes: Axes, signed: bool) -> None:
    """The colours of heat at full strength on top of grey, between words."""
    width, height = _BAR_PX
    ramp = torch.linspace(-1 if signed else 0, 1, width).expand(1, height, -1)
    grey = torch.full((1, 3, height, width), _BAR_GREY, dtype=torch.uint8)
    show_picture(axes, blend_heat(grey, ramp, signed=signed, strength=1, scale=1)[0].permute(1, 2, 0).numpy())
    low, high = _BAR_WORDS[signed]
    axes.text(-LINE_PX / 2, height / 2, low, ha="right", va="center_baseline", color=MUTED)
    axes.text(width + LINE_PX / 2, height / 2, high, va="center_baseline", color=MUTED)


def resized(
    frames: UInt8[Tensor, "time 3 height width"],
    heat: Float[Tensor, "time height width"],
    seen: Bool[Tensor, "height width"] | None,
    width: int,
    height: int,
) -> tuple[
    UInt8[Tensor, "time 3 new_height new_width"],
    Float[Tensor, "time new_height new_width"],
    Bool[Tensor, "new_height new_width"] | None,
]:
    """A clip at another size: averaged over areas if smaller, smooth between pixels if larger."""
    smaller = width < frames.shape[-1]

    def all_resized(arrays: Iterable[np.ndarray], larger: int) -> Tensor:
        interpolation = cv2.INTER_AREA if smaller else larger
        return torch.from_numpy(
            np.stack([cv2.resize(array, (width, height), interpolation=interpolation) for array in arrays])
        )

    pictures = all_resized((frame.permute(1, 2, 0).cpu().numpy() for frame in frames), cv2.INTER_CUBIC)
    # Linear for heat: cubic interpolation overshoots, and would show heat of the other sign beside a hot spot.
    maps = all_resized((heat_array(frame_heat) for frame_heat in heat), cv2.INTER_LINEAR)
    if seen is not None:
        small = cv2.resize(seen.cpu().numpy().astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        seen = torch.from_numpy(small).bool()
    return pictures.permute(0, 3, 1, 2), maps, seen


def shrinkage(heat: Float[Tensor, "time height width"], small: Float[Tensor, "time height width"]) -> float:
    """Factor by which averaging over areas weakens heat: near 0 for a fine grain, 1 for a smooth map."""
    before, after = heat_scale(heat), heat_scale(small)
    return after / before if before and after else 1.0


def checked_times(times_s: Sequence[float] | Float[np.ndarray, " time"], count: int) -> Float[np.ndarray, " time"]:
    """The frames' times as an array, if there is one for each frame and they rise."""
    times = np.asarray(times_s, dtype=np.float64)
    if times.shape != (count,):
        raise InputError(
            f"`times_s` must have one time for each of {count} frames. Got shape {times.shape}. Give seconds."
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise InputError("`times_s` must be finite and rise from frame to frame. Got others. Sort frames and times.")
    return times
