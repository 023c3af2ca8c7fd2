"""Section of a target: the effect of each concept at the deepest layer."""

from collections.abc import Sequence

from markupsafe import Markup

from video_tcav.reports.charts import Chart, chart_style, draw_rows, panels
from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.charts import chart_name, effect_intervals, effect_label, legend, row_height, rows_in_words
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import TargetView


class Section(ReportSection[TargetView]):
    """Effects, directly under the target's heading."""

    name, title, order = "effects", "", 100

    def html(self, view: TargetView) -> Markup:
        dotted = any(not row.represented for row in view.results)
        return render_fragment(
            "target_sections/effects.html.j2", view=view, chart=view.once(effects_chart), dotted=dotted
        )

    def charts(self, view: TargetView) -> Sequence[Chart]:
        return [view.once(effects_chart)]


def effects_chart(view: TargetView) -> Chart:
    """A row a concept."""
    rows = [(concept, effect_intervals(view, concept)) for concept in view.concepts]
    with chart_style(background="white"):
        figure, (axes,) = panels(height=1.0 + row_height(view) * len(rows))
        draw_rows(axes, rows, labels=True)
        axes.margins(x=0.1)
        axes.set_xlabel(effect_label(view))
        legend(view, figure)
    label = f"Effect of each concept on {view.target} at the deepest layer, with 95 % intervals. {rows_in_words(view, rows)}"
    return Chart(name=chart_name("effects", view), title=f"What moves {view.target}", figure=figure, label=label)
