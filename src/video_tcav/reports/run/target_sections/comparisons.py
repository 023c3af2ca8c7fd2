"""Section of a target: one concept rather than another (relative TCAV), where it was run."""

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import TargetView


class Section(TemplateSection[TargetView]):
    name, title, order = "comparisons", "One concept rather than another", 500

    def values(self, view: TargetView) -> Values:
        rows = list(view.comparisons())
        return {"rows": rows} if rows else None
