"""Charts of the demo's page: effects at the deepest stage, over layers, of twins, and false alarms."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from video_tcav.demo.demo import DemoModel, Meaningless
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.charts import INK, MUTED, SERIES, Interval, bare_rows, panels
from video_tcav.reports.effect_charts import (
    Chart,
    ChartSettings,
    at_both_widths,
    layers_chart,
    panels_chart,
    rows_chart,
)
from video_tcav.tcav import ConceptResult, TcavResult
from video_tcav.tcav.wording import percent

VERSIONS = {"none": "as it is", "frozen": "frozen", "reversed": "reversed"}


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
    settings = _settings(models, "effects", "Effect of each concept at the deepest stage, with 95 % intervals.")
    return rows_chart(settings, [(name, _intervals(models, name)) for name in concepts_of(models)], labels=True)


def twins_chart(models: Sequence[DemoModel], concepts: Sequence[str]) -> Chart:
    """Moving concepts as they are, frozen, and played backwards."""
    settings = _settings(models, "twins", "Effect of the moving concepts as they are, frozen and reversed.")
    return panels_chart(
        settings,
        {
            concept: [(name, _intervals(models, concept, twin)) for twin, name in VERSIONS.items()]
            for concept in concepts
        },
    )


def stages_chart(models: Sequence[DemoModel]) -> Chart:
    """The effect of each concept over the stages, one small panel a concept."""
    label = "Effect of each concept at every stage of the network."
    settings = _settings(models, "layers", label, axis="effect, log-odds")
    layers = [layers_of(model.result) for model in models]
    lines = {
        concept: [
            [_interval(find(model.result, concept, "none", layer)) for layer in names]
            for model, names in zip(models, layers, strict=True)
        ]
        for concept in concepts_of(models)
    }
    return layers_chart(settings, lines, layers, across="stage")


def alarms_chart(meaningless: Meaningless) -> Chart:
    """How often each test calls a concept that means nothing significant."""
    shares = {
        "default test": meaningless.studentised,
        "plain permutation": meaningless.permutation,
        "usual t-test": meaningless.ttest,
    }
    words = "; ".join(f"{name} {share:.1%}" for name, share in shares.items())
    label = f"Meaningless concepts called significant at the 5 % level: {words}."

    def draw(width: float) -> Figure:
        figure, (axes,) = panels(height=2.15, width=width)
        # The test of the page in the colour of `supported`, the others grey.
        for row, (share, colour) in enumerate(zip(shares.values(), (SERIES[2].colour, MUTED, MUTED), strict=True)):
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
        return figure

    return Chart(name="alarms", label=label, **at_both_widths(draw))


def _interval(row: ConceptResult | None) -> Interval | None:
    if row is None:
        return None
    return Interval(value=row.effect, low=row.effect_low, high=row.effect_high, filled=row.p_adjusted <= LEVEL)


def _intervals(models: Sequence[DemoModel], concept: str, twin: str = "none") -> list[Interval | None]:
    return [_interval(find(model.result, concept, twin)) for model in models]


def _settings(
    models: Sequence[DemoModel], name: str, label: str, axis: str = "effect on “playing tennis”, log-odds"
) -> ChartSettings:
    return ChartSettings(name=name, label=label, axis=axis, models=[f"model {model.letter}" for model in models])
