"""Section of a target: the effect of each concept over the layers."""

from collections.abc import Sequence

from markupsafe import Markup

from video_tcav.experiments import Analysis
from video_tcav.reports.charts import Chart, Interval, chart_style, draw_lines, label_axes, numbers_in_words, panel_grid
from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.charts import chart_name, effect_interval, legend
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import TargetView, layers_of


class Section(ReportSection[TargetView]):
    """Layers, where a model has several."""

    name, title, order = "layers", "Where in the network", 200

    def html(self, view: TargetView) -> Markup | None:
        chart = view.once(layers_chart)
        if chart is None:
            return None
        return render_fragment("target_sections/layers.html.j2", chart=chart, layers=_numbered_layers(view))

    def charts(self, view: TargetView) -> Sequence[Chart]:
        chart = view.once(layers_chart)
        return [] if chart is None else [chart]


def layers_chart(view: TargetView) -> Chart | None:
    """A small panel a concept; none where there is one layer."""
    most_layers = max(len(layers_of(analysis)) for analysis in view.analyses)
    if most_layers < 2:
        return None
    words = []
    with chart_style(background="white"):
        figure, grid = panel_grid(view.concepts, panel_height=2.1, extra_height=0.8, gap=0.04, sharex=True, sharey=True)
        for axes, concept in zip(grid, view.concepts, strict=True):
            lines = [_line(view, analysis, concept) for analysis in view.analyses]
            draw_lines(axes, lines, most_layers)
            words += [
                (f"{model}, {concept}, {layers_of(analysis)[depth]}", interval)
                for model, analysis, line in zip(view.models, view.analyses, lines, strict=True)
                for depth, interval in line.items()
            ]
        label_axes(figure, up=f"effect, {view.unit}")
        legend(view, figure)
    label = f"Effect of each concept on {view.target} at every layer. {numbers_in_words(words)}"
    title = f"{view.target}: where in the network"
    return Chart(name=chart_name("layers", view), title=title, figure=figure, label=label)


def _line(view: TargetView, analysis: Analysis, concept: str) -> dict[int, Interval]:
    """A concept's effects in one model by depth."""
    intervals = {
        depth: effect_interval(view, view.find(analysis, concept, layer=layer))
        for depth, layer in enumerate(layers_of(analysis))
    }
    return {depth: interval for depth, interval in intervals.items() if interval is not None}


def _numbered_layers(view: TargetView) -> list[tuple[str, str]]:
    """The layers behind the numbers of the chart, with the models that have them."""
    models: dict[str, list[str]] = {}
    for model, analysis in zip(view.models, view.analyses, strict=True):
        numbered = ", ".join(f"{number} {layer}" for number, layer in enumerate(layers_of(analysis), start=1))
        models.setdefault(numbered, []).append(model)
    return [(layers, ", ".join(names)) for layers, names in models.items()]
