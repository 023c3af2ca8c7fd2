"""Timeline chart: when each concept raised or lowered the class, as lines over a clip's time with a playhead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from video_tcav.reports.charts import SERIES
from video_tcav.reports.page import render_page
from video_tcav.tcav.wording import MINUS

# Units of the drawing, which the page scales to its width.
WIDTH, HEIGHT = 480, 172
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 10, 10, 26
_SPAN_X, _SPAN_Y = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
# A narrower range is rounding error, and would blow it up to the height of the drawing.
_NARROWEST = 1e-9
# Beyond four, lines take the same colours again with another dash.
_DASHES = ("none", "7 4", "2 4", "9 3 2 3")


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One concept's line."""

    name: str
    look: int  # number among the page's concepts, which gives it colour and dash
    values: Float[np.ndarray, " step"]
    times_s: Float[np.ndarray, " step"]  # from the first frame

    def __str__(self) -> str:
        peak = int(np.abs(self.values).argmax())
        strongest = f"strongest {self.values[peak]:+.2g} at {self.times_s[peak]:.2f} s"
        return f"{self.name}, sum {self.values.sum():+.2g}, {strongest}"


def line_look(number: int) -> tuple[int, str]:
    """Number of the colour, and dash, of a concept."""
    return number % len(SERIES), _DASHES[number // len(SERIES) % len(_DASHES)]


def timeline(lines: Sequence[Line], *, length_s: float, unit: str, name: str) -> Markup:
    """A drawing of the lines over the time of the clip, from its first frame to the last; its name is that in the page."""
    values = np.concatenate([line.values for line in lines])
    # Zero is always on the axis, so that raising and lowering can be told apart.
    ticks = _ticks(min(0.0, float(values.min())), max(0.0, float(values.max())))
    low, high = ticks[0], ticks[-1]

    def x(time_s: float) -> str:
        return _number(_LEFT + _SPAN_X * (time_s / length_s if length_s else 0))

    def y(value: float) -> str:
        return _number(_TOP + _SPAN_Y * (high - value) / (high - low))

    def points(line: Line) -> list[tuple[str, str]]:
        # Times of a layer's steps may go a little beyond the frames, and stand in the order of the layer.
        order = np.argsort(line.times_s, kind="stable")
        times_s = line.times_s.clip(0, length_s)
        return [(x(float(times_s[step])), y(float(line.values[step]))) for step in order]

    return Markup(
        render_page(
            "timeline.html.j2",
            name=name,
            label=f"Over time, in {unit}: " + "; ".join(map(str, lines)),
            size=(WIDTH, HEIGHT),
            plot=(_LEFT, _TOP, _SPAN_X, _SPAN_Y),
            values=[(y(tick), f"{tick:+.4g}".replace("-", MINUS) if tick else "0") for tick in ticks],
            # The unit stands at the end.
            times=[(x(tick), f"{tick:g}") for tick in _ticks(0.0, length_s) if tick <= 0.9 * length_s],
            lines=[(line.look, *line_look(line.look), points(line)) for line in lines],
        )
    )


def _ticks(low: float, high: float) -> list[float]:
    if high - low < _NARROWEST:
        high = low + 1
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [0.0 if abs(tick) < 1e-12 else float(tick) for tick in ticks]  # zero comes out as 1e-17 at times


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
