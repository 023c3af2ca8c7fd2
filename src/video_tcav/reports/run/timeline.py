"""When each concept raised or lowered the class, as lines over a clip's time that a playhead follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from video_tcav.reports.charts import SERIES

WIDTH, HEIGHT = 480, 172
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 26
_FLAT = 1e-9
"""What is less does not count as a height."""
DASHES = ("none", "7 4", "2 4", "9 3 2 3")
"""Beyond four, lines take the same colours again with another dash."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One concept's line.

    Attributes:
        name: concept.
        look: its number among the page's concepts, which gives it colour and dash.
        values: at each time.
        times_s: from the first frame.
    """

    name: str
    look: int
    values: Float[np.ndarray, " step"]
    times_s: Float[np.ndarray, " step"]


def line_look(number: int) -> tuple[int, str]:
    """Colour, by its number among the page's, and dash of a concept."""
    return number % len(SERIES), DASHES[number // len(SERIES) % len(DASHES)]


def timeline(lines: Sequence[Line], *, length_s: float, unit: str, name: str) -> Markup:
    """A drawing of the lines over the time of the clip.

    Args:
        lines: one a concept.
        length_s: from the first frame to the last.
        unit: of the values.
        name: of this drawing in its page.
    """
    every = np.concatenate([one.values for one in lines])
    ticks = _ticks(min(0.0, float(every.min())), max(0.0, float(every.max())))
    low, high = ticks[0], ticks[-1]
    inner = f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{_span()}" height="{HEIGHT - TOP - BOTTOM}"/>'

    def across(time: float) -> str:
        return _number(LEFT + _span() * (time / length_s if length_s else 0))

    def down(value: float) -> str:
        return _number(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low))

    for tick in ticks:
        kind = "zero" if tick == 0 else "grid"
        inner += f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(tick)}" y2="{down(tick)}"/>'
        inner += f'<text x="{LEFT - 8}" y="{down(tick)}" dy="0.35em" text-anchor="end">{_signed(tick)}</text>'
    for tick in (one for one in _ticks(0.0, length_s) if one <= 0.9 * length_s):
        inner += f'<text x="{across(tick)}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{tick:g}</text>'
    inner += f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 17}" text-anchor="end">s</text>'
    for one in lines:
        colour, dash = line_look(one.look)
        order = np.argsort(one.times_s, kind="stable")
        points = [(across(float(np.clip(one.times_s[i], 0, length_s))), down(float(one.values[i]))) for i in order]
        path = " ".join(f"{x},{y}" for x, y in points)
        dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.6"/>' for x, y in points)
        inner += (
            f'<g class="line" data-look="{one.look}" style="color: var(--series-{colour})">'
            f'<polyline points="{path}" stroke-dasharray="{dash}"/>{dots}</g>'
        )
    inner += f'<line class="playhead" data-width="{_span()}" x1="{LEFT}" x2="{LEFT}" y1="{TOP - 4}" y2="{HEIGHT - BOTTOM + 4}"/>'
    label = escape(f"Over time, in {unit}: " + "; ".join(_in_words(one) for one in lines))
    return Markup(  # every piece is a number, or escaped
        f'<svg class="timeline" id="{escape(name)}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{inner}</svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    if high - low < _FLAT:
        high = low + 1
    found = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [0.0 if abs(one) < 1e-12 else float(one) for one in found]


def _in_words(one: Line) -> str:
    top = int(np.abs(one.values).argmax())
    return f"{one.name}, sum {one.values.sum():+.2g}, strongest {one.values[top]:+.2g} at {one.times_s[top]:.2f} s"


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+.4g}".replace("-", "\N{MINUS SIGN}")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _span() -> int:
    return WIDTH - LEFT - RIGHT
