"""Section of a target: the effect of each concept over the layers, where a model has several."""

from collections.abc import Sequence

from video_tcav.reports.effect_charts import Chart, layers_chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import TargetView, chart_settings, effect_interval, layers_of


class Section(TemplateSection[TargetView]):
    name, title, order = "layers", "Where in the network", 200

    def values(self, view: TargetView) -> Values:
        return {"layers": _numbered_layers(view)} if self.charts(view) else None

    def charts(self, view: TargetView) -> Sequence[Chart]:
        several = any(len(layers_of(analysis)) > 1 for analysis in view.analyses)
        return [view.once(_chart)] if several else []


def _chart(view: TargetView) -> Chart:
    settings = chart_settings(
        view,
        "layers",
        title=f"{view.target}: where in the network",
        label=f"Effect of each concept on {view.target} at every layer.",
        axis=f"effect, {view.unit}",
    )
    layers = [layers_of(analysis) for analysis in view.analyses]
    lines = {
        concept: [
            [effect_interval(view, view.find(analysis, concept, layer=layer)) for layer in names]
            for analysis, names in zip(view.analyses, layers, strict=True)
        ]
        for concept in view.concepts
    }
    return layers_chart(settings, lines, layers)


def _numbered_layers(view: TargetView) -> list[tuple[str, str]]:
    """The layers behind the numbers of the chart, with the models that have them."""
    models: dict[str, list[str]] = {}
    for model, analysis in zip(view.models, view.analyses, strict=True):
        numbered = ", ".join(f"{number} {layer}" for number, layer in enumerate(layers_of(analysis), start=1))
        models.setdefault(numbered, []).append(model)
    return [(layers, ", ".join(names)) for layers, names in models.items()]
