"""Chart of pairs: the target of both clips of each pair, and the mean change beside what estimates say of it at each layer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from video_tcav.reports.charts import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    WIDTH_IN,
    Interval,
    bare_lines,
    chart_style,
    draw_rows,
    panels,
    shortened,
)
from video_tcav.tcav import PairedEffects, PairEstimate
from video_tcav.tcav.wording import units

_ESTIMATES = (("paired", "both", "paired: own slope, own shift"), ("slope", "without", "slope, mean shift"))
"""Estimators that are drawn, where each is taken, and their names; one series each."""
_SIDE_BY_SIDE_IN = 6.0
"""Width from which the two panels stand side by side."""
_PANEL_IN, _ROW_IN, _LEGEND_IN = 2.3, 0.42, 0.85


def pairs_figure(pairs: PairedEffects, space: str | None = None) -> Figure:
    """Both clips of each pair, and truth and estimates by layer in one feature space, the first if none is named."""
    with chart_style():
        return draw_pairs(pairs, WIDTH_IN, space)


def draw_pairs(pairs: PairedEffects, width: float, space: str | None = None) -> Figure:
    """The same at a width in inches, within `chart_style`."""
    rows = pair_rows(pairs, space)
    wide = width >= _SIDE_BY_SIDE_IN
    heights = [_PANEL_IN, 0.5 + _ROW_IN * len(rows)] if rows else [_PANEL_IN]
    columns = len(heights) if wide else 1
    figure, grid = panels(
        columns,
        rows=len(heights) // columns,
        width=width,
        height=_LEGEND_IN + (max(heights) if wide else sum(heights) + 0.5),
        gridspec_kw=None if wide else {"height_ratios": heights},
    )
    unit = units(pairs.against)
    _draw_clips(grid[0], pairs)
    grid[0].set_ylabel(f"“{shortened(pairs.target, 20)}”, {unit}")
    if rows:
        axes = grid[1]
        axes.axvspan(pairs.truth_low, pairs.truth_high, color=INK, alpha=0.14, linewidth=0)
        axes.axvline(pairs.truth, color=INK, linewidth=1.6)
        draw_rows(axes, rows)
        axes.margins(x=0.08)
        axes.set_xlabel(f"change with the concept, {unit}")
    figure.legend(
        handles=_legend(pairs, rows),
        loc="outside upper left",
        ncols=3 if wide else 1,
        borderaxespad=0,
        handletextpad=0.6,
    )
    return figure


def pair_rows(pairs: PairedEffects, space: str | None) -> list[tuple[str, list[Interval | None]]]:
    """What estimates say at each layer, hollow where the sign is wrong."""
    at_layers = [each for each in pairs if each.layer and each.space == (space or each.space)]
    space = at_layers[0].space if at_layers else space
    rows = []
    for layer in dict.fromkeys(each.layer for each in at_layers if each.space == space):
        found = [pairs.get(layer, estimator=name, at=at, space=str(space)) for name, at, _ in _ESTIMATES]
        rows.append((layer, [_interval(estimate) for estimate in found]))
    return rows


def pairs_words(pairs: PairedEffects, space: str | None) -> str:
    """All that the chart shows, for those who cannot see it."""
    clips = "; ".join(f"{pair.pair} {pair.target_without:+.2f} to {pair.target_with:+.2f}" for pair in pairs.pairs)
    rows = "; ".join(
        f"{layer}, {name} {interval}"
        for layer, intervals in pair_rows(pairs, space)
        for interval, (*_, name) in zip(intervals, _ESTIMATES, strict=True)
        if interval is not None
    )
    return f"{pairs.truth_text}. Each pair without and with the concept: {clips}. Estimates of the change: {rows}."


def _interval(estimate: PairEstimate | None) -> Interval | None:
    if estimate is None:
        return None
    return Interval(
        value=estimate.effect,
        low=estimate.effect_low,
        high=estimate.effect_high,
        filled=estimate.right_sign is not False,
    )


def _draw_clips(axes: Axes, pairs: PairedEffects) -> None:
    """A line a pair from the clip without the concept to that with it, and the mean of each side."""
    targets = np.asarray([(pair.target_without, pair.target_with) for pair in pairs.pairs])
    for pair, heights in zip(pairs.pairs, targets, strict=True):
        axes.plot([0, 1], heights, color=MUTED, linewidth=0.8, alpha=0.5)
        for side, predicted in enumerate((pair.predicted_without, pair.predicted_with)):
            face = MUTED if predicted in (pairs.target, None) else PAPER
            axes.plot(side, heights[side], marker="o", markersize=4.5, markeredgecolor=MUTED, markerfacecolor=face)
    for side, height in enumerate(targets.mean(0)):
        axes.plot([side - 0.18, side + 0.18], [height] * 2, color=INK, linewidth=2, zorder=4)
    axes.set_xticks([0, 1], ["without", "with the concept"])
    axes.set_xlim(-0.4, 1.4)
    bare_lines(axes)


def _legend(pairs: PairedEffects, rows: list[tuple[str, list[Interval | None]]]) -> list[Line2D | Patch]:
    shape = {"color": MUTED, "linestyle": "none", "marker": "o", "markersize": 5}
    entries: list[Line2D | Patch] = []
    if pairs.has_classes:
        entries += [
            Line2D([], [], label=f"called {shortened(pairs.target)}", **shape),
            Line2D([], [], label="called otherwise", markerfacecolor=PAPER, **shape),
        ]
    entries.append(Line2D([], [], color=INK, linewidth=2, label="mean: the truth, with its 95 % interval"))
    for number, (*_, name) in enumerate(_ESTIMATES):
        if any(intervals[number] is not None for _, intervals in rows):
            series = SERIES[number]
            entries.append(
                Line2D([], [], color=series.colour, marker=series.marker, markersize=7, linewidth=1.6, label=name)
            )
    if any(interval is not None and not interval.filled for _, intervals in rows for interval in intervals):
        wrong = {**shape, "markersize": 6.5, "markeredgewidth": 1.4}
        entries.append(Line2D([], [], label="wrong sign", markerfacecolor=PAPER, **wrong))
    return entries
