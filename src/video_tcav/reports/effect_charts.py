"""Charts of effects: a row, a panel of rows or a panel of lines for each concept, and one series for each model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup
from matplotlib.figure import Figure

from video_tcav.reports.charts import (
    Interval,
    Rows,
    chart_style,
    draw_lines,
    draw_rows,
    label_axes,
    legend_above,
    numbers_in_words,
    panel_grid,
    panels,
)
from video_tcav.reports.figure_files import chart_svg

Lines = Sequence[Sequence[Interval | None]]
"""Of each model the intervals from the first layer to the deepest."""


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


@dataclass(frozen=True, kw_only=True)
class ChartSettings:
    """What charts of effects say besides the numbers.

    Attributes:
        name: of the chart, see `Chart`.
        title: likewise.
        label: its content in words, which the numbers follow.
        axis: label of the axis of effects.
        models: names in the order of their series.
        significance: whether filled points are significant.
        level: of significance.
        dotted: whether some intervals are dotted.
    """

    name: str
    title: str = ""
    label: str
    axis: str
    models: Sequence[str]
    significance: bool = True
    level: float = 0.05
    dotted: bool = False

    @property
    def row_height(self) -> float:
        """Inches of a row that has one interval a model."""
        return max(0.5, 0.16 + 0.19 * len(self.models))

    def finished(self, figure: Figure, numbers: str) -> Chart:
        """The chart with its legend."""
        options = {"significance": self.significance, "level": self.level, "dotted": self.dotted}
        legend_above(figure, self.models, **options)
        return Chart(name=self.name, title=self.title, figure=figure, label=f"{self.label} {numbers}")

    def words(self, rows: Rows, prefix: str = "") -> str:
        """The numbers of some rows."""
        return numbers_in_words(
            (f"{model}, {prefix}{name}", interval)
            for name, intervals in rows
            for model, interval in zip(self.models, intervals, strict=True)
        )


def rows_chart(settings: ChartSettings, rows: Rows, *, labels: bool = False) -> Chart:
    """One panel of rows; `labels` prints the values of significant effects."""
    with chart_style():
        figure, (axes,) = panels(height=1.0 + settings.row_height * len(rows))
        draw_rows(axes, rows, labels=labels)
        axes.margins(x=0.1 if labels else 0.05)  # labels stand outside of the intervals
        axes.set_xlabel(settings.axis)
        return settings.finished(figure, settings.words(rows))


def panels_chart(settings: ChartSettings, concepts: Mapping[str, Rows]) -> Chart:
    """A panel of rows for each concept, with the same rows in each."""
    # Shared axes need as many rows in each panel.
    height = settings.row_height * max(map(len, concepts.values())) + 0.45
    with chart_style():
        figure, grid = panel_grid(
            list(concepts), most_columns=3, panel_height=height, extra_height=0.85, gap=0.06, sharex=True, sharey=True
        )
        for axes, rows in zip(grid, concepts.values(), strict=True):
            draw_rows(axes, rows)
        label_axes(figure, across=settings.axis)
        words = [settings.words(rows, prefix=f"{concept} ") for concept, rows in concepts.items()]
        return settings.finished(figure, "; ".join(words))


def layers_chart(
    settings: ChartSettings, concepts: Mapping[str, Lines], layers: Sequence[Sequence[str]], *, across: str = ""
) -> Chart:
    """A panel of lines over the layers for each concept.

    Args:
        settings: of the chart.
        concepts: lines of each.
        layers: names of the layers of each model, from the first to the deepest.
        across: label of the axis of layers.
    """
    with chart_style():
        figure, grid = panel_grid(
            list(concepts), panel_height=2.1, extra_height=0.8, gap=0.04, sharex=True, sharey=True
        )
        for axes, lines in zip(grid, concepts.values(), strict=True):
            draw_lines(axes, lines)
        label_axes(figure, across=across, up=settings.axis)
        words = numbers_in_words(
            (f"{model}, {concept}, {layer}", interval)
            for concept, lines in concepts.items()
            for model, names, intervals in zip(settings.models, layers, lines, strict=True)
            for layer, interval in zip(names, intervals, strict=True)
        )
        return settings.finished(figure, words)
