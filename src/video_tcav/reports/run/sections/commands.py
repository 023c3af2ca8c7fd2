"""Section: the commands that make the run and its page again."""

import shlex
from pathlib import Path

from markupsafe import Markup

from video_tcav.experiments import Run
from video_tcav.reports.page import render_fragment
from video_tcav.reports.run.section import ReportSection
from video_tcav.reports.run.view import RunView


class Section(ReportSection[RunView]):
    """Commands."""

    name, title, order = "again", "Do it again", 1000

    def html(self, view: RunView) -> Markup:
        return render_fragment("sections/commands.html.j2", commands=commands(view.run))


def commands(run: Run) -> tuple[str, str]:
    """To be run beside the experiment file, whose paths are relative to its folder."""
    name = Path(str(run.record.get("source", "experiment.yaml"))).name
    return f"video-tcav run {shlex.quote(name)} --out again", "video-tcav report again"
