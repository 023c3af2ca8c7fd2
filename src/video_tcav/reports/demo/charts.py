"""Charts of the demo's page: effects at the deepest stage, over layers, of twins, and false alarms."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from video_tcav.demo.demo import DemoModel, Meaningless
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.charts import (
    INK,
    MUTED,
    SERIES,
    Chart,
    Interval,
    Rows,
    bare_rows,
    chart_style,
    draw_lines,
    draw_rows,
    label_axes,
    legend_above,
    numbers_in_words,
    panel_grid,
    panels,
)
from video_tcav.tcav import ConceptResult, TcavResult
from video_tcav.tcav.wording import percent

VERSIONS = {"none": "as it is", "frozen": "frozen", "reversed": "reversed"}
_ROW_HEIGHT, _SPREAD = 0.52, 0.52
_EFFECT_LABEL = "effect on “playing tennis”, log-odds"


def concepts_of(models: Sequence[DemoModel]) -> tuple[str, ...]:
    """All concepts, in the order of the results."""
    return tuple(dict.fromkeys(row.concept for model in models for row in model.result.results))


def moving_concepts(models: Sequence[DemoModel]) -> tuple[str, ...]:
    """Concepts that have twins."""
    twins = {row.concept for model in models for row in model.result.results if row.twin != "none"}
    return tuple(concept for concept in concepts_of(models) if concept in twins)


def layers_of(result: TcavResult) -> tuple[str, ...]:
    """Its layers, the deepest last."""
    return tuple(dict.fromkeys(row.layer for row in result.results))


def find(result: TcavResult, concept: str, twin: str, layer: str | None = None) -> ConceptResult | None:
    """One result; at the deepest layer if none is named."""
    key = (concept, twin, layer or layers_of(result)[-1])
    return next((row for row in result.results if (row.concept, row.twin, row.layer) == key), None)


def effects_chart(models: Sequence[DemoModel]) -> Chart:
    """The effect of each concept on the target at the deepest stage."""
    rows = [(concept, _intervals(models, concept)) for concept in concepts_of(models)]
    with chart_style():
        figure, (axes,) = panels(height=0.9 + _ROW_HEIGHT * len(rows))
        draw_rows(axes, rows, labels=True, spread=_SPREAD)
        axes.margins(x=0.08)
        axes.set_xlabel(_EFFECT_LABEL)
        _legend(figure, models)
    words = _rows_in_words(models, rows)
    label = f"Effect of each concept at the deepest stage, with 95 % intervals. {words}"
    return Chart(name="effects", figure=figure, label=label)


def twins_chart(models: Sequence[DemoModel], concepts: Sequence[str]) -> Chart:
    """Moving concepts as they are, frozen, and played backwards."""
    rows = {
        concept: [(name, _intervals(models, concept, twin)) for twin, name in VERSIONS.items()] for concept in concepts
    }
    with chart_style():
        figure, grid = panel_grid(
            concepts,
            most_columns=len(concepts),
            panel_height=_ROW_HEIGHT * len(VERSIONS),
            extra_height=0.95,
            gap=0.06,
            sharex=True,
            sharey=True,
        )
        for axes, concept in zip(grid, concepts, strict=True):
            draw_rows(axes, rows[concept], spread=_SPREAD)
        label_axes(figure, across=_EFFECT_LABEL)
        _legend(figure, models)
    words = "; ".join(
        _rows_in_words(models, [(f"{concept} {name}", intervals) for name, intervals in rows[concept]])
        for concept in concepts
    )
    label = f"Effect of the moving concepts as they are, frozen and reversed. {words}"
    return Chart(name="twins", figure=figure, label=label)


def layers_chart(models: Sequence[DemoModel]) -> Chart:
    """The effect of each concept over the layers, one small panel a concept."""
    concepts, words = concepts_of(models), []
    most_layers = max(len(layers_of(model.result)) for model in models)
    with chart_style():
        figure, grid = panel_grid(concepts, panel_height=2.1, extra_height=0.7, gap=0.04, sharex=True, sharey=True)
        for axes, concept in zip(grid, concepts, strict=True):
            lines = [_line(model.result, concept) for model in models]
            draw_lines(axes, lines, most_layers)
            axes.set_xlabel("stage")
            words += [
                (f"{_name(model)}, {concept}, {layers_of(model.result)[depth]}", interval)
                for model, line in zip(models, lines, strict=True)
                for depth, interval in line.items()
            ]
        label_axes(figure, up="effect, log-odds")
        _legend(figure, models)
    label = f"Effect of each concept at every stage of the network. {numbers_in_words(words)}"
    return Chart(name="layers", figure=figure, label=label)


def alarms_chart(meaningless: Meaningless) -> Chart:
    """How often each test calls a concept that means nothing significant."""
    shares = {"permutation test": meaningless.permutation, "usual t-test": meaningless.ttest}
    with chart_style():
        figure, (axes,) = panels(height=1.75)
        for row, (share, colour) in enumerate(zip(shares.values(), (SERIES[2].colour, MUTED), strict=True)):
            low, high = (100 * end for end in wilson_interval(share, meaningless.draws))
            axes.barh(row, 100 * share, height=0.46, color=colour, zorder=2)
            axes.plot([low, high], [row, row], color=INK, linewidth=1.4, zorder=3)
            axes.annotate(percent(share, 1), (high, row), (6, 0), textcoords="offset points", va="center")
        axes.axvline(100 * LEVEL, color=INK, linewidth=1.2, linestyle=(0, (3, 2)), zorder=4)
        axes.annotate("5 %: what the test promises", (100 * LEVEL, 1), (5, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", color=MUTED)  # fmt: skip
        axes.set_yticks(range(len(shares)), list(shares))
        axes.set(xlim=(0, 100), xlabel="meaningless concepts called significant, %")
        bare_rows(axes)
    words = "; ".join(f"{name} {share:.1%}" for name, share in shares.items())
    label = f"Meaningless concepts called significant at the 5 % level: {words}."
    return Chart(name="alarms", figure=figure, label=label)


def _interval(row: ConceptResult | None) -> Interval | None:
    if row is None:
        return None
    return Interval(value=row.effect, low=row.effect_low, high=row.effect_high, filled=row.p_adjusted <= LEVEL)


def _intervals(models: Sequence[DemoModel], concept: str, twin: str = "none") -> list[Interval | None]:
    return [_interval(find(model.result, concept, twin)) for model in models]


def _line(result: TcavResult, concept: str) -> dict[int, Interval]:
    """A concept's effects by depth."""
    intervals = {
        depth: _interval(find(result, concept, "none", layer)) for depth, layer in enumerate(layers_of(result))
    }
    return {depth: interval for depth, interval in intervals.items() if interval is not None}


def _rows_in_words(models: Sequence[DemoModel], rows: Rows) -> str:
    return numbers_in_words(
        (f"{_name(model)}, {name}", interval)
        for name, intervals in rows
        for model, interval in zip(models, intervals, strict=True)
    )


def _legend(figure: Figure, models: Sequence[DemoModel]) -> None:
    legend_above(figure, [_name(model) for model in models])


def _name(model: DemoModel) -> str:
    return f"model {model.letter}"
