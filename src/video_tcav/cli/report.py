"""`video-tcav report`: write the report of a finished run or a test from its folder."""

from pathlib import Path
from typing import Annotated

import typer

import video_tcav.experiments as experiments
import video_tcav.reports as reports
from video_tcav.cli import render


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or of `test --out`.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; report.html in that folder if not given.")
    ] = None,
) -> None:
    """Write the report of a finished run or a test: a page that opens offline, Markdown, and figures. Needs no model."""
    finished = experiments.load_run(run)
    page = reports.write_report(finished, out or finished.path / "report.html")
    render.line(f"The report: {page}")
