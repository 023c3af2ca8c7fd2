"""Section: clips with the maps of each concept, and the timelines."""

from markupsafe import Markup

from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.clips import heat_table
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.timeline import line_look
from video_tcav.reports.run.view import RunView


class Section(ReportSection[RunView]):
    """Players."""

    name, title, order = "when", "When and where it looked", 500

    def html(self, view: RunView) -> Markup | None:
        if not view.clips.players:
            return None
        return render_fragment(
            "sections/clip_players.html.j2", view=view, clips=view.clips, looks=line_look, heat=heat_table()
        )
