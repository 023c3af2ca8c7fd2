"""Section: some clips of each set, as the first model sees them."""

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import RunView


class Section(ReportSection[RunView]):
    """Previews."""

    name, title, order = "clips", "The clips", 400

    def html(self, view: RunView) -> Markup | None:
        return render_fragment("sections/clip_sets.html.j2", clips=view.clips) if view.clips.sets else None
