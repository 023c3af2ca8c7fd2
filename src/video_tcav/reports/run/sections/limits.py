"""Section: what the results do not show."""

from video_tcav.reports.run.section import TemplateSection
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order = "not-shown", "What this does not show", 800
