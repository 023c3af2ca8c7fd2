"""The charts of a run's report: effects, layers, static against dynamic, twins."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from video_tcav.reports.charts import (
    MUTED,
    SERIES,
    bare_rows,
    chart_style,
    chart_svg,
    draw_interval,
    label_interval,
    legend_above,
    panels,
    space_panels,
)
from video_tcav.reports.run.view import DYNAMIC, STATIC, TargetView, layers_of, model_words, slug
from video_tcav.tcav import ConceptResult

AS_IT_IS = "as it is"
_LONGEST, _ROW, _COLUMNS = 26, 0.5, 4
Rows = Sequence[tuple[str, Sequence[ConceptResult | None]]]
"""A row's name, and what each model has there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """A chart for the page and for files.

    Attributes:
        name: of its files, and in the page.
        figure: what was drawn.
        label: all that it shows, for those who cannot see it.
    """

    name: str
    figure: Figure
    label: str

    @cached_property
    def svg(self) -> Markup:
        """The chart for the page."""
        return chart_svg(self.figure, name=self.name, label=self.label)


def effects_chart(view: TargetView) -> Chart:
    """What each concept does to the target at the deepest layer."""
    rows = [(concept, [view.find(one, concept) for one in view.analyses]) for concept in view.concepts]
    with _white():
        figure, (axes,) = panels(height=1.0 + _row(view) * len(rows))
        _draw_rows(axes, view, rows, values=True)
        axes.margins(x=0.1)
        axes.set_xlabel(f"effect on “{_short(view.target)}”, {view.unit}")
        _legend(figure, view)
    label = (
        f"Effect of each concept on {view.target} at the deepest layer, with 95 % intervals. {_in_words(view, rows)}"
    )
    return Chart(name=_name("effects", view), figure=figure, label=label)


def layers_chart(view: TargetView) -> Chart | None:
    """The effect of each concept over the layers, one small panel a concept; none where there is one layer."""
    longest = max((layers_of(one) for one in view.analyses), key=len)
    if len(longest) < 2:
        return None
    columns = min(_COLUMNS, len(view.concepts))
    count = math.ceil(len(view.concepts) / columns)
    words = []
    with _white():
        figure, every = panels(columns, rows=count, height=0.8 + 2.1 * count, sharex=True, sharey=True)
        space_panels(figure, 0.04)
        for axes, concept in zip(every, view.concepts, strict=False):
            words += _draw_layers(axes, view, concept, len(longest))
        for axes in every[len(view.concepts) :]:
            axes.set_visible(False)
        for axes in every[max(0, len(view.concepts) - columns) : len(view.concepts)]:
            axes.tick_params(labelbottom=True)
        figure.supylabel(f"effect, {view.unit}", fontsize=9, color=MUTED)
        _legend(figure, view)
    label = f"Effect of each concept on {view.target} at every layer. {'; '.join(words)}"
    return Chart(name=_name("layers", view), figure=figure, label=label)


def pairs_chart(view: TargetView) -> Chart | None:
    """Concepts as pictures and as clips, side by side; none where there is no pair."""
    if not view.pairs:
        return None
    kinds = {"static": STATIC, "dynamic": DYNAMIC}
    return _panels_of_rows(
        view,
        view.pairs,
        [
            [(kind, [view.find(one, name + ending) for one in view.analyses]) for kind, ending in kinds.items()]
            for name in view.pairs
        ],
        name="static-dynamic",
        about=f"Effect of concepts as pictures (static) and as clips (dynamic) on {view.target}",
    )


def twins_chart(view: TargetView) -> Chart | None:
    """Concepts as they are and their twins; none where no twins were run."""
    if not view.with_twins:
        return None
    versions = {AS_IT_IS: "none", **{twin: twin for twin in view.twins}}
    return _panels_of_rows(
        view,
        view.with_twins,
        [
            [(word, [view.find(one, concept, twin) for one in view.analyses]) for word, twin in versions.items()]
            for concept in view.with_twins
        ],
        name="twins",
        about=f"Effect of concepts on {view.target} as they are and as twins",
    )


def _panels_of_rows(
    view: TargetView, names: Sequence[str], every_rows: Sequence[Rows], *, name: str, about: str
) -> Chart:
    columns = min(_COLUMNS - 1, len(names))
    count = math.ceil(len(names) / columns)
    each = _row(view) * max(map(len, every_rows)) + 0.45
    with _white():
        figure, every = panels(columns, rows=count, height=0.85 + each * count, sharex=True, sharey=True)
        space_panels(figure, 0.06)
        for axes, title, rows in zip(every, names, every_rows, strict=False):
            _draw_rows(axes, view, rows)
            axes.set_title(_short(title))
        for axes in every[len(names) :]:
            axes.set_visible(False)
        for axes in every[max(0, len(names) - columns) : len(names)]:
            axes.tick_params(labelbottom=True)
        figure.supxlabel(f"effect on “{_short(view.target)}”, {view.unit}", fontsize=9, color=MUTED)
        _legend(figure, view)
    words = "; ".join(
        _in_words(view, [(f"{title} {row}", found) for row, found in rows])
        for title, rows in zip(names, every_rows, strict=True)
    )
    return Chart(name=_name(name, view), figure=figure, label=f"{about}, with 95 % intervals. {words}")


def _draw_rows(axes: Axes, view: TargetView, rows: Rows, *, values: bool = False) -> None:
    """One row a name from the top down; within it one point a model, with its value if it is significant."""
    step = 0.8 / max(2, len(view.analyses))
    for row, (_, found) in enumerate(rows):
        for number, one in enumerate(found):
            if one is None:
                continue
            series, strong = SERIES[number % len(SERIES)], view.significant(one)
            place = row + step * (number - (len(found) - 1) / 2)
            ends = one.effect, one.effect_low, one.effect_high
            draw_interval(axes, *ends, place, series, strong=strong, faint=not one.represented)
            if values and strong:
                label_interval(axes, *ends, place, series)
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [_short(name) for name, _ in rows])
    bare_rows(axes)


def _draw_layers(axes: Axes, view: TargetView, concept: str, count: int) -> list[str]:
    """One line a model, from the first layer to the deepest; returns it in words."""
    words = []
    for number, analysis in enumerate(view.analyses):
        series = SERIES[number % len(SERIES)]
        shift = 0.22 * (number - (len(view.analyses) - 1) / 2)
        layers = layers_of(analysis)
        found = [
            (place, one) for place, layer in enumerate(layers) if (one := view.find(analysis, concept, layer=layer))
        ]
        heights = [one.effect for _, one in found]
        axes.plot([place + shift for place, _ in found], heights, color=series.colour, linewidth=1.2, alpha=0.55)
        for place, one in found:
            ends = one.effect, one.effect_low, one.effect_high
            strong, faint = view.significant(one), not one.represented
            draw_interval(axes, *ends, place + shift, series, strong=strong, faint=faint, upright=True)
            words.append(f"{model_words(analysis.which.model)}, {concept}, {one.layer} {_one_in_words(one)}")
    axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_title(_short(concept))
    stride = math.ceil(count / 8)
    axes.set_xticks(range(0, count, stride), [str(place + 1) for place in range(0, count, stride)])
    axes.set_xlim(-0.6, count - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y")
    return words


def _legend(figure: Figure, view: TargetView) -> None:
    names = [_short(model, 40) for model in view.models]
    faint = any(not one.result.represented for analysis in view.analyses for one in analysis.found)
    legend_above(figure, names, level=view.level, faint=faint)


@contextmanager
def _white() -> Iterator[None]:
    """The charts' style on white, for files; in a page they stand on the page's own colour."""
    with chart_style(), mpl.rc_context({"figure.facecolor": "white"}):
        yield


def _row(view: TargetView) -> float:
    return max(_ROW, 0.16 + 0.19 * len(view.analyses))


def _name(kind: str, view: TargetView) -> str:
    return f"{kind}-{view.number}-{slug(view.target)}"


def _short(name: str, longest: int = _LONGEST) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _in_words(view: TargetView, rows: Iterable[tuple[str, Sequence[ConceptResult | None]]]) -> str:
    return "; ".join(
        f"{model}, {name} {_one_in_words(one)}"
        for name, found in rows
        for model, one in zip(view.models, found, strict=True)
        if one is not None
    )


def _one_in_words(one: ConceptResult) -> str:
    return f"{one.effect:+.2f} ({one.effect_low:+.2f} to {one.effect_high:+.2f})"
