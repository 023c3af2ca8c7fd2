"""`video-tcav run`: an experiment file in, verdicts on its hypotheses out."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

import video_tcav.experiments as experiments
import video_tcav.reports as reports
from video_tcav.cli import options, render
from video_tcav.core.escaping import one_line
from video_tcav.core.files import check_file_writable
from video_tcav.recording.settings import RecordingSettings

_STYLES = {"supported": "green", "contradicted": "bold red", "undecided": "yellow", "not represented": "dim"}
_SIGNS = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not represented": "–"}


@options.with_settings(overrides=True, leave_out=("space",), recording=RecordingSettings)
def run(
    *,
    recording: dict[str, Any],
    experiment: Annotated[Path, typer.Argument(metavar="EXPERIMENT.yaml", help="The experiment file.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Run directory. [dim]default: runs/ and the file's name[/]", show_default=False
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is there.")] = False,
    fail_on_contradicted: Annotated[
        bool, typer.Option("--fail-on-contradicted", help="Exit with 1 if a hypothesis is contradicted.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the verdicts as JUnit XML.")] = None,
    annotate: Annotated[
        bool | None,
        typer.Option(
            "--annotate/--no-annotate",
            help="Print GitHub annotations for what is not supported. [dim]default: within GitHub Actions[/]",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write report.html into the run directory.")
    ] = True,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the file, its model and its paths; compute and write nothing.")
    ] = False,
) -> None:
    """Answer the hypotheses of an experiment file: supported, contradicted, undecided, or not represented.

    Everything is checked before anything is computed. A run that was stopped goes on with --resume. Options of the
    passes stand in for the settings of the file.
    """
    if check:
        found = experiments.check_experiment(experiment, **recording)
        count = len(found.hypotheses)
        render.out.print(f"{experiment}: {count} hypothes{'es' if count > 1 else 'is'} can be tested.", markup=False)
        return
    if junit:
        check_file_writable(junit)
    result = experiments.run_experiment(experiment, out=out, resume=resume, progress=True, **recording)
    outcomes(result)
    if report and resume and not os.access(result.path, os.W_OK):
        render.errors.print("! The run directory is read-only: no report was written.", style="yellow", markup=False)
    elif report:
        page = reports.write_report(result, result.path / "report.html")
        render.out.print(f"\nThe report is {page}. Tables are beside it.", markup=False, soft_wrap=True)
    if junit:
        experiments.write_junit(result.outcomes, junit, suite=result.experiment.title)
    if annotate if annotate is not None else os.environ.get("GITHUB_ACTIONS") == "true":
        for line in experiments.annotations(result.outcomes, str(experiment)):
            print(line)
    if fail_on_contradicted and result.counts()["contradicted"]:
        raise typer.Exit(1)


def outcomes(result: "experiments.Run") -> None:
    """Every verdict in words, and what to beware of."""
    render.out.print(f"[bold]{render.escape(result.experiment.title)}[/]")
    several = len(result.experiment.all_models()) > 1
    for one in result.outcomes:
        style = _STYLES[one.verdict]
        model = f" [dim]({render.escape(one.model)})[/]" if several else ""
        name = f" [dim]— {render.escape(one.claim)}[/]" if one.name != one.claim else ""
        render.out.print(f"[{style}]{_SIGNS[one.verdict]} {one.verdict:15}[/] {render.escape(one.name)}{name}{model}")
        render.out.print(f"  {one_line(f'{one.layer}: {one.reason}')}", style="dim", markup=False)
    counts = ", ".join(f"{count} {word}" for word, count in result.counts().items() if count)
    render.out.print(f"\n{counts}. Run directory: {result.path}", markup=False, soft_wrap=True)
    for warning in result.warnings():
        render.out.print(f"! {one_line(warning)}", style="yellow", markup=False)
    if remarks := result.remarks():
        text = f"Diagnostics have {len(remarks)} remark{'s' if len(remarks) > 1 else ''} on CAVs and effects: see the report."
        render.out.print(text, style="dim", markup=False)
