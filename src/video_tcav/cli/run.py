"""`video-tcav run`: run an experiment file and print the verdicts on its hypotheses."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import video_tcav.experiments as experiments
import video_tcav.reports as reports
from video_tcav.cli import options, render
from video_tcav.cli.command import is_default
from video_tcav.core.files import check_file_writable
from video_tcav.recording.settings import RecordingSettings

# Colours and signs of verdicts; the sign carries the meaning where there is no colour.
_STYLES = {"supported": "green", "contradicted": "bold red", "undecided": "yellow", "not represented": "dim"}
_SIGNS = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not represented": "–"}

_AGREEMENT = {"agree": ("✓", "green"), "disagree": ("✗", "bold red"), "open": ("?", "yellow")}


@options.with_settings(overrides=True, leave_out=("space",), recording=RecordingSettings)
def run(
    *,
    context: typer.Context,
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
    recording = _over_file(context, experiment, recording)
    if check:
        parsed = experiments.check_experiment(experiment, **recording)
        count = len(parsed.hypotheses)
        render.out.print(f"{experiment}: {count} hypothes{'es' if count > 1 else 'is'} can be tested.", markup=False)
        return
    if junit:
        check_file_writable(junit)
    result = experiments.run_experiment(experiment, out=out, resume=resume, progress=True, **recording)
    outcomes(result)
    # A finished run may be read again from an archive; its report cannot be written there.
    if report and resume and not os.access(result.path, os.W_OK):
        render.errors.print("! The run directory is read-only: no report was written.", style="yellow", markup=False)
    elif report:
        page = reports.write_report(result, result.path / "report.html")
        render.line(f"\nThe report is {page}. Tables are beside it.")
    if junit:
        experiments.write_junit(result.outcomes, junit, suite=result.experiment.title)
    if annotate if annotate is not None else os.environ.get("GITHUB_ACTIONS") == "true":
        # Not through Rich, which would wrap or style the lines that GitHub parses.
        for line in experiments.annotations(result.outcomes, str(experiment)):
            print(line)
    if fail_on_contradicted and result.counts()["contradicted"]:
        raise typer.Exit(1)


def _over_file(context: typer.Context, experiment: Path, recording: dict[str, Any]) -> dict[str, Any]:
    """The settings that stand in for those of the file: all of the command line, and defaults where the file says nothing."""
    if not any(is_default(context, name) for name in recording):
        return recording
    in_file = experiments.read_experiment(experiment)[0].model_fields_set
    return {name: value for name, value in recording.items() if not (is_default(context, name) and name in in_file)}


def outcomes(result: "experiments.Run") -> None:
    """Print every verdict with its reason, and the warnings of the run."""
    render.out.print(f"[bold]{render.escape(result.experiment.title)}[/]")
    _verdicts(result, [outcome for outcome in result.outcomes if not outcome.is_in_words])
    if in_words := [outcome for outcome in result.outcomes if outcome.is_in_words]:
        encoder = result.texts[0].result.constants.encoder
        render.out.print(f"\n[bold]In words[/], through {render.escape(encoder)}: weaker claims than those about clips")
        _verdicts(result, in_words)
    _witnesses(result)
    _pairs(result)
    counts = ", ".join(f"{count} {word}" for word, count in result.counts().items() if count)
    render.line(f"\n{counts}. Run directory: {result.path}")
    render.warn(*result.warnings())
    if remarks := result.remarks():
        text = f"Diagnostics have {render.counted(len(remarks), 'remark')} on CAVs and effects: see the report."
        render.out.print(text, style="dim", markup=False)


def _verdicts(result: "experiments.Run", verdicts: Sequence["experiments.Outcome"]) -> None:
    several = len(result.experiment.all_models()) > 1
    for outcome in verdicts:
        model = f" ({outcome.model})" if several else ""
        claim = f" — {outcome.claim}" if outcome.name != outcome.claim else ""
        bullet, style = f"{_SIGNS[outcome.verdict]} {outcome.verdict:15} ", _STYLES[outcome.verdict]
        render.paragraph(f"{outcome.name}{claim}{model}", bullet=bullet, bullet_style=style)
        render.paragraph(f"{outcome.place}: {outcome.reason}", bullet="  ", style="dim")


def _witnesses(result: "experiments.Run") -> None:
    """A line for each claim that three witnesses were asked about."""
    if not result.witnesses:
        return
    render.out.print("\n[bold]Three witnesses[/]: slope, intervention at the layer, edit of the pixels")
    several = len(result.experiment.all_models()) > 1
    for row in result.witnesses:
        model = f" ({row.model})" if several else ""
        sign, style = _AGREEMENT[row.verdict]
        render.paragraph(
            f"{row.concept} for {row.target}{model}", bullet=f"{sign} {row.verdict:9} ", bullet_style=style
        )
        said = "; ".join(f"{each.by} {_said(each)}" for each in row.witnesses)
        render.paragraph(f"{said}. {row.look_at}".strip(), bullet="  ", style="dim")


def _pairs(result: "experiments.Run") -> None:
    """A line for each concept with pairs, model and target: the truth, beside estimates at the deepest layer."""
    if not result.pairs:
        return
    render.out.print("\n[bold]Pairs[/]: the same clips with and without the concept")
    several = len(result.experiment.all_models()) > 1
    for row in {(row.model, row.target, row.concept): row for row in result.pairs}.values():
        model = f" ({row.model})" if several else ""
        groups = f"{row.n_pairs} pairs, {render.counted(row.n_groups, 'group')}"
        render.paragraph(f"{row.concept} for {row.target}{model}", bullet="! " if row.remark else "• ")
        effect = "not tested" if math.isnan(row.effect) else f"{row.effect:+.2f}"
        render.paragraph(
            f"truth {row.truth:+.2f} [{row.truth_low:+.2f}, {row.truth_high:+.2f}] ({groups}; first class of {row.n_changed} "
            f"changes); at {row.layer} paired estimate {row.paired:+.2f}, effect {effect}. {row.remark}".strip(),
            bullet="  ",
            style="dim",
        )


def _said(said: "experiments.Witness") -> str:
    return said.says if math.isnan(said.value) else f"{said.says} ({said.value:+.2f})"
