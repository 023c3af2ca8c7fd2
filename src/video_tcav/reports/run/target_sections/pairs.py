"""Section of a target: concepts as pictures (static) and as clips (dynamic)."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from video_tcav.reports.charts import Chart
from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.charts import effect_intervals, panels_of_rows
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import DYNAMIC, STATIC, TargetView
from video_tcav.tcav import ConceptResult


@dataclass(frozen=True, kw_only=True)
class PairReading:
    """A concept as pictures and as clips in one model, at the deepest layer."""

    model: str
    concept: str
    static: ConceptResult
    dynamic: ConceptResult
    words: str


class Section(ReportSection[TargetView]):
    """Pairs of pictures and clips, where there are any."""

    name, title, order = "pairs", "Static against dynamic", 300

    def html(self, view: TargetView) -> Markup | None:
        chart = view.once(pairs_chart)
        if chart is None:
            return None
        return render_fragment("target_sections/pairs.html.j2", view=view, chart=chart, readings=_readings(view))

    def charts(self, view: TargetView) -> Sequence[Chart]:
        chart = view.once(pairs_chart)
        return [] if chart is None else [chart]


def pairs_chart(view: TargetView) -> Chart | None:
    """Both of each concept side by side; none where there is no pair."""
    if not view.pairs:
        return None
    endings = {"static": STATIC, "dynamic": DYNAMIC}
    return panels_of_rows(
        view,
        view.pairs,
        [[(kind, effect_intervals(view, name + ending)) for kind, ending in endings.items()] for name in view.pairs],
        kind="static-dynamic",
        title=f"{view.target}: static against dynamic",
        label=f"Effect of concepts as pictures (static) and as clips (dynamic) on {view.target}",
    )


def _readings(view: TargetView) -> list[PairReading]:
    """One for each pair and model."""
    readings = []
    for concept in view.pairs:
        rows = zip(view.models, view.per_model(concept + STATIC), view.per_model(concept + DYNAMIC), strict=True)
        for model, static, dynamic in rows:
            if static is not None and dynamic is not None:
                words = _in_words(view, static, dynamic)
                readings.append(PairReading(model=model, concept=concept, static=static, dynamic=dynamic, words=words))
    return readings


def _in_words(view: TargetView, static: ConceptResult, dynamic: ConceptResult) -> str:
    still, moving = view.significant(static), view.significant(dynamic)
    if moving and not still:
        return "Only the clips have an effect."
    if still and not moving:
        return "Only the pictures have an effect."
    if not still:
        return "No effect found in either."
    if (static.effect > 0) != (dynamic.effect > 0):
        return "Both have an effect, in opposite directions."
    if static.effect_high < dynamic.effect_low or dynamic.effect_high < static.effect_low:
        larger = "clips" if abs(dynamic.effect) > abs(static.effect) else "pictures"
        return f"Both have an effect; that of the {larger} is larger."
    return "Both have an effect of about the same size."
