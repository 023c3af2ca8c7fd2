"""Section of a target: the effect of each concept at the deepest layer, directly under the target's heading."""

from collections.abc import Sequence

from video_tcav.reports.effect_charts import Chart, rows_chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import TargetView, chart_settings, effect_intervals


class Section(TemplateSection[TargetView]):
    name, title, order, folded = "effects", "", 100, False

    def values(self, view: TargetView) -> Values:
        # models of one run may have different numbers of layers
        plain = (row for row in view.results if row.twin == "none" and row.versus == "random")
        return {"tests": " or ".join(map(str, sorted({row.family_size for row in plain})))}

    def charts(self, view: TargetView) -> Sequence[Chart]:
        return [view.once(effects_chart)]


def effects_chart(view: TargetView) -> Chart:
    """A row a concept."""
    label = f"Effect of each concept on {view.target} at the deepest layer, with 95 % intervals."
    settings = chart_settings(view, "effects", title=f"What moves {view.target}", label=label)
    return rows_chart(settings, [(name, effect_intervals(view, name)) for name in view.concepts], labels=True)
