"""Section: for each target what moves it, in as many parts as are registered for targets."""

from collections.abc import Sequence

from markupsafe import Markup

from video_tcav.reports.charts import Chart
from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.markdown import figures
from video_tcav.reports.run.section import TARGET_SECTIONS, ReportSection, ordered
from video_tcav.reports.run.view import RunView


class Section(ReportSection[RunView]):
    """All targets."""

    name, title, order = "targets", "", 300  # each target brings a heading of its own

    def html(self, view: RunView) -> Markup:
        targets = []
        for target in view.targets:
            fragments = [(section, section.html(target)) for section in ordered(TARGET_SECTIONS)]
            targets.append((target, [(section.title, html) for section, html in fragments if html]))
        return render_fragment("sections/targets.html.j2", targets=targets)

    def markdown(self, view: RunView) -> str:
        blocks = ["## Effects"]
        for target in view.targets:
            for section in ordered(TARGET_SECTIONS):
                blocks += [figures(section.charts(target)), section.markdown(target) or ""]
        return "\n\n".join(block for block in blocks if block)

    def charts(self, view: RunView) -> Sequence[Chart]:
        return [
            chart for target in view.targets for section in ordered(TARGET_SECTIONS) for chart in section.charts(target)
        ]
