"""Charts of diagnostics at the deepest layer, as far as their tables hold the columns that they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from video_tcav.reports.charts import SERIES, Interval, bare_lines, chart_style, label_axes, panel_grid
from video_tcav.reports.effect_charts import Chart, ChartSettings, rows_chart
from video_tcav.reports.run.view import TargetView, chart_settings, deepest

Tables = Sequence[pd.DataFrame | None]
"""One of each analysis of a view, in their order."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How a kind of diagnostics is drawn."""

    draw: "Callable[[ChartSettings, _Kind, TargetView, Tables], Chart]"
    value: str  # its column
    axis: str  # label of the axis of values, with `{}` for the unit of effects
    keys: tuple[str, ...] = ("concept",)  # columns that the table must have besides

    @property
    def columns(self) -> list[str]:
        """The columns of the value and of its interval."""
        return [self.value, f"{self.value}_low", f"{self.value}_high"]


def diagnostic_chart(name: str, view: TargetView, tables: Tables, title: str) -> Chart | None:
    """A chart of one kind of diagnostics; none where the kind is not drawn, or its table lacks columns or rows."""
    kind = _KINDS.get(name)
    # Tables of older versions may lack columns, and those of another package may have others.
    deep = [_deepest_rows(table, deepest(analysis)) for table, analysis in zip(tables, view.analyses, strict=True)]
    filled = [table for table in deep if table is not None and len(table)]
    if kind is None or not filled or not all({*kind.columns, *kind.keys} <= {*table.columns} for table in filled):
        return None
    texts = {"title": title, "label": f"{title}, {view.target}.", "axis": kind.axis.format(view.unit)}
    settings = chart_settings(view, name.replace("_", "-"), significance=False, **{**texts, "dotted": False})
    with chart_style():
        return kind.draw(settings, kind, view, deep)


def _effect_by_clips(settings: ChartSettings, kind: _Kind, view: TargetView, tables: Tables) -> Chart:
    """The effect against the number of groups, a panel a concept."""
    concepts, words = _concepts(view, tables), []
    figure, grid = panel_grid(concepts, panel_height=2.0, extra_height=0.8, gap=0.05, sharey=True)
    for axes, concept in zip(grid, concepts, strict=True):
        for number, rows in enumerate(_of_concept(tables, concept)):
            if rows is None:
                continue
            rows = rows.sort_values("n_concept_groups")
            groups, series = rows["n_concept_groups"].to_numpy(), SERIES[number % len(SERIES)]
            # A band instead of intervals, which would hide each other.
            effects, low, high = (rows[column] for column in kind.columns)
            axes.fill_between(groups, low, high, color=series.colour, alpha=0.16, linewidth=0)
            axes.plot(groups, effects, color=series.colour, marker=series.marker, markersize=4, linewidth=1.5)
            words += [
                f"{view.models[number]}, {concept}, {count} groups {effect:+.2f}"
                for count, effect in zip(groups, effects, strict=True)
            ]
        bare_lines(axes)
    label_axes(figure, across="groups of concept clips", up=settings.axis)
    return settings.finished(figure, "; ".join(words))


def _intervals(settings: ChartSettings, kind: _Kind, view: TargetView, tables: Tables) -> Chart:
    """A value with its interval, a row a concept."""

    def interval(rows: pd.DataFrame | None) -> Interval | None:
        if rows is None:
            return None
        value, low, high = map(float, rows[kind.columns].iloc[0])
        return Interval(value=value, low=low, high=high)

    names = _concepts(view, tables)
    return rows_chart(settings, [(name, [*map(interval, _of_concept(tables, name))]) for name in names])


_KINDS = {
    "effect_by_clips": _Kind(
        draw=_effect_by_clips,
        value="effect",
        axis="effect, {}",
        keys=("concept", "n_concept_groups"),
    ),
    "split_half": _Kind(draw=_intervals, value="cosine", axis="cosine between CAVs of the halves"),
    "pool_sensitivity": _Kind(draw=_intervals, value="effect", axis="effect, {}"),
}


def _deepest_rows(table: pd.DataFrame | None, layer: str) -> pd.DataFrame | None:
    """The rows of concepts against random clips at one layer."""
    if table is None or "concept" not in table:
        return None
    for column, value in (("layer", layer), ("versus", "random")):
        if column in table:
            table = table[table[column] == value]
    return table


def _of_concept(tables: Tables, concept: str) -> list[pd.DataFrame | None]:
    rows = [None if table is None else table[table["concept"] == concept] for table in tables]
    return [None if table is None or table.empty else table for table in rows]


def _concepts(view: TargetView, tables: Tables) -> list[str]:
    names = {name for table in tables if table is not None for name in table["concept"]}
    return [name for name in view.concepts if name in names]
