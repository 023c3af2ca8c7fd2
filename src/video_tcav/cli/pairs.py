"""`video-tcav pairs`: what a concept does to a class, measured on clips with and without it, beside every estimate."""

from typing import Annotated

import typer

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import write_json
from video_tcav.core.model_settings import ModelSettings
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.settings import MOST_PAIRS

_NOT_TAKEN = ("windows", "sketch", "workers", "backend")


@options.with_settings(model_options=ModelSettings, recording=RecordingSettings, leave_out=_NOT_TAKEN)
def pairs(
    *,
    model_options: ModelSettings,
    recording: RecordingSettings,
    model: options.Model,
    target: Annotated[str, typer.Option(metavar="CLASS", help="Class to explain, by name or number.")],
    with_concept: Annotated[
        list[str], typer.Option("--with", metavar="PATH", help="Clips with the concept, one of each pair.")
    ],
    without: Annotated[list[str], typer.Option(metavar="PATH", help="The same clips without it.")],
    random: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Further clips without it; estimates are taken there as well."),
    ] = None,
    layer: options.Layers = None,
    against: options.Against = "log_odds",
    group: options.Group = "video",
    intervene_at: Annotated[
        str,
        typer.Option(metavar="deepest|all|LAYER", help="Layers where steps and clamps are measured, too."),
    ] = "deepest",
    most_pairs: Annotated[
        int, typer.Option(min=2, help="Pairs that are measured, from as many groups as there are.")
    ] = MOST_PAIRS,
    seed: options.Seed = 0,
    json: options.JsonFile = None,
) -> None:
    """Measure what a concept does to a class on pairs: the same clip with and without it.

    A clip's pair is what the column `pair` of its manifest says. Where no clip has one, it is the file's name without folder and
    ending.
    """
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.pairs(
        loaded,
        target=target,
        with_concept=with_concept,
        without=without,
        random=random,
        layers=layer,
        space=recording.space,
        against=against,
        group=group,
        intervene_at=intervene_at,
        most_pairs=most_pairs,
        seed=seed,
        progress=True,
        recording=recording,
    )
    _print(result)
    if json:
        write_json(json, result.to_dict())


def _print(result: "vt.PairedEffects") -> None:
    """A sentence on the truth, and a row an estimate; those of a wrong sign are red."""
    from video_tcav.tcav.effect_check.pair_result import NUMBERS  # noqa: PLC0415 - PyTorch, which other commands need not load

    render.paragraph(result.headline(), bullet="• ")
    render.out.print("\n[bold]What would estimates have said?[/]")
    short_layers = render.without_common_prefix(list(dict.fromkeys(each.layer for each in result if each.layer)))
    table = render.table("layer", "estimate", *NUMBERS, numbers=list(NUMBERS))
    for each in result:
        style = "red" if each.right_sign is False else "dim" if each.estimator == "difference" else ""
        table.add_row(render.escape(short_layers.get(each.layer, "–")), each.name, *each.numbers, style=style)
    render.out.print(table)
    render.paragraph(
        "size: of the true change; it and the sign are left out where that is below "
        f"{result.threshold:g}. paired: each clip's slope times its own shift. difference: of means, without pairing.",
        style="dim",
    )
    render.warn(*result.notes)
    render.skipped(result.skipped)
