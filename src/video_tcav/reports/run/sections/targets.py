"""Section: for each target what moves it, in as many parts as are registered for targets."""

from collections.abc import Sequence

from video_tcav.reports.effect_charts import Chart
from video_tcav.reports.run.section import TARGET_SECTIONS, TemplateSection, Values, fragments, ordered
from video_tcav.reports.run.text import figures
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order, folded = "targets", "", 300, False  # each target brings a heading of its own

    def values(self, view: RunView) -> Values:
        sections = ordered(TARGET_SECTIONS)
        if not view.targets:  # of an experiment that only audits
            return None
        return {"targets": [(target, fragments(sections, target)) for target in view.targets]}

    def markdown(self, view: RunView) -> str | None:
        if not view.targets:
            return None
        blocks = ["## Effects"]
        # Figures come first, in the order of the page.
        for target in view.targets:
            for section in ordered(TARGET_SECTIONS):
                blocks += [figures(section.charts(target)), section.markdown(target) or ""]
        return "\n\n".join(block for block in blocks if block)

    def charts(self, view: RunView) -> Sequence[Chart]:
        return [
            chart for target in view.targets for section in ordered(TARGET_SECTIONS) for chart in section.charts(target)
        ]
