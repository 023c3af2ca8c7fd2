"""Charts for pages: text stays text, colours follow the page's light or dark style, and the same data give the same bytes."""

import io
import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from video_tcav.tcav.wording import signed

INK, MUTED, RULE, PAPER = "#1e2430", "#596070", "#dddad3", "#fffffe"
# What raises the target and what lowers it, in every chart, page and heat map; no series has these hues.
RAISES, LOWERS = "#b34700", "#0062a3"


@dataclass(frozen=True, kw_only=True)
class Series:
    """How one model is drawn everywhere: a colour, and a shape for those who cannot tell colours apart."""

    colour: str
    marker: str


SERIES = (
    Series(colour="#7440a0", marker="o"),
    Series(colour="#746200", marker="s"),
    Series(colour="#00755c", marker="^"),
    Series(colour="#b0246b", marker="D"),
)
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}
DOTTED = (0, (1, 1.6))
# Inches of a chart on a wide page, and on a phone, where 9 points stay about 9 pixels high.
WIDTH_IN, NARROW_IN = 7.8, 4.0
_LONGEST_NAME, _LETTERS_AN_INCH = 26, 4
_SCREEN_DPI = 110
_MOST_TICKS = 8


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with its interval, as it is drawn."""

    value: float
    low: float
    high: float
    filled: bool = True  # or hollow, as for an effect that is not significant
    dotted: bool = False  # as for a concept that is not represented

    def __str__(self) -> str:
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


Rows = Sequence[tuple[str, Sequence[Interval | None]]]
"""Name of each row, and in it one interval a series, or none."""


@contextmanager
def chart_style() -> Iterator[None]:
    """The look of all charts, for as long as they are drawn; text is never read as mathematics."""
    # Names of concepts may hold any sign, `$` included, and any script.
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's own fonts draw the text
        yield


def panels(
    columns: int = 1, *, height: float = 3.0, rows: int = 1, width: float = WIDTH_IN, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty chart of one or more panels; width and height are in inches."""
    # No pyplot: it keeps figures alive, and chooses a backend by the machine.
    figure = StyledFigure(figsize=(width, height), layout="constrained")
    axes_grid = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes_grid.ravel())


def panel_grid(
    titles: Sequence[str],
    *,
    most_columns: int = 4,
    panel_height: float,
    extra_height: float,
    gap: float,
    width: float = WIDTH_IN,
    **options: Any,
) -> tuple[Figure, list[Axes]]:
    """One small panel a title, in as many rows as it takes; see `Figure.subplots` for `options`.

    Width and heights, of a row and of all that stands above and below the rows, are in inches; the gap between columns is a
    share of their width. `most_columns` is that of a wide page.
    """
    count = len(titles)
    columns = min(max(1, math.floor(most_columns * width / WIDTH_IN)), count)
    rows = math.ceil(count / columns)
    figure, grid = panels(columns, rows=rows, height=extra_height + panel_height * rows, width=width, **options)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(wspace=gap)
    for axes in grid[count:]:
        axes.set_visible(False)
    for axes in grid[max(0, count - columns) : count]:  # shared axes label the last row alone, which may have gaps
        axes.tick_params(labelbottom=True)
    for axes, title in zip(grid, titles, strict=False):
        axes.set_title(shortened(title))
    return figure, grid[:count]


def draw_interval(axes: Axes, interval: Interval, position: float, series: Series, *, upright: bool = False) -> None:
    """A point with its interval at a position on the other axis; `upright` if values go up."""
    line, point = ([position, position], [interval.low, interval.high]), ([position], [interval.value])
    if not upright:
        line, point = line[::-1], point[::-1]
    style = DOTTED if interval.dotted else "solid"
    axes.plot(*line, color=series.colour, linewidth=1.6, linestyle=style, zorder=2)
    axes.plot(
        *point,
        marker=series.marker,
        markersize=7,
        markeredgewidth=1.6,
        markeredgecolor=series.colour,
        markerfacecolor=series.colour if interval.filled else PAPER,
        linestyle="none",
        zorder=3,
    )


def draw_rows(axes: Axes, rows: Rows, *, labels: bool = False) -> None:
    """Intervals in rows from the top down; within a row one a series; `labels` prints the values of filled points."""
    for row, (_, intervals) in enumerate(rows):
        step = 0.8 / max(2, len(intervals))  # a fifth of the row's height stays free
        for number, interval in enumerate(intervals):
            if interval is None:
                continue
            series = SERIES[number % len(SERIES)]
            position = row + step * (number - (len(intervals) - 1) / 2)
            draw_interval(axes, interval, position, series)
            if labels and interval.filled:
                _label_interval(axes, interval, position, series)
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    # On a phone, names leave most of the width to the intervals.
    longest = min(_LONGEST_NAME, round(_LETTERS_AN_INCH * axes.figure.get_figwidth()))  # pyright: ignore[reportAttributeAccessIssue]
    axes.set_yticks(range(len(rows)), [wrapped(name, longest) for name, _ in rows])
    bare_rows(axes)


def draw_lines(axes: Axes, lines: Sequence[Sequence[Interval | None]]) -> None:
    """One line a series over numbered columns, such as layers; columns without an interval are left out."""
    for number, intervals in enumerate(lines):
        series = SERIES[number % len(SERIES)]
        shift = 0.22 * (number - (len(lines) - 1) / 2)  # series side by side, so that none hides another
        points = [(column + shift, interval) for column, interval in enumerate(intervals) if interval is not None]
        heights = [interval.value for _, interval in points]
        axes.plot([x for x, _ in points], heights, color=series.colour, linewidth=1.2, alpha=0.55)
        for x, interval in points:
            draw_interval(axes, interval, x, series, upright=True)
    columns = max(map(len, lines))
    ticks = range(0, columns, math.ceil(columns / _MOST_TICKS))
    axes.set_xticks(ticks, [str(column + 1) for column in ticks])
    axes.set_xlim(-0.6, columns - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    bare_lines(axes)


def _label_interval(axes: Axes, interval: Interval, position: float, series: Series) -> None:
    """The value beside its interval, at the end that is farther from zero."""
    right = interval.value >= 0
    axes.annotate(
        signed(interval.value, 1 if abs(interval.value) >= 1 else 2),
        (interval.high if right else interval.low, position),
        (9 if right else -9, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        color=series.colour,
        fontweight="bold",
    )


def label_directions(axes: Axes) -> None:
    """Above a panel of rows: which side lowers the target, and which raises it."""
    axes.set_title("← lowers", loc="left", color=LOWERS, fontsize=9)
    axes.set_title("raises →", loc="right", color=RAISES, fontsize=9)


def bare_rows(axes: Axes) -> None:
    """Leave out all lines but those that carry rows."""
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=10)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="x")


def bare_lines(axes: Axes) -> None:
    """Leave out all lines but zero and those that carry values which go up."""
    axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y")


def label_axes(figure: Figure, *, across: str = "", up: str = "") -> None:
    """One label for the axes of all panels."""
    for text, draw in ((across, figure.supxlabel), (up, figure.supylabel)):
        if text:
            draw(text, fontsize=9, color=MUTED)


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name that fits beside a chart; what is cut off is an ellipsis."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def wrapped(name: str, longest: int) -> str:
    """A name beside a row, in two lines where one is too short; what does not fit there is an ellipsis."""
    if len(name) <= longest:
        return name
    return "\n".join(textwrap.wrap(name, longest, max_lines=2, placeholder="…"))


class StyledFigure(Figure):
    """A figure that has the look of all charts wherever it is drawn, and that notebooks show without pyplot."""

    def draw(self, renderer: Any) -> None:
        # ticks are made while a figure is drawn, by whoever saves or shows it
        with chart_style():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=_SCREEN_DPI)
        return content.getvalue()
