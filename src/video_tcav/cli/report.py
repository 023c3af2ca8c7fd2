"""`video-tcav report`: write the report of a finished run, a test, a discovery or an audit from its folder."""

from pathlib import Path
from typing import Annotated

import typer

import video_tcav.discovery as discovery
import video_tcav.experiments as experiments
import video_tcav.reports as reports
from video_tcav.cli import render


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or of `--out` of test, discover or audit.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; report.html in that folder if not given.")
    ] = None,
) -> None:
    """Write the report of a run, a test, a discovery or an audit: a page that opens offline, and figures. Needs no model.

    Runs and tests get the same as Markdown, too. The clips of a discovery are read from their files again.
    """
    from video_tcav.auditing import is_audit, load_audit  # noqa: PLC0415 - PyTorch, which other commands need not load

    if discovery.is_discovery(run):
        page = reports.write_discovery_page(discovery.load_discovery(run), out or run / "report.html", progress=True)
    elif is_audit(run):
        page = reports.write_audit_page(load_audit(run), out or run / "report.html", progress=True)
    else:
        finished = experiments.load_run(run)
        page = reports.write_report(finished, out or finished.path / "report.html")
    render.line(f"The report: {page}")
