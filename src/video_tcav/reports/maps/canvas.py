"""Pictures laid out by the pixel: frames as they are, and around them text and axes in the look of charts."""

import textwrap
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.reports.charts import INK, MUTED, PAPER
from video_tcav.reports.maps.heat import blend_heat, heat_array, heat_scale

WIDTH_PX, NARROWEST_PX, MARGIN_PX, LINE_PX = 1600, 680, 28, 26
BAR_HEIGHT_PX = 16
TICK_PX, TICK_STEPS = 130, (1, 2, 5, 10)
"""How far apart marks on a time axis are at least, and what they count by."""
_DPI = 144
_TITLE_SIZE, _TITLE_LETTER_PX, _TITLE_LINES = 11, 14, 3
_BAR_WIDTH_PX, _BAR_GREY = 260, 128
_BAR_WORDS = {True: ("speaks against", "speaks for"), False: ("none", "speaks for")}


def new_canvas(width: int, height: int) -> Figure:
    """An empty picture of so many pixels."""
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def to_picture(figure: Figure) -> UInt8[Tensor, "3 height width"]:
    """What was laid out, as RGB."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    return torch.from_numpy(pixels).permute(2, 0, 1)


def size_px(figure: Figure) -> tuple[int, int]:
    """Width and height."""
    width, height = (round(float(inches) * _DPI) for inches in figure.get_size_inches())
    return width, height


def place_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes with that box inside, from the picture's top left corner."""
    full_width, full_height = size_px(figure)
    axes = figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    )
    axes.tick_params(length=0)
    return axes


def place_text(
    figure: Figure, left: float, top: float, text: str, *, across: str = "left", down: str = "top", colour: str = MUTED
) -> float:
    """Text whose `across` and `down` (as matplotlib calls them) are at that place; returns how wide it is."""
    width, height = size_px(figure)
    placed = figure.text(left / width, 1 - top / height, text, ha=across, va=down, color=colour)
    return placed.get_window_extent().width


def place_line(figure: Figure, *points: tuple[float, float], colour: str) -> None:
    """A fine line through those places."""
    width, height = size_px(figure)
    across, down = np.array(points).T
    figure.add_artist(Line2D(across / width, 1 - down / height, color=colour, linewidth=0.9, zorder=-0.5))


def place_picture(figure: Figure, picture: UInt8[np.ndarray, "height width channel"], left: int, top: int) -> None:
    """Pixels as they are."""
    figure.figimage(picture, left, size_px(figure)[1] - top - len(picture), origin="upper", zorder=-1)


def title_lines(title: str, width: int) -> list[str]:
    """A title broken so that it fits; what is too long ends in an ellipsis."""
    letters = max(8, (width - 2 * MARGIN_PX) // _TITLE_LETTER_PX)
    return textwrap.wrap(title, letters, max_lines=_TITLE_LINES, placeholder=" …")


def place_title(figure: Figure, lines: Sequence[str]) -> None:
    """The title at the top left."""
    width, height = size_px(figure)
    figure.text(MARGIN_PX / width, 1 - MARGIN_PX / height, "\n".join(lines), va="top", color=INK, fontsize=_TITLE_SIZE,
                fontweight="bold", linespacing=1.3)  # fmt: skip


def title_height(lines: Sequence[str]) -> int:
    """Pixels from the picture's top to what stands under its title."""
    return MARGIN_PX + round(len(lines) * _TITLE_SIZE * _DPI / 72 * 1.3) + (LINE_PX // 2 if lines else 0)


def place_heat_bar(figure: Figure, left: int, top: int, *, signed: bool) -> None:
    """What the colours mean: at full strength on top of grey, with words at both ends."""
    low, high = _BAR_WORDS[signed]
    middle, gap = top + BAR_HEIGHT_PX / 2, LINE_PX // 2
    start = left + round(place_text(figure, left, middle, low, down="center_baseline")) + gap
    ramp = torch.linspace(-1 if signed else 0, 1, _BAR_WIDTH_PX).expand(1, BAR_HEIGHT_PX, -1)
    grey = torch.full((1, 3, BAR_HEIGHT_PX, _BAR_WIDTH_PX), _BAR_GREY, dtype=torch.uint8)
    bar = blend_heat(grey, ramp, signed=signed, strength=1, scale=1)[0]
    place_picture(figure, bar.permute(1, 2, 0).numpy(), start, top)
    place_text(figure, start + _BAR_WIDTH_PX + gap, middle, high, down="center_baseline")


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
    by_frame, by_heat = (cv2.INTER_AREA, cv2.INTER_AREA) if smaller else (cv2.INTER_CUBIC, cv2.INTER_LINEAR)

    def all_resized(arrays: Iterable[np.ndarray], interpolation: int) -> Tensor:
        return torch.from_numpy(
            np.stack([cv2.resize(one, (width, height), interpolation=interpolation) for one in arrays])
        )

    pictures = all_resized((frame.permute(1, 2, 0).cpu().numpy() for frame in frames), by_frame).permute(0, 3, 1, 2)
    maps = all_resized((heat_array(one) for one in heat), by_heat)
    part = None if seen is None else all_resized([seen.cpu().numpy().astype(np.uint8)], cv2.INTER_NEAREST)[0].bool()
    return pictures, maps, part


def shrinkage(heat: Float[Tensor, "time height width"], small: Float[Tensor, "time height width"]) -> float:
    """By how much heat loses strength as it is averaged over areas: a fine grain nearly all of it, a smooth map none."""
    before, after = heat_scale(heat), heat_scale(small)
    return after / before if before and after else 1.0


def checked_times(times_s: Sequence[float] | Float[np.ndarray, " time"], count: int) -> Float[np.ndarray, " time"]:
    """The frames' times, or an error that says what is wrong with them.

    Raises:
        InputError: if there is not one for each frame, or they do not rise.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.shape != (count,):
        raise InputError(
            f"`times_s` must have one time for each of {count} frames. Got shape {times.shape}. Give seconds."
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise InputError("`times_s` must be finite and rise from frame to frame. Got others. Sort frames and times.")
    return times
