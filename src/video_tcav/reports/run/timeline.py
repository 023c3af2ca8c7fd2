"""Timeline chart: when each concept raised or lowered the class, as lines over a clip's time with a playhead."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from video_tcav.reports.charts import SERIES
from video_tcav.tcav.wording import MINUS

# Units of the drawing, which the page scales to its width.
WIDTH, HEIGHT = 480, 172
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 26
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
    scale = _Scale(length_s=length_s, low=ticks[0], high=ticks[-1])
    pieces = [f'<rect class="plot" x="{_LEFT}" y="{_TOP}" width="{_SPAN_X}" height="{_SPAN_Y}"/>']
    pieces += _value_axis(scale, ticks)
    pieces += _time_axis(scale)
    pieces += [_polyline(scale, line) for line in lines]
    ends = f'y1="{_TOP - 4}" y2="{HEIGHT - _BOTTOM + 4}"'
    pieces.append(f'<line class="playhead" data-width="{_SPAN_X}" x1="{_LEFT}" x2="{_LEFT}" {ends}/>')
    label = escape(f"Over time, in {unit}: " + "; ".join(map(str, lines)))
    return Markup(  # every piece is made of numbers
        f'<svg class="timeline" id="{escape(name)}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(pieces)}</svg>"
    )


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """From seconds and values to units of the drawing, as text."""

    length_s: float
    low: float
    high: float

    def x(self, time_s: float) -> str:
        return _number(_LEFT + _SPAN_X * (time_s / self.length_s if self.length_s else 0))

    def y(self, value: float) -> str:
        return _number(_TOP + _SPAN_Y * (self.high - value) / (self.high - self.low))


def _value_axis(scale: _Scale, ticks: Sequence[float]) -> Iterator[str]:
    for tick in ticks:
        style = "zero" if tick == 0 else "grid"
        text = "0" if tick == 0 else f"{tick:+.4g}".replace("-", MINUS)
        yield f'<line class="{style}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{scale.y(tick)}" y2="{scale.y(tick)}"/>'
        yield f'<text x="{_LEFT - 8}" y="{scale.y(tick)}" dy="0.35em" text-anchor="end">{text}</text>'


def _time_axis(scale: _Scale) -> Iterator[str]:
    y = HEIGHT - _BOTTOM + 17
    for tick in _ticks(0.0, scale.length_s):
        if tick <= 0.9 * scale.length_s:  # the unit stands at the end
            yield f'<text x="{scale.x(tick)}" y="{y}" text-anchor="middle">{tick:g}</text>'
    yield f'<text x="{WIDTH - _RIGHT}" y="{y}" text-anchor="end">s</text>'


def _polyline(scale: _Scale, line: Line) -> str:
    colour, dash = line_look(line.look)
    # Times of a layer's steps may go a little beyond the frames, and stand in the order of the layer.
    order = np.argsort(line.times_s, kind="stable")
    times_s = line.times_s.clip(0, scale.length_s)
    points = [(scale.x(float(times_s[step])), scale.y(float(line.values[step]))) for step in order]
    path = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.6"/>' for x, y in points)
    return (
        f'<g class="line" data-look="{line.look}" style="color: var(--series-{colour})">'
        f'<polyline points="{path}" stroke-dasharray="{dash}"/>{dots}</g>'
    )


def _ticks(low: float, high: float) -> list[float]:
    if high - low < _NARROWEST:
        high = low + 1
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [0.0 if abs(tick) < 1e-12 else float(tick) for tick in ticks]  # zero comes out as 1e-17 at times


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
