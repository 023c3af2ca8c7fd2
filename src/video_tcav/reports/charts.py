"""Charts for pages: text stays text, colours follow the page's light or dark style, and the same data give the same bytes."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from video_tcav.core.errors import InputError
from video_tcav.core.files import atomic_path
from video_tcav.reports.page import signed

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
_ON_PAGE = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--card)",
    **{series.colour: f"var(--series-{number})" for number, series in enumerate(SERIES)},
}
"""Colours as they are drawn, and what the page's style calls them."""
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
_ATTRIBUTE = re.compile(r' (?:d|x|y|width|height|transform|style)="[^"]*"')
_UNWANTED = (
    (r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", ""),
    (r"<defs>\s*</defs>", ""),
    (r'<g id="[^"]*"', "<g"),
    (r"xlink:href", "href"),
    (r" font-family: [^;\"]*;", ""),
    (r" ?font: ((?:[\w-]+ )*[\d.]+px) [^;\"]*", r"font: \1 var(--sans)"),
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r"<g\s*/>", ""),
    (r">\s+<", "><"),
)
"""What a drawing holds that its page does not need: its own style would rule the whole page, its names would clash."""
_DOTTED, _LEGEND_WIDTH = (0, (1, 1.6)), 110
_ENDINGS, _DPI = {".png": "png", ".svg": "svg"}, 160
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def chart_style() -> Iterator[None]:
    """The look of all charts, for as long as they are drawn; text is never read as mathematics."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's own fonts draw the text
        yield


def panels(
    columns: int = 1, *, width: float = 7.8, height: float = 3.0, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty chart of one or more panels; sizes are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    found = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(found.ravel())


def space_panels(figure: Figure, share: float) -> None:
    """Leave room between columns of panels: a share of their width."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(wspace=share)


def draw_interval(
    axes: Axes,
    value: float,
    low: float,
    high: float,
    place: float,
    series: Series,
    *,
    strong: bool,
    upright: bool = False,
    faint: bool = False,
) -> None:
    """A point with its interval: filled if `strong`, hollow if not, dotted if `faint`; `upright` if values go up."""
    ends, middle = ([place, place], [low, high]), (place, value)
    if not upright:
        ends, middle = ends[::-1], middle[::-1]
    axes.plot(*ends, color=series.colour, linewidth=1.6, linestyle=_DOTTED if faint else "solid", zorder=2)
    axes.plot(
        *([one] for one in middle),
        marker=series.marker,
        markersize=7,
        markeredgewidth=1.6,
        markeredgecolor=series.colour,
        markerfacecolor=series.colour if strong else PAPER,
        linestyle="none",
        zorder=3,
    )


def label_interval(axes: Axes, value: float, low: float, high: float, place: float, series: Series) -> None:
    """The value beside its interval, at the end that is farther from zero."""
    after = value >= 0
    axes.annotate(
        signed(value, 1 if abs(value) >= 1 else 2),
        (high if after else low, place),
        (9 if after else -9, 0),
        textcoords="offset points",
        ha="left" if after else "right",
        va="center",
        color=series.colour,
        fontweight="bold",
    )


def bare_rows(axes: Axes) -> None:
    """Nothing but what carries the rows."""
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=10)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="x")


def legend_above(
    figure: Figure, names: Sequence[str], *, significance: bool = True, level: float = 0.05, faint: bool = False
) -> None:
    """What colours and shapes stand for, above all panels; `faint` if some intervals are dotted."""
    entries = [
        Line2D([], [], color=one.colour, marker=one.marker, markersize=7, linewidth=1.6, label=name)
        for name, one in zip(names, SERIES, strict=False)
    ]
    if significance:
        shape = {"color": MUTED, "linestyle": "none", "marker": "o", "markersize": 6.5, "markeredgewidth": 1.4}
        entries += [
            Line2D([], [], label=f"adjusted p ≤ {level:g}", **shape),
            Line2D([], [], label="not significant", markerfacecolor=PAPER, **shape),
        ]
    if faint:
        entries.append(Line2D([], [], label="not represented", color=MUTED, linewidth=1.6, linestyle=_DOTTED))
    long = sum(len(str(entry.get_label())) + 6 for entry in entries) > _LEGEND_WIDTH
    columns = math.ceil(len(entries) / 2) if long else len(entries)
    figure.legend(handles=entries, loc="outside upper left", ncols=columns, borderaxespad=0, handletextpad=0.6)


def chart_svg(figure: Figure, *, name: str, label: str) -> Markup:
    """The chart as SVG to stand inside a page.

    Args:
        figure: what was drawn in `chart_style`.
        name: of this chart in its page; no other chart there may have it.
        label: what the chart shows, for those who cannot see it.
    """
    content = io.BytesIO()
    with chart_style(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(content, format="svg", metadata=_NO_METADATA, transparent=True)
    text = content.getvalue().decode()
    box, inner = re.findall(r'<svg [^>]*viewBox="([^"]*)"[^>]*>(.*)</svg>', text, re.DOTALL)[0]
    for pattern, instead in _UNWANTED:
        inner = re.sub(pattern, instead, inner, flags=re.DOTALL)
    inner = _ATTRIBUTE.sub(lambda match: _tidied(match[0]), inner.strip())
    return Markup(f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(label)}">{inner}</svg>')


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
    kind = _ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"`path` must end in {' or '.join(_ENDINGS)}. Got {path.name}. Change it.")
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with chart_style(), mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=_DPI, metadata=metadata)
    return path


def _tidied(attribute: str) -> str:
    """An attribute with the page's colours and font, and no more digits than can be seen."""
    short = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), attribute)
    if attribute.startswith(" style="):
        for colour, name in _ON_PAGE.items():
            short = short.replace(colour, name)
    return re.sub(r"\s+", " ", short)
