"""Section: clips with the maps of each concept, and the timelines."""

from video_tcav.reports.run.clips import heat_table
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.timeline import line_look
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order = "when", "When and where it looked", 500

    def values(self, view: RunView) -> Values:
        return {"looks": line_look, "heat": heat_table()} if view.clips.players else None
