"""Drawing of a target's effects: intervals of each model, in rows and panels."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from video_tcav.reports.charts import (
    Chart,
    Interval,
    Rows,
    chart_style,
    draw_rows,
    label_axes,
    legend_above,
    numbers_in_words,
    panel_grid,
    shortened,
)
from video_tcav.reports.run.names import slug
from video_tcav.reports.run.view import TargetView
from video_tcav.tcav import ConceptResult


def effect_interval(view: TargetView, row: ConceptResult | None) -> Interval | None:
    """A result as it is drawn: filled where it is significant, dotted where the concept is not represented."""
    if row is None:
        return None
    return Interval(
        value=row.effect,
        low=row.effect_low,
        high=row.effect_high,
        filled=view.significant(row),
        dotted=not row.represented,
    )


def effect_intervals(view: TargetView, concept: str, twin: str = "none") -> list[Interval | None]:
    """One a model, at its deepest layer."""
    return [effect_interval(view, row) for row in view.per_model(concept, twin)]


def row_height(view: TargetView) -> float:
    """Inches of a row that has one interval a model."""
    return max(0.5, 0.16 + 0.19 * len(view.analyses))


def effect_label(view: TargetView) -> str:
    """Label of the axis of effects."""
    return f"effect on “{shortened(view.target)}”, {view.unit}"


def rows_in_words(view: TargetView, rows: Rows) -> str:
    """All numbers of some rows."""
    return numbers_in_words(
        (f"{model}, {name}", interval)
        for name, intervals in rows
        for model, interval in zip(view.models, intervals, strict=True)
    )


def chart_name(kind: str, view: TargetView) -> str:
    """Name of a target's chart, for files and in the page."""
    return f"{kind}-{view.number}-{slug(view.target)}"


def legend(view: TargetView, figure: Figure) -> None:
    """Models, significance, and dotted lines where there are any."""
    dotted = any(not row.represented for row in view.results)
    legend_above(figure, view.models, level=view.level, dotted=dotted)


def panels_of_rows(
    view: TargetView, names: Sequence[str], panels: Sequence[Rows], *, kind: str, title: str, label: str
) -> Chart:
    """A panel a concept, with the same rows in each.

    Args:
        view: of the target.
        names: of the concepts.
        panels: rows of each.
        kind: first part of the chart's name.
        title: of the chart.
        label: its content in words, which the numbers follow.
    """
    with chart_style(background="white"):
        figure, grid = panel_grid(
            names,
            most_columns=3,
            panel_height=row_height(view) * max(map(len, panels)) + 0.45,
            extra_height=0.85,
            gap=0.06,
            sharex=True,
            sharey=True,
        )
        for axes, rows in zip(grid, panels, strict=True):
            draw_rows(axes, rows)
        label_axes(figure, across=effect_label(view))
        legend(view, figure)
    words = "; ".join(
        rows_in_words(view, [(f"{name} {row}", intervals) for row, intervals in rows])
        for name, rows in zip(names, panels, strict=True)
    )
    label = f"{label}, with 95 % intervals. {words}"
    return Chart(name=chart_name(kind, view), title=title, figure=figure, label=label)
