"""Charts of interventions: dose curves, every clip before and after, and what removing each concept does to each class."""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from video_tcav.core.errors import InputError
from video_tcav.reports.charts import (
    INK,
    LOWERS,
    PAPER,
    RAISES,
    SERIES,
    bare_lines,
    chart_style,
    label_axes,
    panel_grid,
    panels,
    shortened,
)
from video_tcav.tcav.cav_key import comparison_name
from video_tcav.tcav.interventions.effects import InterventionEffect
from video_tcav.tcav.interventions.operations import REMOVE
from video_tcav.tcav.interventions.result import EditedClip, InterventionResult
from video_tcav.tcav.interventions.sentences import SLOPE, is_sure
from video_tcav.tcav.wording import percent, signed, units

_MARKED = (-1.0, 0.0, 1.0)
"""Doses with a point: a step against the concept, the clip as it is, a step towards it."""
_EDITS = {"random": "without", "none": "as it is", "concept": "with"}
"""Columns of the clips, by whose coordinate the clip has."""
_PANEL_IN, _EXTRA_IN, _GAP = 2.2, 0.9, 0.08
_CELL_IN = 0.55
Item = TypeVar("Item", InterventionEffect, EditedClip)
_TARGETS = LinearSegmentedColormap.from_list("targets", [LOWERS, PAPER, RAISES])


def dose_figure(result: InterventionResult) -> Figure:
    """The target along each concept, less as it is: curve, 95 % band, and the slope at 0.

    Raises:
        InputError: if the result has no doses.
    """
    doses = _by_panel([effect for effect in result if effect.operation == "dose"])
    slopes = {_panel(effect): effect.effect for effect in result if effect.operation == SLOPE and effect.twin == "none"}
    if not doses:
        raise InputError('`result` must hold doses. Got none. Give operations=[…, "dose"] to intervene.')
    with chart_style():
        figure, grid = _panel_grid(result, list(doses))
        for axes, (name, curve) in zip(grid, doses.items(), strict=True):
            _draw_doses(axes, curve, slopes[name])
        # of the curves alone: a slope that leads far beyond them would flatten all panels
        ends = [end for curve in doses.values() for dose in curve for end in (dose.effect_low, dose.effect_high)]
        margin = 0.05 * (max(ends) - min(ends))
        grid[0].set_ylim(min(ends) - margin, max(ends) + margin)
        unit = units(result.against)
        label_axes(
            figure,
            across="steps d from random towards concept clips",
            up=f"“{shortened(result.target)}”, change in {unit}",
        )
        series = SERIES[0].colour
        figure.legend(
            handles=[
                Line2D([], [], color=series, marker=SERIES[0].marker, label="clips moved by t · d"),
                Patch(facecolor=series, alpha=0.18, label="95 % interval"),
                Line2D([], [], color=INK, linestyle=(0, (3, 3)), linewidth=1, label="slope at 0"),
            ],
            loc="outside upper left",
            ncols=3,
        )
    return figure


def _draw_doses(axes: Axes, curve: Sequence[InterventionEffect], slope: float) -> None:
    points = sorted(
        [(dose.multiple, dose.effect, dose.effect_low, dose.effect_high) for dose in curve] + [(0, 0, 0, 0)]
    )
    multiples, values, low, high = np.asarray(points, dtype=float).T
    colour = SERIES[0].colour
    axes.fill_between(multiples, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(multiples, values, color=colour, linewidth=1.8)
    axes.plot(multiples[[0, -1]], slope * multiples[[0, -1]], color=INK, linestyle=(0, (3, 3)), linewidth=1)
    marked = np.isin(multiples, _MARKED)
    axes.plot(multiples[marked], values[marked], color=colour, marker=SERIES[0].marker, linestyle="none", markersize=6)
    axes.set_xticks(range(math.ceil(multiples[0]), math.floor(multiples[-1]) + 1))
    bare_lines(axes)


def edited_clips_figure(result: InterventionResult) -> Figure:
    """The target of every class clip as it is, and with the coordinate of random and of concept clips.

    Raises:
        InputError: if the result has neither removal nor clamp.
    """
    by_panel = _by_panel([clip for clip in result.clips if clip.edit in _EDITS])
    if not by_panel:
        raise InputError('`result` must hold edited clips. Got none. Give operations=["remove", "clamp"] to intervene.')
    with chart_style():
        figure, grid = _panel_grid(result, list(by_panel))
        edits = {"none", *(clip.edit for clips in by_panel.values() for clip in clips)}
        columns = [edit for edit in _EDITS if edit in edits]
        for axes, clips in zip(grid, by_panel.values(), strict=True):
            _draw_clips(axes, clips, columns, result.target)
        label_axes(
            figure,
            across="coordinate along the CAV: that of random clips, the clip’s, that of concept clips",
            up=f"“{shortened(result.target)}”, {units(result.against)}",
        )
        shape = {"color": SERIES[0].colour, "linestyle": "none", "marker": "o", "markersize": 5}
        handles = [Line2D([], [], color=INK, linewidth=2, label="mean")]
        if any(clip.predicted_before is not None for clip in result.clips):
            handles = [
                Line2D([], [], label=f"called {shortened(result.target)}", **shape),
                Line2D([], [], label="called otherwise", markerfacecolor=PAPER, **shape),
                *handles,
            ]
        figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


def _draw_clips(axes: Axes, clips: Sequence[EditedClip], columns: Sequence[str], target: str) -> None:
    """A line a clip through its columns, and the mean of each column; a span of concepts has no clips with it."""
    by_clip: dict[tuple[str, int], dict[str, tuple[float, str | None]]] = {}
    for clip in clips:
        values = by_clip.setdefault((clip.path, clip.window), {})
        values["none"] = (clip.target_before, clip.predicted_before)
        values[clip.edit] = (clip.target_after, clip.predicted_after)
    colour = SERIES[0].colour
    for values in by_clip.values():
        points = [(column, *values[edit]) for column, edit in enumerate(columns) if edit in values]
        axes.plot([x for x, *_ in points], [y for _, y, _ in points], color=colour, linewidth=0.8, alpha=0.35)
        for column, height, predicted in points:
            face = colour if predicted in (target, None) else PAPER
            axes.plot(column, height, marker="o", markersize=4.5, markeredgecolor=colour, markerfacecolor=face)
    for column, edit in enumerate(columns):
        heights = [values[edit][0] for values in by_clip.values() if edit in values]
        if heights:
            axes.plot([column - 0.22, column + 0.22], [np.mean(heights)] * 2, color=INK, linewidth=2, zorder=4)
    axes.set_xticks(range(len(columns)), [_EDITS[edit] for edit in columns])
    axes.set_xlim(-0.5, len(columns) - 0.5)
    bare_lines(axes)


def removal_matrix_figure(results: Sequence[InterventionResult]) -> Figure:
    """What removing each concept does to each target, with the share of clips whose first class changes.

    Raises:
        InputError: if a result has no removal, or two are of one target or of different kinds of target.
    """
    _check_matrix(results)
    removals = [
        {_panel(effect): effect for effect in result if effect.operation == REMOVE.name and effect.twin == "none"}
        for result in results
    ]
    names = list(dict.fromkeys(name for column in removals for name in column))
    # what is lost is the effect, so the target changes by its opposite
    changes = np.asarray(
        [[-column[name].effect if name in column else math.nan for column in removals] for name in names]
    )
    largest = float(np.nanmax(np.abs(changes))) or 1.0
    with chart_style():
        figure, (axes,) = panels(height=1.4 + _CELL_IN * len(names), width=2.6 + 1.15 * len(results))
        picture = axes.imshow(
            np.ma.masked_invalid(changes), cmap=_TARGETS, norm=TwoSlopeNorm(0, -largest, largest), aspect="auto"
        )
        for row, name in enumerate(names):
            for column, removal in enumerate(removals):
                if name in removal:
                    _label_cell(axes, row, column, removal[name], strong=abs(changes[row, column]) > 0.6 * largest)
        layers = {layer for _, layer in names}
        axes.set_yticks(
            range(len(names)),
            [shortened(concept if len(layers) == 1 else f"{concept} at {layer}") for concept, layer in names],
        )
        axes.set_xticks(
            range(len(results)), [shortened(result.target, 20) for result in results], rotation=20, ha="right"
        )
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        bar = figure.colorbar(picture, ax=axes, shrink=0.9)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.set_label(f"change without the concept, {units(results[0].against)}")
        label_axes(
            figure,
            across="class, over its own clips; below the change: clips with another first class",
            up="removed concept",
        )
    return figure


def _label_cell(axes: Axes, row: int, column: int, effect: InterventionEffect, *, strong: bool) -> None:
    """The change, bold where it is sure, and how many clips change their first class."""
    changed = f"\n{percent(effect.changed)}" if math.isfinite(effect.changed) else ""
    text = f"{signed(-effect.effect)}{changed}"
    weight = "bold" if is_sure(effect) else "normal"
    axes.text(
        column, row, text, ha="center", va="center", color=PAPER if strong else INK, fontweight=weight, fontsize=8
    )


def _check_matrix(results: Sequence[InterventionResult]) -> None:
    targets = [result.target for result in results]
    if not results or len(set(targets)) < len(targets):
        raise InputError(
            f"`results` must be of several targets, each once. Got {', '.join(targets) or 'none'}. Give one result of each."
        )
    if len({result.against for result in results}) > 1:
        raise InputError("`results` must be of one kind of target. Got several. Use the same `against` for all.")
    for result in results:
        if not any(effect.operation == REMOVE.name for effect in result):
            raise InputError(
                f'`results` must hold removals. Got none for {result.target}. Give operations=["remove"] to intervene.'
            )


def _panel(item: InterventionEffect | EditedClip) -> tuple[str, str]:
    """The panel, or row, of an effect or a clip: what is edited, and where."""
    return comparison_name(item.concept, item.versus), item.layer


def _by_panel(items: Sequence[Item]) -> dict[tuple[str, str], list[Item]]:
    by_panel: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.twin == "none":
            by_panel.setdefault(_panel(item), []).append(item)
    return by_panel


def _panel_grid(result: InterventionResult, names: Sequence[tuple[str, str]]) -> tuple[Figure, list[Axes]]:
    several = len({layer for _, layer in names}) > 1
    titles = [f"{concept} at {layer}" if several else concept for concept, layer in names]
    return panel_grid(
        titles, most_columns=3, panel_height=_PANEL_IN, extra_height=_EXTRA_IN, gap=_GAP, sharey=True, sharex=True
    )
