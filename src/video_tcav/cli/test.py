"""`video-tcav test`: does this concept matter for this class, at which layer, and is it the motion or the picture?"""

from pathlib import Path
from typing import Annotated, Any

import typer

import video_tcav as vt
import video_tcav.experiments as experiments
import video_tcav.reports as reports
from video_tcav.cli import options, render
from video_tcav.core.checks import require
from video_tcav.core.errors import InputError, UnsavedResultError
from video_tcav.core.escaping import well_formed
from video_tcav.core.files import check_writable
from video_tcav.core.model_settings import ModelSettings
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.settings import InterventionSettings, Negatives, StatisticsSettings


@options.with_settings(
    model_options=ModelSettings,
    recording=RecordingSettings,
    statistics=StatisticsSettings,
    interventions=InterventionSettings,
)
def run(
    *,
    model_options: ModelSettings,
    recording: RecordingSettings,
    statistics: StatisticsSettings,
    interventions: InterventionSettings,
    model: options.Model,
    target: Annotated[str, typer.Option(metavar="CLASS", help="Class to explain, by name or number.")],
    concept: Annotated[
        list[str], typer.Option(metavar="NAME=PATH", help="Clips of concepts; a name may come several times.")
    ],
    random: Annotated[list[str], typer.Option(metavar="PATH", help="Clips without the concepts.")],
    clips: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Clips of that class; not needed with --at random.")
    ] = None,
    layer: options.Layers = None,
    against: options.Against = "log_odds",
    at: options.GradientAt = "class",
    only_right: Annotated[
        bool, typer.Option("--only-right", help="Leave out class clips that the model calls another class.")
    ] = False,
    twin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="frozen|reversed|shuffled",
            help="frozen adds the motion effect, reversed the order effect.",
        ),
    ] = None,
    relative: Annotated[
        list[str] | None,
        typer.Option(metavar="A:B", help="Also compare concept A with concept B (relative TCAV)."),
    ] = None,
    negatives: Annotated[
        Negatives,
        typer.Option(help="Where a concept does not move: random clips frozen to match, or moving as they are."),
    ] = "matched",
    group: options.Group = "video",
    seed: options.Seed = 0,
    check_effects: Annotated[
        bool,
        typer.Option(
            "--check-effects",
            help="Edit the class clips, and say how far effects predict what it does; steps where --intervene-at makes them.",
        ),
    ] = False,
    masks: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Who is the person of each clip: --check-effects then also makes edits of person and scene; as for audit.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for a page, figures, tables (CSV, Parquet, JSON) and CAVs."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write report.html and figures into the folder of --out.")
    ] = True,
    all_results: Annotated[
        bool, typer.Option("--all", help="Print every layer and twin, not only the strongest layer of each concept.")
    ] = False,
    json: options.JsonFile = None,
) -> None:
    """Test how much concepts matter for a class: effects with intervals and calibrated p-values, layer by layer.

    A PATH is a file, folder, glob or manifest (CSV, Parquet, or a published annotation file); PATH::LABEL takes one label of it.
    """
    require(
        masks is None or check_effects, "--masks", "come with --check-effects", masks, "Add it, or leave out --masks."
    )
    if out:
        check_writable(out)
    concepts = options.parse_concepts(concept)
    loaded = vt.load_model(model, **vars(model_options))
    asked: dict[str, Any] = {
        "target": target,
        "clips": clips,
        "random": random,
        "layers": layer,
        "against": against,
        "only_right": only_right,
        "group": group,
        "seed": seed,
        "recording": recording,
        "progress": True,
    }
    effect_check = None
    if check_effects:
        at_layers = interventions.intervene_at
        effect_check = vt.check_effects(loaded, space=recording.space, intervene_at=at_layers, masks=masks, **asked)
    unsaved = None
    try:
        result = vt.run_tcav(
            loaded,
            **asked,
            concepts=concepts,
            at=at,
            twins=twin or [],
            relative=[_pair(text) for text in relative or []],
            negatives=negatives,
            statistics=statistics,
            interventions=interventions,
            effect_check=effect_check,
            out=out,
            detail=out is not None and report,
        )
    except UnsavedResultError as error:  # it is shown all the same: it took long
        result, unsaved = error.result, error
    from video_tcav.cli.effect_check_table import print_check  # noqa: PLC0415
    from video_tcav.cli.effect_table import print_result  # noqa: PLC0415 - PyTorch, which other commands need not load

    print_result(result, every=all_results)
    if effect_check is not None:
        print_check(effect_check)
    if json:
        result.to_json(json)
    # Only now: the table is printed and the JSON written, whatever became of the folder.
    if unsaved:
        raise unsaved
    if out:
        files = "Tables and CAVs" if (out / "cavs.safetensors").exists() else "Tables"
        render.line(f"\n{files} are in {out}.")
        if report:
            experiments.complete_test_folder(
                out, result, loaded, clips=clips, concepts=concepts, random=random, progress=True
            )
            render.line(f"The report: {reports.write_report(experiments.load_run(out), out / 'report.html')}")


def _pair(text: str) -> tuple[str, str]:
    first, _, second = well_formed(text).partition(":")
    if not first or not second:
        raise InputError(f"`--relative` must be A:B. Got {text}. Write, for example, racket:ball.")
    return first, second
