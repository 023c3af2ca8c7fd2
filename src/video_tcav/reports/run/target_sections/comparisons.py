"""Section of a target: one concept rather than another."""

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import TargetView


class Section(ReportSection[TargetView]):
    """Relative TCAV, where it was run."""

    name, title, order = "comparisons", "One concept rather than another", 500

    def html(self, view: TargetView) -> Markup | None:
        rows = list(view.comparisons())
        return render_fragment("target_sections/comparisons.html.j2", view=view, rows=rows) if rows else None
