"""Section of a target: concepts as pictures (static) and as clips (dynamic)."""

from collections.abc import Iterator, Sequence

from video_tcav.reports.effect_charts import Chart, panels_chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import DYNAMIC, STATIC, TargetView, chart_settings, effect_intervals
from video_tcav.tcav import ConceptResult


class Section(TemplateSection[TargetView]):
    name, title, order = "pairs", "Static against dynamic", 300

    def values(self, view: TargetView) -> Values:
        return {"rows": list(_rows(view))} if view.pairs else None

    def charts(self, view: TargetView) -> Sequence[Chart]:
        return [view.once(pairs_chart)] if view.pairs else []


def pairs_chart(view: TargetView) -> Chart:
    """Pictures and clips of each concept side by side."""
    settings = chart_settings(
        view,
        "static-dynamic",
        title=f"{view.target}: static against dynamic",
        label=f"Effect of concepts as pictures (static) and as clips (dynamic) on {view.target}, with 95 % intervals.",
    )
    endings = {"static": STATIC, "dynamic": DYNAMIC}
    return panels_chart(
        settings,
        {
            name: [(kind, effect_intervals(view, name + ending)) for kind, ending in endings.items()]
            for name in view.pairs
        },
    )


def _rows(view: TargetView) -> Iterator[tuple[str, str, ConceptResult, ConceptResult, str]]:
    """Concept, model, result of the pictures, of the clips, and what follows."""
    for concept in view.pairs:
        results = zip(view.models, view.per_model(concept + STATIC), view.per_model(concept + DYNAMIC), strict=True)
        for model, static, dynamic in results:
            if static is not None and dynamic is not None:
                yield concept, model, static, dynamic, _in_words(view, static, dynamic)


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
