"""Charts for pages: text stays text, colours follow the page's light or dark style, and the same data give the same bytes."""

import io
import math
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from video_tcav.core.errors import InputError
from video_tcav.core.files import atomic_path
from video_tcav.tcav.wording import signed

INK, MUTED, RULE, PAPER = "#1e2430", "#596070", "#dddad3", "#fffffe"


@dataclass(frozen=True, kw_only=True)
class Series:
    """How one model is drawn everywhere: a colour, and a shape for those who cannot tell colours apart."""

    colour: str
    marker: str


SERIES = (
    Series(colour="#0062a3", marker="o"),
    Series(colour="#b34700", marker="s"),
    Series(colour="#00755c", marker="^"),
    Series(colour="#84489a", marker="D"),
)
_PAGE_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--card)",
    **{series.colour: f"var(--series-{number})" for number, series in enumerate(SERIES)},
}
"""Drawn colours, and the variables of the page's style that replace them. PAPER is not quite white, so that it is told apart."""
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
    "figure.facecolor": "none",
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}
_DOTTED = (0, (1, 1.6))
# About as many letters of 9 points as fit on 7.8 inches; a longer legend takes two rows.
_LEGEND_LETTERS, _ENTRY_LETTERS = 110, 6
_LONGEST_NAME = 26
_ENDINGS, _DPI = {".png": "png", ".svg": "svg"}, 160
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with its interval, as it is drawn.

    Attributes:
        value: in the middle.
        low: lower end.
        high: upper end.
        filled: whether the point is filled, as for a significant effect, or hollow.
        dotted: whether the line is dotted, as for a concept that is not represented.
    """

    value: float
    low: float
    high: float
    filled: bool = True
    dotted: bool = False

    def __str__(self) -> str:
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


Rows = Sequence[tuple[str, Sequence[Interval | None]]]
"""Name of each row, and in it one interval a series, or none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """A chart for the page and for files.

    Attributes:
        name: of its files and in the page; no other chart of the page may have it.
        title: heading where it stands by itself, as in Markdown.
        figure: drawn in `chart_style`.
        label: all that it shows, for those who cannot see it.
    """

    name: str
    title: str = ""
    figure: Figure
    label: str

    @cached_property
    def svg(self) -> Markup:
        """The chart for the page."""
        return chart_svg(self.figure, name=self.name, label=self.label)


@contextmanager
def chart_style(*, background: str = "none") -> Iterator[None]:
    """The look of all charts, for as long as they are drawn; text is never read as mathematics."""
    style = {**_STYLE, "figure.facecolor": background}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's own fonts draw the text
        yield


def panels(
    columns: int = 1, *, width: float = 7.8, height: float = 3.0, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty chart of one or more panels; sizes are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes_grid = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes_grid.ravel())


def panel_grid(
    titles: Sequence[str],
    *,
    most_columns: int = 4,
    panel_height: float,
    extra_height: float,
    gap: float,
    **options: Any,
) -> tuple[Figure, list[Axes]]:
    """One small panel a title, in as many rows as it takes.

    Args:
        titles: of the panels.
        most_columns: panels beside each other.
        panel_height: inches of a row.
        extra_height: inches for what stands above and below all.
        gap: between columns, as a share of their width.
        **options: of `Figure.subplots`.
    """
    count, columns = len(titles), min(most_columns, len(titles))
    rows = math.ceil(count / columns)
    figure, grid = panels(columns, rows=rows, height=extra_height + panel_height * rows, **options)
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
    style = _DOTTED if interval.dotted else "solid"
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


def draw_rows(axes: Axes, rows: Rows, *, labels: bool = False, spread: float = 0.8) -> None:
    """Intervals in rows from the top down; within a row one a series.

    Args:
        axes: to draw on.
        rows: what to draw.
        labels: whether to print the values of filled points beside them.
        spread: of a row's series, as a share of its height.
    """
    for row, (_, intervals) in enumerate(rows):
        step = spread / max(2, len(intervals))
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
    axes.set_yticks(range(len(rows)), [shortened(name) for name, _ in rows])
    bare_rows(axes)


def draw_lines(axes: Axes, lines: Sequence[Mapping[int, Interval]], columns: int, *, most_ticks: int = 8) -> None:
    """One line a series over numbered columns, such as layers; columns without an interval are left out."""
    for number, intervals in enumerate(lines):
        series = SERIES[number % len(SERIES)]
        shift = 0.22 * (number - (len(lines) - 1) / 2)  # series side by side, so that none hides another
        positions = [column + shift for column in intervals]
        values = [interval.value for interval in intervals.values()]
        axes.plot(positions, values, color=series.colour, linewidth=1.2, alpha=0.55)
        for position, interval in zip(positions, intervals.values(), strict=True):
            draw_interval(axes, interval, position, series, upright=True)
    stride = math.ceil(columns / most_ticks)
    axes.set_xticks(range(0, columns, stride), [str(column + 1) for column in range(0, columns, stride)])
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


def legend_above(
    figure: Figure, names: Sequence[str], *, significance: bool = True, level: float = 0.05, dotted: bool = False
) -> None:
    """What colours and shapes stand for, above all panels; `dotted` if some intervals are."""
    entries = [
        Line2D(
            [], [], color=series.colour, marker=series.marker, markersize=7, linewidth=1.6, label=shortened(name, 40)
        )
        for name, series in zip(names, SERIES, strict=False)
    ]
    if significance:
        shape = {"color": MUTED, "linestyle": "none", "marker": "o", "markersize": 6.5, "markeredgewidth": 1.4}
        entries += [
            Line2D([], [], label=f"adjusted p ≤ {level:g}", **shape),
            Line2D([], [], label="not significant", markerfacecolor=PAPER, **shape),
        ]
    if dotted:
        entries.append(Line2D([], [], label="not represented", color=MUTED, linewidth=1.6, linestyle=_DOTTED))
    letters = sum(len(str(entry.get_label())) + _ENTRY_LETTERS for entry in entries)
    columns = math.ceil(len(entries) / 2) if letters > _LEGEND_LETTERS else len(entries)
    figure.legend(handles=entries, loc="outside upper left", ncols=columns, borderaxespad=0, handletextpad=0.6)


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name that fits beside a chart; what is cut off is an ellipsis."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def numbers_in_words(intervals: Iterable[tuple[str, Interval | None]]) -> str:
    """A chart's numbers as text, for those who cannot see it."""
    return "; ".join(f"{name} {interval}" for name, interval in intervals if interval is not None)


def write_figure(figure: Figure, path: str | Path, *, name: str) -> Path:
    """Write a figure as PNG or SVG, by the ending of its name; the file is there in full or not at all.

    Args:
        figure: what was drawn in `chart_style`.
        path: where to.
        name: of this kind of figure; the same figure under the same name gives the same bytes.

    Raises:
        InputError: for another ending.
        OutputError: if the file cannot be written.
    """
    path = Path(path)
    file_format = _ENDINGS.get(path.suffix.lower())
    if file_format is None:
        raise InputError(f"`path` must end in {' or '.join(_ENDINGS)}. Got {path.name}. Change it.")
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    with chart_style(), _svg_text(name), atomic_path(path) as temporary:
        figure.savefig(temporary, format=file_format, dpi=_DPI, metadata=metadata)
    return path


def chart_svg(figure: Figure, *, name: str, label: str) -> Markup:
    """The chart as SVG to stand inside a page.

    Args:
        figure: what was drawn in `chart_style`.
        name: of this chart in its page; no other chart there may have it.
        label: what the chart shows, for those who cannot see it.
    """
    content = io.BytesIO()
    with chart_style(), _svg_text(name):
        figure.savefig(content, format="svg", metadata=_NO_METADATA, transparent=True)
    drawing = ElementTree.fromstring(content.getvalue())
    box = drawing.attrib["viewBox"]
    drawing.attrib.clear()
    drawing.attrib.update({"class": "chart", "viewBox": box, "role": "img", "aria-label": label})
    _adapt_to_page(drawing)
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _svg_text(name: str) -> Any:
    """Text as text instead of outlines, and ids that depend on the name alone."""
    return mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name})


_DROPPED = {"metadata", "style"}
"""Elements that the page must not get: a drawing's own style sheet would rule the whole page."""
_MEASURES = {"d", "x", "y", "width", "height", "transform", "style"}
"""Attributes with many digits. `points` and texts are not among them."""


def _adapt_to_page(element: ElementTree.Element) -> None:
    """Make matplotlib's SVG fit into HTML: no namespaces, style sheets or names of groups; the page's colours and font."""
    element.tag = _local(element.tag)
    element.tail = None
    if element.tag != "text":
        element.text = None
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        name = _local(key)
        if (name, element.tag) == ("id", "g") or value.startswith("rotate(-0 "):
            continue  # `axes_1` would be in every chart of the page; only paths and clips are referred to by their ids
        if name == "style":
            value = _page_style(value)
        element.attrib[name] = _rounded(value) if name in _MEASURES else value
    for child in list(element):
        _adapt_to_page(child)
        empty = child.tag in ("g", "defs") and len(child) == 0
        if empty or child.tag in _DROPPED:
            element.remove(child)


def _local(name: str) -> str:
    """A name without its namespace, which `ElementTree` puts before it in braces."""
    return name.rpartition("}")[2]


def _page_style(style: str) -> str:
    declarations = dict(part.split(":", 1) for part in style.split(";") if ":" in part)
    adapted = []
    for name, value in ((name.strip(), value.strip()) for name, value in declarations.items()):
        if name == "font":  # such as `bold 10px 'DejaVu Sans', sans-serif`: size and weight stay
            value = re.sub(r"(?<=px) .*", " var(--sans)", value)
        if name != "font-family":
            adapted.append(f"{name}: {_PAGE_COLOURS.get(value, value)}")
    return "; ".join(adapted)


def _rounded(value: str) -> str:
    """No more digits than can be seen, and single spaces."""
    short = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), value)
    return re.sub(r"\s+", " ", short)
