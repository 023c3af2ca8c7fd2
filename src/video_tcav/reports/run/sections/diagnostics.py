"""Section: diagnostics of the concept vectors, as tables and as charts where they are simple enough to draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from video_tcav.experiments import Analysis
from video_tcav.reports.charts import SERIES, Interval, bare_lines, label_axes, panel_grid
from video_tcav.reports.effect_charts import Chart, ChartSettings, rows_chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import figures
from video_tcav.reports.run.view import RunView, TargetView, chart_settings, deepest, differing
from video_tcav.tcav.wording import signed

MOST_ROWS = 200
WORDS = {
    "consistency": (
        "Consistency between layers",
        "Whether a concept is the same thing at two layers: how the clips are ordered along its CAV at the one and the "
        "other. Near 1: the same. At the reference or below: not.",
    ),
    "entanglement": (
        "Entanglement of concepts",
        "How alike the CAVs of two concepts are. Beyond the range of the reference, which their shared random clips explain, "
        "effects of the two cannot be told apart.",
    ),
    "place_and_time": (
        "Dependence on place and time",
        "How much of a CAV is tied to places in the picture or moments of the clip, beside CAVs of random clips.",
    ),
    "split_half": (
        "Split halves",
        "How alike the CAVs of two halves of the clips are. A low value says that clips are too few, or too different.",
    ),
    "effect_by_clips": (
        "Effect by the number of clips",
        "What the effect would have been with fewer groups of concept clips. Where it still moves at the right end, more "
        "clips would change it.",
    ),
    "pool_sensitivity": (
        "Sensitivity to the random clips",
        "How much the effect changes when other random clips are taken.",
    ),
}
"""Title and meaning of each kind, in the order of the page; other kinds come after."""
# Names of files that earlier versions wrote.
_OLD_NAMES = {"dependence": "place_and_time"}


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One kind of diagnostics, of all analyses."""

    title: str
    words: str  # how to read it
    columns: tuple[tuple[str, str], ...]  # names, and "number" for those of numbers
    rows: tuple[tuple[str, ...], ...]  # their cells as text
    left_out: int  # rows that the page leaves to the files
    files: tuple[str, ...]
    charts: tuple[Chart, ...]  # one a target, where there is something to draw


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


class Section(TemplateSection[RunView]):
    name, title, order = "diagnostics", "Can the concept vectors be trusted?", 700

    def values(self, view: RunView) -> Values:
        kinds, remarks = view.once(diagnostics), view.run.remarks()
        return {"diagnostics": kinds, "remarks": remarks} if kinds or remarks else None

    def markdown(self, view: RunView) -> str:
        return figures(self.charts(view))

    def charts(self, view: RunView) -> Sequence[Chart]:
        return [chart for diagnostic in view.once(diagnostics) for chart in diagnostic.charts]


def diagnostics(view: RunView) -> list[Diagnostic]:
    """All that were saved beside the analyses, in the order of `WORDS`."""
    tables: dict[str, dict[Path, pd.DataFrame]] = {}
    for analysis in view.run.analyses:
        for kind, table in analysis.diagnostics().items():
            if len(table):  # a single layer has nothing to be consistent with
                tables.setdefault(kind, {})[analysis.folder] = table
    # Unknown kinds, such as those of later versions, are shown as they are.
    order = [*WORDS, *sorted(tables)]
    kinds = sorted(tables, key=lambda kind: order.index(_OLD_NAMES.get(kind, kind)))
    return [_diagnostic(view, kind, tables[kind]) for kind in kinds]


def _diagnostic(view: RunView, file_kind: str, tables: Mapping[Path, pd.DataFrame]) -> Diagnostic:
    analyses, kind = view.run.analyses, _OLD_NAMES.get(file_kind, file_kind)
    title, words = WORDS.get(kind, (kind.replace("_", " ").capitalize(), ""))
    charts = [
        _chart(kind, target, [tables.get(analysis.folder) for analysis in target.analyses], title)
        for target in view.targets
    ]
    named = [_with_analysis(tables[each.folder], each, analyses) for each in analyses if each.folder in tables]
    table = pd.concat(named, ignore_index=True)
    # A column that is the same in all rows says nothing; the model stays, as tables are read by model.
    keys = ("target", "space", "test")
    table = table.drop(columns=[name for name in keys if name in table and table[name].nunique(dropna=False) <= 1])
    first_rows = table.head(MOST_ROWS)
    return Diagnostic(
        title=title,
        words=words,
        columns=tuple(
            (str(name).replace("_", " "), "number" if pd.api.types.is_numeric_dtype(table[name]) else "")
            for name in table.columns
        ),
        rows=tuple(tuple(_cell(value) for value in row) for row in first_rows.itertuples(index=False)),
        left_out=len(table) - len(first_rows),
        files=tuple(
            f"{folder.relative_to(view.run.path).as_posix()}/diagnostics-{file_kind}.parquet" for folder in tables
        ),
        charts=tuple(chart for chart in charts if chart is not None),
    )


def _with_analysis(table: pd.DataFrame, analysis: Analysis, analyses: Sequence[Analysis]) -> pd.DataFrame:
    """The table with columns in front that tell its analysis from others."""
    columns = {name: getattr(analysis.which, name) for name in differing(analyses) if name not in table}
    return pd.concat([pd.DataFrame(columns, index=table.index), table], axis=1)


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return signed(float(value), 3).removeprefix("+") if np.isfinite(value) else "–"
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(_cell(element) for element in value)
    return "–" if value is None else str(value)


def _chart(name: str, view: TargetView, tables: Tables, title: str) -> Chart | None:
    """A chart of one kind of diagnostics; none where the kind is not drawn, or its table lacks columns or rows."""
    kind = _KINDS.get(name)
    # Tables of older versions may lack columns, and those of another package may have others.
    deep = [_deepest_rows(table, deepest(analysis)) for table, analysis in zip(tables, view.analyses, strict=True)]
    filled = [table for table in deep if table is not None and len(table)]
    if kind is None or not filled or not all({*kind.columns, *kind.keys} <= {*table.columns} for table in filled):
        return None
    texts = {"title": title, "label": f"{title}, {view.target}.", "axis": kind.axis.format(view.unit)}
    settings = chart_settings(view, name.replace("_", "-"), significance=False, **{**texts, "dotted": False})
    return kind.draw(settings, kind, view, deep)


def _effect_by_clips(settings: ChartSettings, kind: _Kind, view: TargetView, tables: Tables) -> Chart:
    """The effect against the number of groups, a panel a concept."""
    concepts = _concepts(view, tables)
    curves = {concept: _curves(kind, _of_concept(tables, concept)) for concept in concepts}

    def draw(width: float) -> Figure:
        figure, grid = panel_grid(concepts, panel_height=2.0, extra_height=0.8, gap=0.05, sharey=True, width=width)
        for axes, concept in zip(grid, concepts, strict=True):
            for number, groups, effects, low, high in curves[concept]:
                series = SERIES[number % len(SERIES)]
                # A band instead of intervals, which would hide each other.
                axes.fill_between(groups, low, high, color=series.colour, alpha=0.16, linewidth=0)
                axes.plot(groups, effects, color=series.colour, marker=series.marker, markersize=4, linewidth=1.5)
            bare_lines(axes)
        label_axes(figure, across="groups of concept clips", up=settings.axis)
        return figure

    words = [
        f"{view.models[number]}, {concept}, {count} groups {effect:+.2f}"
        for concept in concepts
        for number, groups, effects, *_ in curves[concept]
        for count, effect in zip(groups, effects, strict=True)
    ]
    return settings.finished(draw, "; ".join(words))


def _curves(kind: _Kind, tables: Tables) -> list[tuple[Any, ...]]:
    """Number of each model, and its groups, effects and ends of intervals, by the number of groups."""
    filled = [(number, rows.sort_values("n_concept_groups")) for number, rows in enumerate(tables) if rows is not None]
    return [
        (number, *(rows[name].to_numpy() for name in ("n_concept_groups", *kind.columns))) for number, rows in filled
    ]


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
