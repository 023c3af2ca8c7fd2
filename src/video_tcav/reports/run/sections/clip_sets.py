"""Section: some clips of each set, as the first model sees them."""

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order = "clips", "The clips", 400

    def values(self, view: RunView) -> Values:
        return {} if view.clips.sets else None
