"""Charts of effects: a row, a panel of rows or a panel of lines for each concept, and one series for each model."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from video_tcav.reports.charts import (
    DOTTED,
    MUTED,
    NARROW_IN,
    PAPER,
    SERIES,
    WIDTH_IN,
    Interval,
    Rows,
    chart_style,
    draw_lines,
    draw_rows,
    label_axes,
    label_directions,
    panel_grid,
    panels,
    shortened,
)
from video_tcav.reports.figure_files import chart_svg, write_figure

Lines = Sequence[Sequence[Interval | None]]
"""Of each model the intervals from the first layer to the deepest."""
# About as many letters of 9 points as fit on an inch; a longer legend takes several rows. An entry's mark is as wide as six.
_LETTERS_AN_INCH, _ENTRY_LETTERS = 14, 6
Draw = Callable[[float], Figure]
"""Draws a chart of that width in inches."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """A chart for the page and for files.

    Attributes:
        name: of its files and in the page; no other chart of the page may have it.
        title: heading where it stands by itself, as in Markdown.
        figure: drawn in `chart_style`.
        narrow: the same for a phone, which the page shows there; none if the wide one serves.
        label: all that it shows, for those who cannot see it.
    """

    name: str
    title: str = ""
    figure: Figure
    narrow: Figure | None = None
    label: str

    def write(self, folder: Path) -> None:
        """Write it as SVG and PNG; its name is its salt: the same chart has the same ids, and so the same bytes, in every report.

        Raises:
            OutputError: if a file cannot be written.
        """
        for ending in (".svg", ".png"):
            write_figure(self.figure, folder / f"{self.name}{ending}", name=self.name)

    @cached_property
    def svg(self) -> Markup:
        """The chart for the page."""
        wide = chart_svg(self.figure, name=self.name, label=self.label)
        if self.narrow is None:
            return wide
        return wide + chart_svg(self.narrow, name=f"{self.name}-narrow", label=self.label, kind="chart narrow")


class Widths(TypedDict):
    """A drawing for a wide page, and for a phone."""

    figure: Figure
    narrow: Figure


def at_both_widths(draw: Draw) -> Widths:
    """`figure` and `narrow` of a `Chart`, by the same drawing."""
    with chart_style():
        return {"figure": draw(WIDTH_IN), "narrow": draw(NARROW_IN)}


@dataclass(frozen=True, kw_only=True)
class ChartSettings:
    """What charts of effects say besides the numbers; see `Chart`."""

    name: str
    title: str = ""
    label: str  # content in words, which the numbers follow
    axis: str  # label of the axis of effects
    models: Sequence[str]  # in the order of their series
    significance: bool = True  # whether filled points are significant, at the level
    level: float = 0.05
    dotted: bool = False  # whether some intervals are

    @property
    def row_height(self) -> float:
        """Inches of a row that has one interval a model."""
        return max(0.5, 0.16 + 0.19 * len(self.models))

    def finished(self, draw: Draw, numbers: str) -> Chart:
        """The chart at both widths, each with its legend."""

        def with_legend(width: float) -> Figure:
            figure = draw(width)
            self._draw_legend(figure, width)
            return figure

        return Chart(name=self.name, title=self.title, label=f"{self.label} {numbers}", **at_both_widths(with_legend))

    def _draw_legend(self, figure: Figure, width: float) -> None:
        """What colours and shapes stand for, above all panels."""
        entries = [
            Line2D(
                [],
                [],
                color=series.colour,
                marker=series.marker,
                markersize=7,
                linewidth=1.6,
                label=shortened(name, 40),
            )
            for name, series in zip(self.models, SERIES, strict=False)
        ]
        if self.significance:
            shape = {"color": MUTED, "linestyle": "none", "marker": "o", "markersize": 6.5, "markeredgewidth": 1.4}
            entries += [
                Line2D([], [], label=f"adjusted p ≤ {self.level:g}", **shape),
                Line2D([], [], label="not significant", markerfacecolor=PAPER, **shape),
            ]
        if self.dotted:
            entries.append(Line2D([], [], label="not represented", color=MUTED, linewidth=1.6, linestyle=DOTTED))
        # matplotlib does not wrap legends, and gives every column the width of the longest entry in it.
        longest = max(len(str(entry.get_label())) for entry in entries) + _ENTRY_LETTERS
        most_columns = max(1, math.floor(_LETTERS_AN_INCH * width / longest))
        columns = math.ceil(len(entries) / math.ceil(len(entries) / most_columns))
        figure.legend(handles=entries, loc="outside upper left", ncols=columns, borderaxespad=0, handletextpad=0.6)

    def words(self, rows: Rows, prefix: str = "") -> str:
        """The numbers of some rows, for those who cannot see the chart."""
        return _in_words(
            (f"{model}, {prefix}{name}", interval)
            for name, intervals in rows
            for model, interval in zip(self.models, intervals, strict=True)
        )


def rows_chart(settings: ChartSettings, rows: Rows, *, labels: bool = False) -> Chart:
    """One panel of rows; `labels` prints the values of significant effects, and which side raises and which lowers."""

    def draw(width: float) -> Figure:
        figure, (axes,) = panels(height=1.0 + settings.row_height * len(rows), width=width)
        draw_rows(axes, rows, labels=labels)
        # Labels stand outside of the intervals, and take more of a narrow chart.
        axes.margins(x=0.1 * WIDTH_IN / width if labels else 0.05)
        axes.set_xlabel(settings.axis)
        if labels:
            label_directions(axes)
        return figure

    return settings.finished(draw, settings.words(rows))


def panels_chart(settings: ChartSettings, concepts: Mapping[str, Rows]) -> Chart:
    """A panel of rows for each concept, with the same rows in each."""
    # Shared axes need as many rows in each panel.
    panel_height = settings.row_height * max(map(len, concepts.values())) + 0.45
    shared = {"panel_height": panel_height, "extra_height": 0.85, "gap": 0.06, "sharex": True, "sharey": True}

    def draw(width: float) -> Figure:
        figure, grid = panel_grid(list(concepts), most_columns=3, width=width, **shared)
        for axes, rows in zip(grid, concepts.values(), strict=True):
            draw_rows(axes, rows)
        label_axes(figure, across=settings.axis)
        return figure

    words = [settings.words(rows, prefix=f"{concept} ") for concept, rows in concepts.items()]
    return settings.finished(draw, "; ".join(words))


def layers_chart(
    settings: ChartSettings, concepts: Mapping[str, Lines], layers: Sequence[Sequence[str]], *, across: str = ""
) -> Chart:
    """A panel of lines over the layers for each concept.

    `layers` has the names of each model's, from the first to the deepest; `across` is the label of their axis.
    """
    shared = {"panel_height": 2.1, "extra_height": 0.8, "gap": 0.04, "sharex": True, "sharey": True}

    def draw(width: float) -> Figure:
        figure, grid = panel_grid(list(concepts), width=width, **shared)
        for axes, lines in zip(grid, concepts.values(), strict=True):
            draw_lines(axes, lines)
        label_axes(figure, across=across, up=settings.axis)
        return figure

    words = _in_words(
        (f"{model}, {concept}, {layer}", interval)
        for concept, lines in concepts.items()
        for model, names, intervals in zip(settings.models, layers, lines, strict=True)
        for layer, interval in zip(names, intervals, strict=True)
    )
    return settings.finished(draw, words)


def _in_words(intervals: Iterable[tuple[str, Interval | None]]) -> str:
    return "; ".join(f"{name} {interval}" for name, interval in intervals if interval is not None)
