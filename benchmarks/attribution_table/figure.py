"""Figure of the attribution benchmark: localisation, deletion gain, and sanity, a row a method."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from benchmarks.attribution_table.checks import TRUTH
from benchmarks.attribution_table.model_free import MODEL_FREE
from benchmarks.attribution_table.table import AttributionBenchmark
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from video_tcav.reports.charts import INK, MUTED, PAPER, chart_style
from video_tcav.reports.figure_files import write_figure
from video_tcav.tcav.wording import percent

_RULES = ("motion", "order", "object", "scene")
_SHADES = LinearSegmentedColormap.from_list("attribution", ["#c8692f", "#f3d9c4", "#f6f4ef", "#c9e3d8", "#3f9a80"])
_FAILS, _FAILED = "fails", "#9c1f10"
_NAMES = {TRUTH: "the true cause", **{name: f"{name} (no model)" for name in MODEL_FREE}}
_SMALL, _LINE = 8, 0.31
# Values that are drawn in full colour.
_FULL_FOUND, _FULL_GAIN, _FULL_EXCESS = 0.6, 0.6, 0.8
Rows = dict[tuple[str, str], Mapping[str, float]]
# Text of a cell, and how good it is, from -1 to 1; NaN is drawn without colour.
Cell = tuple[str, float]


def attribution_figure(benchmark: AttributionBenchmark) -> Figure:
    """A table in five parts, a row a method and a column a rule; the methods that find most of the cause come first.

    Above them stand the true cause and the maps that use no model.
    """
    table = benchmark.by_rule()
    rules = [rule for rule in _RULES if rule in set(table["rule"])]
    table["found"] = (table["energy"] - table["area"]) / (1 - table["area"])
    measured = set(table["method"])
    references = [name for name in (TRUTH, *MODEL_FREE) if name in measured]
    order = table[~table["method"].isin(references)].groupby("method", sort=False)["found"].mean()
    methods = [*references, *(str(name) for name in order.sort_values(ascending=False, kind="stable").index)]
    records: Any = table.to_dict("records")
    cells: Rows = {(row["method"], row["rule"]): row for row in records}
    with chart_style(), mpl.rc_context({"figure.facecolor": "white"}):
        figure = Figure(figsize=(17, 2.0 + _LINE * len(methods)), layout=ConstrainedLayoutEngine(wspace=0.05))
        area = table.groupby("rule")["area"].mean()
        chance = [f"{rule}\nchance {percent(area[rule])}" for rule in rules]
        plain = [f"{rule}\n" for rule in rules]
        panels: list[tuple[str, list[str], Callable[[Mapping[str, float]], Cell]]] = [
            ("(a) Inside the true cause", chance, _inside),
            ("(b) Deletion, better than elsewhere", plain, partial(_gain, "deletion_gain", "elsewhere")),
            ("(c) … than other clips' maps", plain, partial(_gain, "deletion_gain_other_clips", "other_clips")),
            ("(d) … than without a model", plain, partial(_gain, "deletion_gain_model_free", "model_free")),
            ("(e) Random weights: alike", plain, _alike),
        ]
        for axes, (title, heads, read) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
            _panel(axes, title, heads, cells, methods, rules, read)
            if references and len(references) < len(methods):
                axes.axhline(len(references) - 0.5, color=MUTED, linewidth=0.8)
        figure.supxlabel(_caption(), x=0.012, ha="left", fontsize=_SMALL, color=MUTED)
    return figure


def write_attribution_figure(benchmark: AttributionBenchmark, path: str | Path) -> Path:
    """Write the figure as PNG or SVG, by its ending; the file is there in full or not at all.

    Raises:
        InputError: for another ending.
        OutputError: if the file cannot be written.
    """
    return write_figure(attribution_figure(benchmark), path, name="attribution")


def _panel(
    axes: Axes,
    title: str,
    heads: Sequence[str],
    rows: Rows,
    methods: Sequence[str],
    rules: Sequence[str],
    read: Callable[[Mapping[str, float]], Cell],
) -> None:
    """One part of the table: its heads, and a coloured cell for each method and rule."""
    axes.set_title(title, pad=10)
    for row, method in enumerate(methods):
        for column, rule in enumerate(rules):
            text, worth = read(rows[method, rule]) if (method, rule) in rows else ("–", math.nan)
            colour = PAPER if math.isnan(worth) else to_hex(_SHADES((worth + 1) / 2))
            axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=colour, linewidth=0))
            failed = text.startswith(_FAILS)
            axes.text(column, row, text, ha="center", va="center", fontsize=_SMALL, color=_FAILED if failed else INK,
                      weight="bold" if failed else "normal")  # fmt: skip
    axes.set_xticks(range(len(rules)), heads)
    axes.set_yticks(range(len(methods)), [_NAMES.get(name, name) for name in methods])
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set(xlim=(-0.5, len(rules) - 0.5), ylim=(len(methods) - 0.5, -0.5))
    axes.spines[["left", "bottom"]].set_visible(False)


def _inside(cell: Mapping[str, float]) -> Cell:
    """The share inside the cause; its colour says how far it is on the way from chance to all."""
    return percent(cell["energy"]), _bounded(cell["found"] / _FULL_FOUND)


def _gain(column: str, opponent: str, cell: Mapping[str, float]) -> Cell:
    """By how much deletion is lower than an opponent's; a star where it is not shown to be so on every model."""
    star = "*" if cell[f"not_better_{opponent}"] and not math.isnan(cell[column]) else ""
    return f"{_signed(cell[column])}{star}", _bounded(cell[column] / _FULL_GAIN)


def _alike(cell: Mapping[str, float]) -> Cell:
    """Similarity to maps of random networks above chance, or on how many models that is too much."""
    failed = int(cell["failed"])
    text = f"{_FAILS} {failed} of {int(cell['models'])}" if failed else _signed(cell["excess"])
    return text, -_bounded(abs(cell["excess"]) / _FULL_EXCESS)


def _signed(value: float) -> str:
    """With a sign, unless it rounds to nothing."""
    return "–" if math.isnan(value) else f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def _bounded(value: float) -> float:
    return value if math.isnan(value) else max(-1.0, min(1.0, value))


def _caption() -> str:
    return (
        "(a) Share of what speaks for the class that lies inside the true cause; below each rule what a map gets that knows "
        "nothing. Colour: how far from there to all.\n"
        "(b) Area under the probability as the most important voxels go, subtracted from that of the same map moved elsewhere, "
        "(c) of the method's maps of other clips, (d) of the best map without a model.\n"
        "* On one of the models, or both, the 95 % interval over clips reaches zero: not shown to be better.\n"
        "(e) Rank correlation with the map of an untrained network for the same clip, above that for other clips; a method fails "
        "on a model where that is beyond doubt above 0.05.\n"
        "Averages over the models of a rule. A dash: does not apply, or was not measured."
    )
