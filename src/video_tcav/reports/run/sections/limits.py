"""Section: what the results do not show."""

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import RunView


class Section(ReportSection[RunView]):
    """Limits of the method."""

    name, title, order = "not-shown", "What this does not show", 800

    def html(self, view: RunView) -> Markup:
        return render_fragment("sections/limits.html.j2")
