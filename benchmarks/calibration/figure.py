"""Figure of a calibration in four panels: type I error, power, agreement with interventions, motion and order."""

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from benchmarks.calibration.calibration import Calibration
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.charts import INK, MUTED, RULE, SERIES, Series, chart_style
from video_tcav.reports.figure_files import write_figure
from video_tcav.tcav.wording import percent

_BAND, _POWER = (0.03, 0.07), 0.95
_TESTS = {"permutation": ("permutation test", INK, "o"), "t-test": ("usual t-test", "#8f5f3a", "^")}
_CAUSES = {"motion": SERIES[0], "scene": SERIES[1], "object": SERIES[2], "order": SERIES[3]}
_TWINS = {"motion effect": ("motion", "●", "o", INK), "order effect": ("order", "▲", "^", "#8f5f3a")}
_CAV_NAMES = {"svm": "SVM"}
_SMALL, _FEWEST_ROWS = 8, 4
# Where the gradients of the plotted effects were taken; the caption gives the correlations of class clips beside.
_AT = "random"


def calibration_figure(calibration: Calibration) -> Figure:
    """Four panels over all models: type I error, power, effects against interventions, motion and order effects.

    A panel whose checks were not made says so.
    """
    with chart_style(), mpl.rc_context({"figure.facecolor": "white"}):
        figure = Figure(figsize=(12, 9), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))
        first, second, third, fourth = figure.subplots(2, 2).ravel()
        table = calibration.rejections_frame()
        if len(table):
            table = table[(table["what"] == "type I") | (table["at"] == _AT)]
        rows = {quantity: table[table["what"] == quantity] for quantity in set(table["what"])} if len(table) else {}
        twins = (
            pd.concat([rows[quantity] for quantity in _TWINS if quantity in rows])
            if rows.keys() & _TWINS.keys()
            else None
        )
        agreements = calibration.agreements_frame() if calibration.agreements else None
        if agreements is not None:
            agreements = agreements[agreements["at"] == _AT]
        _panel(first, "(a) Nothing to find: how often does a test reject?", rows.get("type I"), _type_one)
        _panel(second, "(b) The model’s own cause: is it found?", rows.get("power"), _power)
        _panel(third, "(c) Do effects agree with interventions?", agreements, _agreement)
        _panel(fourth, "(d) Motion and order: only where they decide?", twins, _motion_and_order)
        figure.supxlabel(_caption(calibration), x=0.012, ha="left", fontsize=_SMALL, color=MUTED)
    return figure


def write_calibration_figure(calibration: Calibration, path: str | Path) -> Path:
    """Write the figure as PNG or SVG, by its ending; the file is there in full or not at all.

    Raises:
        InputError: for another ending.
        OutputError: if the file cannot be written.
    """
    return write_figure(calibration_figure(calibration), path, name="calibration")


def _panel(axes: Axes, title: str, table: pd.DataFrame | None, draw: Callable[[Axes, pd.DataFrame], None]) -> None:
    axes.set_title(title, pad=10)
    axes.tick_params(length=0)
    if table is None or table.empty:
        axes.set(xticks=[], yticks=[])
        axes.annotate("not measured", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=MUTED)
    else:
        draw(axes, table)


def _type_one(axes: Axes, table: pd.DataFrame) -> None:
    """Every model and layer a point, on a square-root scale on which both 5 % and 70 % are legible."""
    kinds = list(dict.fromkeys(table["cav"]))
    axes.axhspan(*_BAND, color="#cfe3d6", linewidth=0, zorder=0)
    axes.axhline(LEVEL, color=INK, linewidth=1, linestyle=(0, (3, 2)), zorder=1)
    handles = []
    for side, (test, (name, colour, marker)) in zip((-0.2, 0.2), _TESTS.items(), strict=True):
        rows = table[table["test"] == test]
        if rows.empty:
            continue
        for column, kind in enumerate(kinds):
            rates = rows.loc[rows["cav"] == kind, "rate"].to_numpy()
            spread = np.linspace(-0.13, 0.13, len(rates)) if len(rates) > 1 else np.zeros(len(rates))
            axes.scatter(
                column + side + spread, rates, s=16, marker=marker, color=colour, alpha=0.75, linewidth=0, zorder=3
            )
        label = f"{name}: {percent(rows['rate'].mean(), 1)} on average"
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="none", label=label))
    axes.set_yscale("function", functions=(lambda rate: np.sqrt(np.maximum(rate, 0)), np.square))
    axes.set(ylim=(0, 1), xlim=(-0.5, len(kinds) - 0.5), ylabel="type I error at the 5 % level")
    axes.set_yticks([0, 0.01, 0.05, 0.2, 0.5, 1], [percent(rate) for rate in (0, 0.01, 0.05, 0.2, 0.5, 1)])
    axes.set_xticks(range(len(kinds)), [f"{_CAV_NAMES.get(kind, kind)} CAV" for kind in kinds])
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 0.46), handletextpad=0.2)


def _power(axes: Axes, table: pd.DataFrame) -> None:
    """A line a model: its colour is the cause, its dash the architecture."""
    axes.axhline(_POWER, color=INK, linewidth=1, linestyle=(0, (3, 2)), zorder=1)
    models, sizes = list(dict.fromkeys(table["model"])), sorted(set(table["concept_clips"]))
    for number, model in enumerate(models):
        rates = table[table["model"] == model].groupby("concept_clips")["rate"]
        average, lowest = rates.mean(), rates.min()
        series, dashes = _model_look(model, models)
        positions = average.index.to_numpy() * 1.025 ** (
            number - (len(models) - 1) / 2
        )  # side by side where they agree
        axes.vlines(positions, lowest, average, color=series.colour, alpha=0.4, linewidth=1)
        axes.plot(positions, average, color=series.colour, linestyle=dashes, marker=series.marker, markersize=4.5,
                  linewidth=1.5, label=_short(model), zorder=3)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_yticks([0, 0.25, 0.5, 0.75, _POWER], [percent(rate) for rate in (0, 0.25, 0.5, 0.75, _POWER)])
    axes.set(ylim=(0, 1.03), xlabel="concept clips", ylabel="found at the 5 % level, average over classes")
    axes.grid(axis="y")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=_SMALL, handlelength=3)


def _agreement(axes: Axes, table: pd.DataFrame) -> None:
    axes.axhline(0, color=RULE, linewidth=1, zorder=0)
    axes.axvline(0, color=RULE, linewidth=1, zorder=0)
    for number, factor in enumerate(dict.fromkeys(table["factor"])):
        rows, series = table[table["factor"] == factor], _CAUSES.get(str(factor), SERIES[number % len(SERIES)])
        axes.scatter(rows["true_effect"], rows["tcav_effect"], s=20, marker=series.marker, color=series.colour, alpha=0.7,
                     linewidth=0, label=f"{factor} set to a value", zorder=3)  # fmt: skip
    axes.axline((0, 0), slope=1, color=MUTED, linewidth=0.9, linestyle=(0, (1, 3)), zorder=1)
    axes.set(xlabel="interventional effect, log-odds", ylabel="TCAV effect, log-odds")
    axes.legend(loc="upper left", fontsize=_SMALL, handletextpad=0.2)


def _motion_and_order(axes: Axes, table: pd.DataFrame) -> None:
    """Average effect by model, and beside it how often it was significant."""
    models = list(dict.fromkeys(table["model"]))
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    for number, (quantity, (name, sign, marker, colour)) in enumerate(_TWINS.items()):
        column = 1.1 + 0.17 * number
        axes.annotate(f"{sign} {name}\nrejected", (column, 1.01), xycoords="axes fraction", ha="center", va="bottom",
                      fontsize=_SMALL, color=colour)  # fmt: skip
        for row, model in enumerate(models):
            rows = table[(table["model"] == model) & (table["what"] == quantity)]
            height = row + 0.22 * (number - 0.5)
            axes.plot(
                rows["effect"].mean(), height, color=colour, marker=marker, markersize=6.5, linestyle="none", zorder=3
            )
            axes.plot([0, rows["effect"].mean()], [height, height], color=colour, linewidth=1.4, zorder=2)
            axes.annotate(percent(rows["rate"].mean()), (column, row), xycoords=("axes fraction", "data"), ha="center",
                          va="center", color=colour)  # fmt: skip
    axes.set_yticks(range(len(models)), [_short(model) for model in models])
    middle, half = (len(models) - 1) / 2, max(len(models), _FEWEST_ROWS) / 2 + 0.1
    axes.set_ylim(middle + half, middle - half)
    axes.set_xlabel(f"average effect ({', '.join(f'{sign} {name}' for name, sign, *_ in _TWINS.values())}), log-odds")
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _caption(calibration: Calibration) -> str:
    lines = [
        "(a) Each point is one model and layer; dashed: the nominal 5 %, shaded: 3 to 7 %; root scale. "
        "(b) Dashed: 95 %; thin lines reach down to the class that is found least often."
    ]
    if len(calibration.agreements) > 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that do not vary there is no correlation: a dash is printed
            texts = {name: _correlation(value) for name, value in calibration.correlations().items()}
        effect = {
            at: f"{texts[f'effect_pearson_{at}']}, rank {texts[f'effect_rank_{at}']}" for at in ("random", "class")
        }
        score = {at: f"{texts[f'score_pearson_{at}']}, {texts[f'score_rank_{at}']}" for at in ("random", "class")}
        lines.append(
            "(b) to (d): gradients at random clips. "
            f"(c) TCAV effect: Pearson {effect['random']}; sign-count score: {score['random']}. With gradients at class clips: "
            f"effect {effect['class'].replace('rank ', '')}; score {score['class']}. Dotted: equal effects."
        )
    return "\n".join(lines)


def _correlation(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _short(model: str) -> str:
    return model.rpartition(":")[2]


def _model_look(model: str, models: Sequence[str]) -> tuple[Series, str]:
    """Colour by cause and dash by architecture; other names get them in turn."""
    architecture, _, cause = _short(model).partition("-")
    architectures = list(dict.fromkeys(_short(name).partition("-")[0] for name in models))
    series = _CAUSES.get(cause, SERIES[models.index(model) % len(SERIES)])
    return series, ("solid", "dashed", "dotted", "dashdot")[architectures.index(architecture) % 4]
