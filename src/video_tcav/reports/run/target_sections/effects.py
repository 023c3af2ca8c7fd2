"""Section of a target: the effect of each concept at the deepest layer, directly under the target's heading."""

from collections.abc import Sequence

from video_tcav.reports.charts import Chart, chart_style, draw_rows, panels
from video_tcav.reports.run.charts import chart_name, effect_intervals, effect_label, legend, row_height, rows_in_words
from video_tcav.reports.run.section import TemplateSection
from video_tcav.reports.run.view import TargetView


class Section(TemplateSection[TargetView]):
    """Effects."""

    name, title, order = "effects", "", 100

    def charts(self, view: TargetView) -> Sequence[Chart]:
        return [view.once(effects_chart)]


def effects_chart(view: TargetView) -> Chart:
    """A row a concept."""
    rows = [(concept, effect_intervals(view, concept)) for concept in view.concepts]
    with chart_style(background="white"):
        figure, (axes,) = panels(height=1.0 + row_height(view) * len(rows))
        draw_rows(axes, rows, labels=True)
        axes.margins(x=0.1)  # room for the labels, which stand outside of the intervals
        axes.set_xlabel(effect_label(view))
        legend(view, figure)
    words = rows_in_words(view, rows)
    label = f"Effect of each concept on {view.target} at the deepest layer, with 95 % intervals. {words}"
    return Chart(name=chart_name("effects", view), title=f"What moves {view.target}", figure=figure, label=label)
