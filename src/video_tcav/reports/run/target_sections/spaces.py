"""Section of a target: its effects by feature space."""

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import TargetView


class Section(ReportSection[TargetView]):
    """Feature spaces, where there are several."""

    name, title, order = "spaces", "Other feature spaces", 600

    def html(self, view: TargetView) -> Markup | None:
        spaces = view.experiment.spaces
        if len(spaces) < 2:
            return None
        views = [view.elsewhere(space=space) for space in spaces]
        rows = [
            (concept, model, [space_view.find(space_view.analyses[number], concept) for space_view in views])
            for number, model in enumerate(view.models)
            for concept in view.concepts
        ]
        return render_fragment("target_sections/spaces.html.j2", view=view, spaces=spaces, rows=rows)
