"""Charts of diagnostics that are simple enough to draw, for as far as their tables hold what is needed."""

import math
from collections.abc import Callable, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from video_tcav.reports.charts import (
    MUTED,
    RULE,
    SERIES,
    chart_style,
    draw_interval,
    legend_above,
    panels,
    space_panels,
)
from video_tcav.reports.run.charts import Chart
from video_tcav.reports.run.view import TargetView, deepest, slug

_COLUMNS, _LONGEST = 4, 26
Tables = Sequence[pd.DataFrame | None]
"""One of each analysis of a view, in their order."""


def diagnostic_chart(kind: str, view: TargetView, tables: Tables, title: str) -> Chart | None:
    """A chart of one kind of diagnostics at the deepest layer; none where the kind, or its columns, are not known."""
    draw = _DRAWN.get(kind)
    rows = [_deepest(table, deepest(one)) for table, one in zip(tables, view.analyses, strict=True)]
    known = [table for table in rows if table is not None and len(table)]
    if draw is None or not known or not all(_NEEDED[kind] <= set(table.columns) for table in known):
        return None
    with chart_style(), mpl.rc_context({"figure.facecolor": "white"}):
        return draw(kind, view, rows, title)


def _by_clips(kind: str, view: TargetView, tables: Tables, title: str) -> Chart:
    """The effect against the number of groups, a panel a concept."""
    concepts = _concepts(view, tables)
    columns = min(_COLUMNS, len(concepts))
    count = math.ceil(len(concepts) / columns)
    words = []
    figure, every = panels(columns, rows=count, height=0.8 + 2.0 * count, sharey=True)
    space_panels(figure, 0.05)
    for axes, concept in zip(every, concepts, strict=False):
        for number, table in enumerate(tables):
            own = None if table is None else table[table["concept"] == concept].sort_values("n_concept_groups")
            if own is None or own.empty:
                continue
            series = SERIES[number % len(SERIES)]
            places = own["n_concept_groups"].to_numpy()
            axes.fill_between(
                places, own["effect_low"], own["effect_high"], color=series.colour, alpha=0.16, linewidth=0
            )
            axes.plot(places, own["effect"], color=series.colour, marker=series.marker, markersize=4, linewidth=1.5)
            words += [
                f"{view.models[number]}, {concept}, {n} groups {effect:+.2f}"
                for n, effect in zip(places, own["effect"], strict=True)
            ]
        axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
        axes.set_title(_short(concept))
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y")
    for axes in every[len(concepts) :]:
        axes.set_visible(False)
    figure.supxlabel("groups of concept clips", fontsize=9, color=MUTED)
    figure.supylabel(f"effect, {view.unit}", fontsize=9, color=MUTED)
    legend_above(figure, [_short(model) for model in view.models], significance=False)
    return _chart(kind, view, figure, f"{title}, {view.target}. {'; '.join(words)}")


def _intervals(kind: str, view: TargetView, tables: Tables, title: str) -> Chart:
    """A value with its interval, a row a concept."""
    value, unit = _VALUES[kind]
    concepts, words = _concepts(view, tables), []
    step = 0.8 / max(2, len(tables))
    figure, (axes,) = panels(height=0.95 + max(0.45, 0.16 + 0.19 * len(tables)) * len(concepts))
    for number, table in enumerate(tables):
        for row, concept in enumerate(concepts):
            own = None if table is None else table[table["concept"] == concept]
            if own is None or own.empty:
                continue
            middle, low, high = (float(own[name].iloc[0]) for name in (value, f"{value}_low", f"{value}_high"))
            place = row + step * (number - (len(tables) - 1) / 2)
            draw_interval(axes, middle, low, high, place, SERIES[number % len(SERIES)], strong=True)
            words.append(f"{view.models[number]}, {concept} {middle:+.2f} ({low:+.2f} to {high:+.2f})")
    _bare(axes, [_short(name) for name in concepts], unit.format(view.unit))
    legend_above(figure, [_short(model) for model in view.models], significance=False)
    return _chart(kind, view, figure, f"{title}, {view.target}. {'; '.join(words)}")


def _bare(axes: Axes, names: Sequence[str], label: str) -> None:
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(label)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="x")


_Draw = Callable[[str, TargetView, Tables, str], Chart]
_DRAWN: dict[str, _Draw] = {"effect_by_clips": _by_clips, "split_half": _intervals, "pool_sensitivity": _intervals}
_VALUES = {"split_half": ("cosine", "cosine between CAVs of the halves"), "pool_sensitivity": ("effect", "effect, {}")}
_NEEDED = {
    "effect_by_clips": {"concept", "n_concept_groups", "effect", "effect_low", "effect_high"},
    "split_half": {"concept", "cosine", "cosine_low", "cosine_high"},
    "pool_sensitivity": {"concept", "effect", "effect_low", "effect_high"},
}


def _deepest(table: pd.DataFrame | None, layer: str) -> pd.DataFrame | None:
    """The rows of concepts against random clips at one layer."""
    if table is None or "concept" not in table:
        return None
    for name, wanted in (("layer", layer), ("versus", "random")):
        if name in table:
            table = table[table[name] == wanted]
    return table


def _concepts(view: TargetView, tables: Tables) -> list[str]:
    found = {name for table in tables if table is not None for name in table["concept"]}
    return [name for name in view.concepts if name in found]


def _chart(kind: str, view: TargetView, figure: Figure, label: str) -> Chart:
    return Chart(name=f"{kind.replace('_', '-')}-{view.number}-{slug(view.target)}", figure=figure, label=label)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
