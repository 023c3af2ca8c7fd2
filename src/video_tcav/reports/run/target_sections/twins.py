"""Section of a target: concepts beside their twins, and the effects of motion and order."""

from collections.abc import Iterator, Sequence

from video_tcav.reports.effect_charts import Chart, panels_chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import TargetView, chart_settings, effect_intervals
from video_tcav.tcav import ConceptResult


class Section(TemplateSection[TargetView]):
    name, title, order = "twins", "Motion, or picture?", 400

    def values(self, view: TargetView) -> Values:
        return {"rows": list(_rows(view))} if view.with_twins else None

    def charts(self, view: TargetView) -> Sequence[Chart]:
        return [view.once(twins_chart)] if view.with_twins else []


def twins_chart(view: TargetView) -> Chart:
    """Concepts as they are and their twins."""
    settings = chart_settings(
        view,
        "twins",
        title=f"{view.target}: motion, or picture",
        label=f"Effect of concepts on {view.target} as they are and as twins, with 95 % intervals.",
    )
    versions = {"as it is": "none", **{twin: twin for twin in view.twins}}
    return panels_chart(
        settings,
        {
            concept: [(name, effect_intervals(view, concept, twin)) for name, twin in versions.items()]
            for concept in view.with_twins
        },
    )


def _rows(view: TargetView) -> Iterator[tuple[str, ConceptResult, ConceptResult | None, ConceptResult | None, str]]:
    """Model, result of the concept as it is, effects of motion and of order, and what follows."""
    for concept in view.with_twins:
        results = zip(
            view.models, *(view.per_model(concept, twin) for twin in ("none", "motion", "order")), strict=True
        )
        for model, plain, motion, order in results:
            if plain is not None and (motion is not None or order is not None):
                flags = (None if row is None else view.significant(row) for row in (plain, motion, order))
                yield model, plain, motion, order, twins_in_words(*flags)


def twins_in_words(plain: bool | None, motion: bool | None, order: bool | None) -> str:
    """What follows from which effects are significant; `None` for one that was not tested."""
    if motion and order:
        return "The motion counts, and its order in time too."
    if motion:
        return "The motion counts." + ("" if order is None else " No effect of its order found.")
    if order:
        return "The order of the frames counts."
    if plain:
        return "No effect of order found." if motion is None else "The picture counts. No effect of motion found."
    return "No effect found."
