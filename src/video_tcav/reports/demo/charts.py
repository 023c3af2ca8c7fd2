"""The charts of the demo's page: effects at the deepest stage, over layers, of twins, and false alarms."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from video_tcav.demo.demo import DemoModel, Meaningless
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.charts import (
    INK,
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
from video_tcav.tcav import ConceptResult, TcavResult

VERSIONS = {"none": "as it is", "frozen": "frozen", "reversed": "reversed"}
_ROW, _STEP, _LONGEST = 0.52, 0.26, 24


def concepts_of(models: Sequence[DemoModel]) -> tuple[str, ...]:
    """All concepts, in the order of the results."""
    return tuple(dict.fromkeys(one.concept for model in models for one in model.result.results))


def moving_concepts(models: Sequence[DemoModel]) -> tuple[str, ...]:
    """Concepts that have twins."""
    twins = {one.concept for model in models for one in model.result.results if one.twin != "none"}
    return tuple(concept for concept in concepts_of(models) if concept in twins)


def layers_of(result: TcavResult) -> tuple[str, ...]:
    """Its layers, the deepest last."""
    return tuple(dict.fromkeys(one.layer for one in result.results))


def find(result: TcavResult, concept: str, twin: str, layer: str | None = None) -> ConceptResult | None:
    """One result; at the deepest layer if none is named."""
    place = layer or layers_of(result)[-1]
    rows = (one for one in result.results if (one.concept, one.twin, one.layer) == (concept, twin, place))
    return next(rows, None)


def effects_chart(models: Sequence[DemoModel]) -> Markup:
    """What each concept does to the target at the deepest stage."""
    concepts = concepts_of(models)
    with chart_style():
        figure, (axes,) = panels(height=0.9 + _ROW * len(concepts))
        rows = [[find(model.result, concept, "none") for concept in concepts] for model in models]
        _rows(axes, models, rows, values=True)
        axes.set_yticks(range(len(concepts)), _short(concepts))
        axes.margins(x=0.08)
        axes.set_xlabel("effect on “playing tennis”, log-odds")
        legend_above(figure, _names(models))
    label = "Effect of each concept at the deepest stage, with 95 % intervals. " + _in_words(
        (f"{name}, {concept}", find(model.result, concept, "none"))
        for concept in concepts
        for name, model in zip(_names(models), models, strict=True)
    )
    return chart_svg(figure, name="effects", label=label)


def twins_chart(models: Sequence[DemoModel], concepts: Sequence[str]) -> Markup:
    """Moving concepts as they are, frozen, and played backwards."""
    with chart_style():
        figure, every = panels(len(concepts), height=0.95 + _ROW * len(VERSIONS), sharex=True, sharey=True)
        space_panels(figure, 0.06)
        for axes, concept in zip(every, concepts, strict=True):
            _rows(axes, models, [[find(model.result, concept, twin) for twin in VERSIONS] for model in models])
            axes.set_yticks(range(len(VERSIONS)), list(VERSIONS.values()))
            axes.set_title(_short([concept])[0])
        figure.supxlabel("effect on “playing tennis”, log-odds", fontsize=9, color=MUTED)
        legend_above(figure, _names(models))
    label = "Effect of the moving concepts as they are, frozen and reversed. " + _in_words(
        (f"{name}, {concept} {VERSIONS[twin]}", find(model.result, concept, twin))
        for concept in concepts
        for twin in VERSIONS
        for name, model in zip(_names(models), models, strict=True)
    )
    return chart_svg(figure, name="twins", label=label)


def layers_chart(models: Sequence[DemoModel]) -> Markup:
    """The effect of each concept over the layers, one small panel a concept."""
    concepts = concepts_of(models)
    with chart_style():
        columns = min(4, len(concepts))
        rows = math.ceil(len(concepts) / columns)
        figure, every = panels(columns, rows=rows, height=0.7 + 2.1 * rows, sharex=True, sharey=True)
        space_panels(figure, 0.04)
        for axes, concept in zip(every, concepts, strict=False):
            _over_layers(axes, models, concept)
        for axes in every[len(concepts) :]:
            axes.set_visible(False)
        figure.supylabel("effect, log-odds", fontsize=9, color=MUTED)
        legend_above(figure, _names(models))
    label = "Effect of each concept at every stage of the network. " + _in_words(
        (f"{name}, {concept}, {layer}", find(model.result, concept, "none", layer))
        for concept in concepts
        for name, model in zip(_names(models), models, strict=True)
        for layer in layers_of(model.result)
    )
    return chart_svg(figure, name="layers", label=label)


def alarms_chart(meaningless: Meaningless) -> Markup:
    """How often each test calls a concept that means nothing significant."""
    found = {"permutation test": meaningless.permutation, "usual t-test": meaningless.ttest}
    with chart_style():
        figure, (axes,) = panels(height=1.75)
        for row, (share, colour) in enumerate(zip(found.values(), (SERIES[2].colour, MUTED), strict=True)):
            low, high = (100 * end for end in wilson_interval(share, meaningless.draws))
            axes.barh(row, 100 * share, height=0.46, color=colour, zorder=2)
            axes.plot([low, high], [row, row], color=INK, linewidth=1.4, zorder=3)
            axes.annotate(
                f"{share:.1%}".replace("%", " %"), (high, row), (6, 0), textcoords="offset points", va="center"
            )
        axes.axvline(100 * LEVEL, color=INK, linewidth=1.2, linestyle=(0, (3, 2)), zorder=4)
        axes.annotate("5 %: what the test promises", (100 * LEVEL, 1), (5, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", color=MUTED)  # fmt: skip
        axes.set_yticks(range(len(found)), list(found))
        axes.set(xlim=(0, 100), xlabel="meaningless concepts called significant, %")
        bare_rows(axes)
    words = "; ".join(f"{name} {share:.1%}" for name, share in found.items())
    return chart_svg(figure, name="alarms", label=f"Meaningless concepts called significant at the 5 % level: {words}.")


def _rows(
    axes: Axes,
    models: Sequence[DemoModel],
    found: Sequence[Sequence[ConceptResult | None]],
    *,
    values: bool = False,
) -> None:
    """One row a concept or version from the top down; within it one point a model, with its value if it is significant."""
    for number, (series, rows) in enumerate(zip(SERIES, found, strict=False)):
        for row, one in enumerate(rows):
            if one is None:
                continue
            place, strong = row + _STEP * (number - (len(models) - 1) / 2), one.p_adjusted <= LEVEL
            ends = one.effect, one.effect_low, one.effect_high
            draw_interval(axes, *ends, place, series, strong=strong)
            if values and strong:
                label_interval(axes, *ends, place, series)
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_ylim(max(map(len, found)) - 0.5, -0.5)
    bare_rows(axes)


def _over_layers(axes: Axes, models: Sequence[DemoModel], concept: str) -> None:
    longest: tuple[str, ...] = ()
    for number, (series, model) in enumerate(zip(SERIES, models, strict=False)):
        layers = layers_of(model.result)
        longest = max(longest, layers, key=len)
        points = [
            (place, one) for place, layer in enumerate(layers) if (one := find(model.result, concept, "none", layer))
        ]
        shift = 0.22 * (number - (len(models) - 1) / 2)
        heights = [one.effect for _, one in points]
        axes.plot([place + shift for place, _ in points], heights, color=series.colour, linewidth=1.2, alpha=0.55)
        for place, one in points:
            strong = one.p_adjusted <= LEVEL
            ends = one.effect, one.effect_low, one.effect_high
            draw_interval(axes, *ends, place + shift, series, strong=strong, upright=True)
    axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_title(_short([concept])[0])
    axes.set_xticks(range(len(longest)), [str(place + 1) for place in range(len(longest))])
    axes.set_xlim(-0.5, len(longest) - 0.5)
    axes.set_xlabel("stage")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y")


def _names(models: Sequence[DemoModel]) -> list[str]:
    return [f"model {model.letter}" for model in models]


def _short(names: Iterable[str]) -> list[str]:
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]


def _in_words(found: Iterable[tuple[str, ConceptResult | None]]) -> str:
    """The chart's numbers, for those who cannot see it."""
    return "; ".join(
        f"{name} {one.effect:+.2f} ({one.effect_low:+.2f} to {one.effect_high:+.2f})"
        for name, one in found
        if one is not None
    )
