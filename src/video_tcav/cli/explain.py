"""`video-tcav explain`: where and when did the model look, and can the map be believed?"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

import video_tcav as vt
import video_tcav.reports as reports
from video_tcav.cli import options, render
from video_tcav.core.files import check_writable, write_json
from video_tcav.core.model_settings import ModelSettings
from video_tcav.core.settings import settings_of
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.settings import StatisticsSettings
from video_tcav.tcav.wording import signed, units

_STYLES = {True: None, False: "yellow"}
_MOST_FILES = 10  # a line each
_VIDEO_LETTERS = 20  # the other columns leave no room for more
NOT_OF_CAVS = tuple(setting.name for setting in settings_of(StatisticsSettings) if setting.name != "cav")


def _list_methods(wanted: bool) -> None:
    """Print names, ideas and papers of all methods, those of other packages among them."""
    if not wanted:
        return
    table = render.table("method", "idea", "source")
    for name, method in vt.attribution.METHODS.items():
        table.add_row(render.escape(name), render.escape(method.help), render.escape(method.source))
    render.out.print(table)
    raise typer.Exit


@options.with_settings(model_options=ModelSettings, recording=RecordingSettings, leave_out=("space",))
@options.with_settings(statistics=StatisticsSettings, leave_out=NOT_OF_CAVS)
def explain(
    *,
    model_options: ModelSettings,
    recording: RecordingSettings,
    statistics: StatisticsSettings,
    videos: options.Videos,
    model: options.Model,
    target: Annotated[
        str, typer.Option(metavar="CLASS|top", help="Class to explain; top is each clip's most probable one.")
    ] = "top",
    against: options.Against = "log_odds",
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="gradcam, hirescam, ig, rise, ...; `explain --methods` lists all."
            " [dim]default: gradcam, or none with --concept[/]",
            show_default=False,
        ),
    ] = None,
    methods: Annotated[
        # eager: the list needs neither videos nor a model
        bool, typer.Option("--methods", is_eager=True, callback=_list_methods, help="List all methods and exit.")
    ] = False,
    layer: Annotated[
        list[str] | None, typer.Option(metavar="L", help="Where to look; the deepest stage if not given.")
    ] = None,
    baseline: Annotated[
        Literal["grey", "black", "blur", "frozen", "reversed"] | None,
        typer.Option(
            help="What is shown where a clip is hidden, by methods and by the check; frozen hides motion alone,"
            " reversed order alone."
            " [dim]default: each method's own, blur for the check[/]",
            show_default=False,
        ),
    ] = None,
    concept: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="Map concepts: clips of each."),
    ] = None,
    random: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Clips without the concepts, for --concept.")
    ] = None,
    cavs: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Map the concepts of an earlier `test` or run: its folder, or cavs.safetensors."
        ),
    ] = None,
    concept_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="slope|clamp",
            help="slope: gradient times CAV at each position; clamp: adds up to what having the concept does to the clip,"
            " some dozens of passes behind the layer. [dim]default: slope[/]",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        Literal["motion"] | None,
        typer.Option(help="motion: also show what survives freezing the clip, and what does not."),
    ] = None,
    signed: Annotated[bool, typer.Option("--signed", help="Show what lowers the class, too.")] = False,
    format: Annotated[
        list[str] | None,
        typer.Option(
            metavar="mp4|gif|webp|png|npz",
            help="mp4, gif or webp: the video with the map on top; png: a contact sheet and a space-time view; npz: numbers."
            " [dim]default: mp4[/]",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")] = Path("explain-out"),
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Measure deletion, some dozens of passes a map.")
    ] = True,
    seed: options.Seed = 0,
    json: options.JsonFile = None,
) -> None:
    """Show where and when the model looked, as a video, a sheet or numbers, and measure each map's faithfulness.

    Deletion is the class's probability, on average, while the clip is removed in the order of the map: the lower, the
    better, and that of an informative map is well below that of the same map in another place, and below that of the same
    method's maps of other videos, where there are any.
    """
    check_writable(out)  # before any pass
    # Each map is written as it comes, so that memory does not grow with the number of videos.
    writer = reports.MapWriter(out, formats=format or ["mp4"], signed=signed)
    concepts = options.parse_concepts(concept)
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.explain(
        loaded,
        videos,
        target=target,
        against=against,
        methods=method,
        layers=layer,
        baseline=baseline,
        concepts=concepts or None,
        random=random,
        cavs=vt.load_cavs(cavs) if cavs else (),
        concept_maps=concept_map or ("slope",),
        split=split == "motion",
        check=check,
        cav=statistics.cav,
        seed=seed,
        recording=recording,
        each=writer,
        progress=True,
    )
    written = writer.written
    render.out.print(_table(result))
    verdicts = vt.map_verdicts(result.explanations)
    render.out.print()
    _explain_sums(result)
    for verdict in verdicts:
        render.paragraph(verdict.sentence, bullet="" if verdict.is_better else "! ", style=_STYLES[verdict.is_better])
    render.random_weights(loaded)
    render.skipped([*result.skipped, *written.skipped])
    _list_files(written.files, out)
    if json:
        facts = [explanation.facts() for explanation in result.explanations]
        maps = [{**asdict(verdict), "sentence": verdict.sentence} for verdict in verdicts]
        write_json(json, {"provenance": result.provenance, "verdicts": maps, "explanations": facts})


def _explain_sums(result: "vt.Explanations") -> None:
    """What the column `clamp` means, where there is one, and which maps miss their sum."""
    clamped = [row for row in result.explanations if math.isfinite(row.clamp)]
    if clamped:
        unit = units(clamped[0].against)
        meaning = (
            f"clamp: what having the concept, rather than not, does to the clip, in {unit}; the map adds up to it."
        )
        render.paragraph(meaning, style="dim")
    for row in clamped:
        if row.caution:
            video = render.shortened(row.source.key, longest=2, most_letters=_VIDEO_LETTERS)
            render.paragraph(
                f"{row.map_name} at {row.layer}, {video}: {row.caution}", bullet="! ", style=_STYLES[False]
            )


def _list_files(files: Sequence[Path], folder: Path) -> None:
    render.line(f"\n{render.counted(len(files), 'file')} in {folder}:")
    for file in files[:_MOST_FILES]:
        render.line(f"  {file.relative_to(folder)}")
    if len(files) > _MOST_FILES:
        render.line(f"  … and {len(files) - _MOST_FILES} more")


def _table(result: "vt.Explanations") -> Table:
    """One row a map; a split map and its parts have the same measures, so that one row serves them."""
    maps = [explanation for explanation in result.explanations if explanation.part == "whole"]
    windowed = any(row.window for row in maps)
    checked = any(math.isfinite(row.deletion) for row in maps)
    compared = any(math.isfinite(row.deletion_other_clips) for row in maps)
    split = any(math.isfinite(row.motion_share) for row in maps)
    checks = ["deletion", "elsewhere", *(["other clips"] if compared else [])] if checked else []
    clamped = any(math.isfinite(row.clamp) for row in maps)
    measures = [*(["clamp"] if clamped else []), *checks, *(["motion"] if split else [])]
    places = {f"{row.map_name} at {row.layer}" for row in maps}
    # What would be the same in every row stands above.
    place = ["map", "layer"] if len(places) > 1 else []
    columns = ["video", *(["window"] if windowed else []), "class", *place]
    options = {} if place else {"title": render.escape(*places), "title_justify": "left"}
    table = render.table(*columns, numbers=["peak", *measures], **options)
    short_layers = render.without_common_prefix([row.layer for row in maps])
    for row in maps:
        table.add_row(
            render.escape(render.shortened(row.source.key, longest=2, most_letters=_VIDEO_LETTERS)),
            *([str(row.window)] if windowed else []),
            render.escape(row.answer),
            *([render.escape(row.map_name), render.escape(short_layers[row.layer])] if place else []),
            f"{row.peak_s:.2f} s",
            *(["–" if math.isnan(row.clamp) else signed(row.clamp)] if clamped else []),
            *(["–" if math.isnan(area) else f"{area:.2f}" for area in row.deletions[: len(checks)]]),
            *([f"{row.motion_share:.0%}"] if split else []),
        )
    return table
