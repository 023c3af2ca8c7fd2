"""`video-tcav audit`: does a model need the person or the scene, motion or one frame, the order of frames?"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import video_tcav as vt
import video_tcav.studio as studios
from video_tcav.auditing.settings import NOT_TAKEN, AuditSettings
from video_tcav.cli import options, render
from video_tcav.cli.serving import OpenBrowser, require_studio, serve
from video_tcav.core.files import check_writable, write_json
from video_tcav.core.model_settings import ModelSettings
from video_tcav.core.wording import percent
from video_tcav.recording.settings import RecordingSettings

if TYPE_CHECKING:
    from video_tcav.auditing import AuditResult

_BAR_CELLS = 40


@options.with_settings(
    model_options=ModelSettings, audit_settings=AuditSettings, recording=RecordingSettings, leave_out=NOT_TAKEN
)
def audit(
    *,
    model_options: ModelSettings,
    audit_settings: AuditSettings,
    recording: RecordingSettings,
    clips: options.LabelledClips,
    model: options.Model,
    versions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION",
            help="What clips are made into, beside the clips as they are. [dim]default: all[/]",
            show_default=False,
        ),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLIP", help="Leave out these clips, as their masks are wrong: names, or a file of names."
        ),
    ] = None,
    judge_masks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Look at the masks in the browser in place of the audit, the doubtful ones first, and reject wrong ones into "
            "this file, which --reject takes.",
        ),
    ] = None,
    open_browser: OpenBrowser = True,
    group: options.Group = "video",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for results, tables, example clips and their page.")
    ] = None,
    json: options.JsonFile = None,
) -> None:
    """What does a model need: the person or the scene, motion or one frame, the order of frames?

    Each clip is shown to it as it is, and with one thing about it changed. Needs no concepts, only clips with their labels.
    """
    import video_tcav.reports as reports  # noqa: PLC0415 - drawing, which other commands need not load

    if judge_masks:
        require_studio("`video-tcav audit --judge-masks`")
        loaded = vt.load_model(model, **vars(model_options))
        review = studios.MaskReview.of_audit(
            loaded,
            clips,
            masks=audit_settings.masks,
            file=judge_masks,
            windows=recording.windows,
            reject=reject or (),
            next_command=_audit_command(sys.argv, judge_masks),
        )
        with studios.open_mask_studio(review) as page:
            serve(page, f"Masks of {review.total} clips, verdicts in {judge_masks}", open_browser=open_browser)
        return
    if out:
        check_writable(out)
    loaded = vt.load_model(model, **vars(model_options))
    with render.shown_if_unsaved(_print):
        result = vt.audit(
            loaded,
            clips,
            versions=versions or None,
            reject=reject or (),
            group=group,
            seed=seed,
            out=out,
            progress=True,
            audit_settings=audit_settings,
            recording=recording,
        )
    _print(result)
    render.random_weights(loaded)
    if out:
        render.line(f"\nResults, tables and examples: {out}")
        render.line(f"The page: {reports.write_audit_page(result, out / 'report.html', progress=True)}")
    if json:
        write_json(json, result.to_dict())


def _audit_command(arguments: Sequence[str], file: Path) -> str:
    """The command line of the audit that leaves out what was rejected: the present one but for options of the page."""
    words = iter(arguments[1:])
    words_of_audit = []
    for word in words:
        option = word.partition("=")
        if option[0] == "--judge-masks":
            _ = option[1] or next(words, None)  # its value
        elif word not in ("--open", "--no-open"):
            words_of_audit.append(word)
    return shlex.join(["video-tcav", *words_of_audit, "--reject", str(file)])


def _print(result: "AuditResult") -> None:
    """Sentences, the shares as a bar, then a row a version, and what to beware of."""
    for sentence in result.sentences():
        render.paragraph(sentence, bullet="• ")
    bar = "   ".join(
        f"{share.player} {'█' * round(_BAR_CELLS * share.share)} {percent(share.share)}"
        for share in sorted(result.shares_of(), key=lambda share: -share.share)
        if round(_BAR_CELLS * max(share.share, 0) if share.share == share.share else 0)
    )
    if bar:
        render.out.print()
        render.paragraph(bar)
    render.out.print()
    numbers = ("right", "95 %", "log-odds", "lost", "lost, 95 %")
    table = render.table("version", *numbers, numbers=numbers)
    for row in result:
        if row.label is None:
            table.add_row(
                row.version,
                percent(row.accuracy),
                f"{percent(row.accuracy_low)} to {percent(row.accuracy_high)}",
                f"{row.log_odds:+.2f}",
                f"{row.log_odds_lost:+.2f}",
                f"[{row.log_odds_lost_low:+.2f}, {row.log_odds_lost_high:+.2f}]",
            )
    render.out.print(table)
    worst = result.worst_classes(3)
    if len(result.labels) > 1 and worst:
        render.paragraph(f"Worst classes: {', '.join(_class_text(result, label) for label in worst)}.", style="dim")
    render.warn(*result.warnings)
    render.skipped(result.skipped)


def _class_text(result: "AuditResult", label: str) -> str:
    figure, row = result.figure("sb_err", label), result.version("original", label)
    if figure is not None:
        return f"{label} (SBErr {percent(figure.value)})"
    return label if row is None else f"{label} ({percent(row.accuracy)} right)"
