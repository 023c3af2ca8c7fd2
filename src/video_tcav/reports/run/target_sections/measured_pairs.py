"""Section of a target: what pairs of clips with and without a concept show, beside estimates, where pairs were given."""

from collections.abc import Sequence

from video_tcav.experiments import PairedRow
from video_tcav.experiments.measured_pairs import paired_rows
from video_tcav.reports.effect_charts import Chart, at_both_widths
from video_tcav.reports.pair_charts import draw_pairs, pairs_words
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import short_model, table, text_of
from video_tcav.reports.run.view import TargetView, chart_settings
from video_tcav.tcav import PairedEffects
from video_tcav.tcav.wording import interval, signed


class Section(TemplateSection[TargetView]):
    name, title, order, folded = "measured-pairs", "With and without the concept", 170, False

    def values(self, view: TargetView) -> Values:
        rows = _rows(view)
        if not rows:
            return None
        return {"rows": rows, "titles": _titles(view), "short_model": short_model, "notes": _notes(view)}

    def markdown(self, view: TargetView) -> str | None:
        rows = _rows(view)
        if not rows:
            return None
        heads = (
            "concept",
            *(["model"] if view.many_models else []),
            "layer",
            f"truth, {view.unit}",
            "paired",
            "effect",
        )
        cells = [
            (
                row.concept,
                *([short_model(row.model)] if view.many_models else []),
                row.layer,
                f"{signed(row.truth)} ({interval(row.truth_low, row.truth_high)}), {row.n_pairs} pairs",
                f"{signed(row.paired)} ({interval(row.paired_low, row.paired_high)})",
                f"{signed(row.effect)} ({interval(row.effect_low, row.effect_high)})",
                text_of(row.remark),
            )
            for row in rows
        ]
        return f"### {self.title}\n\n" + table((*heads, "in words"), cells)

    def charts(self, view: TargetView) -> Sequence[Chart]:
        return view.once(pairs_charts)


def pairs_charts(view: TargetView) -> list[Chart]:
    """One a model and concept with pairs."""
    charts = []
    for number, (title, (concept, measured)) in enumerate(zip(_titles(view), _measured(view), strict=True), start=1):
        settings = chart_settings(view, f"measured-pairs-{number}", title=title, label="")
        chart = Chart(
            name=settings.name,
            title=f"{view.target}: {title}, with and without",
            label=f"{concept} and {view.target}: {pairs_words(measured, view.space)}",
            **at_both_widths(lambda width, measured=measured: draw_pairs(measured, width, view.space)),
        )
        charts.append(chart)
    return charts


def _measured(view: TargetView) -> list[tuple[str, PairedEffects]]:
    return [(concept, measured) for analysis in view.analyses for concept, measured in analysis.pairs.items()]


def _titles(view: TargetView) -> list[str]:
    """The concept of each chart, and the model where there are several."""
    return [
        f"{concept} in {model}" if view.many_models else concept
        for model, analysis in zip(view.models, view.analyses, strict=True)
        for concept in analysis.pairs
    ]


def _rows(view: TargetView) -> tuple[PairedRow, ...]:
    return paired_rows(view.analyses)


def _notes(view: TargetView) -> list[str]:
    """What was left out of pairs, each once."""
    return list(dict.fromkeys(note for _, measured in _measured(view) for note in measured.notes))
