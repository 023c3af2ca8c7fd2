"""Section: the commands that make the run and its page again, beside the experiment file."""

import shlex
from pathlib import PureWindowsPath

from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.view import RunView


class Section(TemplateSection[RunView]):
    name, title, order = "again", "Do it again", 1000

    def values(self, view: RunView) -> Values:
        # The file's name alone: its folder is of one machine, perhaps with Windows, and paths in it are relative to that folder.
        file = PureWindowsPath(str(view.run.record.get("source", "experiment.yaml"))).name
        return {"commands": (f"video-tcav run {shlex.quote(file)} --out again", "video-tcav report again")}
