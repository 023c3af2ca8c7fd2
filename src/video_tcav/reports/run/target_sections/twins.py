"""Section of a target: concepts beside their twins, and the effects of motion and order."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from video_tcav.reports.charts import Chart
from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.charts import effect_intervals, panels_of_rows
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import TargetView
from video_tcav.tcav import ConceptResult


@dataclass(frozen=True, kw_only=True)
class TwinReading:
    """A concept and the effects of its motion and order in one model, at the deepest layer."""

    model: str
    plain: ConceptResult
    motion: ConceptResult | None
    order: ConceptResult | None
    words: str


class Section(ReportSection[TargetView]):
    """Twins, where any were run."""

    name, title, order = "twins", "Motion, or picture?", 400

    def html(self, view: TargetView) -> Markup | None:
        chart = view.once(twins_chart)
        if chart is None:
            return None
        return render_fragment("target_sections/twins.html.j2", view=view, chart=chart, readings=_readings(view))

    def charts(self, view: TargetView) -> Sequence[Chart]:
        chart = view.once(twins_chart)
        return [] if chart is None else [chart]


def twins_chart(view: TargetView) -> Chart | None:
    """Concepts as they are and their twins; none where no twins were run."""
    if not view.with_twins:
        return None
    versions = {"as it is": "none", **{twin: twin for twin in view.twins}}
    return panels_of_rows(
        view,
        view.with_twins,
        [
            [(name, effect_intervals(view, concept, twin)) for name, twin in versions.items()]
            for concept in view.with_twins
        ],
        kind="twins",
        title=f"{view.target}: motion, or picture",
        label=f"Effect of concepts on {view.target} as they are and as twins",
    )


def _readings(view: TargetView) -> list[TwinReading]:
    """One for each concept with twins, and model."""
    readings = []
    for concept in view.with_twins:
        twins = (view.per_model(concept, twin) for twin in ("none", "motion", "order"))
        for model, plain, motion, order in zip(view.models, *twins, strict=True):
            if plain is not None and (motion is not None or order is not None):
                words = twins_in_words(
                    *(None if row is None else view.significant(row) for row in (plain, motion, order))
                )
                readings.append(TwinReading(model=model, plain=plain, motion=motion, order=order, words=words))
    return readings


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
