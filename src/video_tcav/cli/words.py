"""`video-tcav words`: do concepts in words matter for a class? Text CAVs, apart from those of clips."""

from pathlib import Path
from typing import Annotated

import typer

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.model_settings import ModelSettings
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.wording import p_text, units


@options.with_settings(model_options=ModelSettings, recording=RecordingSettings)
def words(
    *,
    model_options: ModelSettings,
    recording: RecordingSettings,
    model: options.Model,
    target: Annotated[str, typer.Option(metavar="CLASS", help="Class to explain, by name or number.")],
    text: options.Texts,
    encoder: options.Encoder,
    random: Annotated[
        list[str],
        typer.Option(metavar="PATH", help="Unlabelled clips, which text CAVs are learned from: a hundred or more."),
    ],
    clips: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Clips of that class; not needed with --at random.")
    ] = None,
    concept: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT=PATH", help="Clips of one of the texts, which its CAV is checked against."),
    ] = None,
    layer: options.Layers = None,
    against: options.Against = "log_odds",
    at: options.GradientAt = "class",
    word_file: options.WordFile = None,
    group: options.Group = "video",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for tables (CSV, Parquet, JSON): text_results.*.")
    ] = None,
    all_results: Annotated[
        bool, typer.Option("--all", help="Print every layer, not only the strongest of each text.")
    ] = False,
    json: options.JsonFile = None,
) -> None:
    """Test concepts in words: CAVs from texts, through an encoder that embeds clips and texts in one space.

    A weaker claim than a CAV of clips; `video-tcav propose --text` finds clips for one.
    """
    concepts = options.parse_concepts(concept)
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.run_text_tcav(
        loaded,
        target=target,
        texts=text,
        encoder=options.load_encoder(encoder, model_options.device),
        random=random,
        clips=clips,
        concepts=concepts,
        layers=layer,
        against=against,
        at=at,
        words=options.read_word_file(word_file),
        group=group,
        seed=seed,
        out=out,
        recording=recording,
        progress=True,
    )
    _print(result, every=all_results)
    render.random_weights(loaded)
    render.skipped(result.skipped)
    if json:
        result.to_json(json)
    if out:
        render.line(f"\nTables are in {out}.")


def _print(result: "vt.TextTcavResult", *, every: bool) -> None:
    constants = result.constants
    for sentence in result.sentences():
        render.paragraph(sentence, bullet="• ")
    how = f"{constants.encoder}; {constants.n_clips} unlabelled clips; gradient at {constants.n_class_clips} {constants.at} clips"
    render.out.print(
        f"\n[bold]Concepts in words and {render.escape(constants.target)}[/] [dim]({render.escape(how)})[/]"
    )
    numbers = [f"{units(constants.against)}/sd", "95 %", f"p ({constants.correction})", "R²", "r", "cosine"]
    table = render.table("in words", "layer", *numbers, numbers=numbers)
    short_layers = render.without_common_prefix([row.layer for row in result])
    for row in result if every else result.strongest():
        table.add_row(
            render.escape(row.text),
            render.escape(short_layers[row.layer]),
            f"{row.effect:+.2f}",
            f"[{row.effect_low:+.2f}, {row.effect_high:+.2f}]".replace("[", r"\["),
            p_text(row.p_adjusted) if row.represented else "–",
            f"{row.r_squared:.2f}",
            f"{row.correlation:.2f}",
            f"{row.cosine:.2f}" if row.is_checked else "not checked",
            style=None if row.represented else "dim",
        )
    render.out.print(table)
    render.paragraph(
        "Per standard deviation of the unlabelled clips along the text CAV. R²: how much of the layer embeddings predict in clips"
        " of other groups; r: the same along the text CAV. cosine: with the CAV of clips of the concept.",
        style="dim",
    )
    render.warn(*result.warnings)
