"""`video-tcav erase`: concepts projected out of a model, with what that does to its answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import video_tcav as vt
from video_tcav.auditing.settings import REPAIR_NOT_TAKEN, AuditSettings
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_file_writable, write_json
from video_tcav.core.model_settings import ModelSettings
from video_tcav.recording.settings import RecordingSettings

if TYPE_CHECKING:
    from video_tcav.auditing import Repair
    from video_tcav.tcav import SavedCav


@options.with_settings(
    model_options=ModelSettings,
    audit_settings=AuditSettings,
    recording=RecordingSettings,
    leave_out=(*REPAIR_NOT_TAKEN, "erased"),
)
def erase(
    *,
    model_options: ModelSettings,
    audit_settings: AuditSettings,
    recording: RecordingSettings,
    clips: options.LabelledClips,
    model: options.Model,
    cavs: Annotated[
        Path, typer.Option(metavar="PATH", help="Folder of `test --out` or of a run, or a cavs.safetensors in it.")
    ],
    concept_free: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="Labelled clips on which the concepts say nothing about the class: accuracy must stay there.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The erased directions, for --erased; written if the repair is accepted."),
    ] = Path("erased.safetensors"),
    concept: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Which concepts. [dim]default: all of the file[/]", show_default=False),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="L", help="At which layer. [dim]default: the last of the file[/]", show_default=False),
    ] = None,
    swap: Annotated[
        bool, typer.Option(help="Also put the person of each clip over the scene of another class, which needs masks.")
    ] = True,
    margin: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="By which accuracy on concept-free clips may fall.")
    ] = 0.02,
    group: options.Group = "video",
    seed: options.Seed = 0,
    json: options.JsonFile = None,
) -> None:
    """Take concepts out of a model, and show what became better and what worse.

    The directions of their CAVs are put to the values of random clips, at one layer. Exit code 1, and no file, where accuracy on
    concept-free clips falls by more than the margin. Then every command takes `--model M --erased FILE`.
    """
    check_file_writable(out)
    saved = _chosen(vt.load_cavs(cavs), concept, layer)
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.erase(
        loaded,
        saved,
        clips=clips,
        concept_free=concept_free,
        swap=swap,
        margin=margin,
        group=group,
        seed=seed,
        out=out,
        progress=True,
        audit_settings=audit_settings,
        recording=recording,
    )
    _print(result)
    render.random_weights(loaded)
    if json:
        write_json(json, result.to_dict())
    if not result.is_accepted:
        raise typer.Exit(1)
    render.line(f"\nErased: {out}. Use it: video-tcav … --model {model} --erased {out}")


def _chosen(cavs: "tuple[SavedCav, ...]", concepts: list[str] | None, layer: str | None) -> "list[SavedCav]":
    """The CAVs of some concepts against random clips, at one layer.

    Raises:
        InputError: for a concept or layer that the file does not hold.
    """
    against_random = [cav for cav in cavs if cav.versus == "random"]
    layers, names = (list(dict.fromkeys(getattr(cav, name) for cav in against_random)) for name in ("layer", "concept"))
    for option, given, held in (("layer", [layer] if layer else [], layers), ("concept", concepts or [], names)):
        for name in given:
            if name not in held:
                raise InputError(
                    f"`{option}` must be one that the CAVs are of. Got {name!r}. Choose one of: {', '.join(held)}."
                )
    if not layers:
        raise InputError("`cavs` must hold CAVs against random clips. Got none. Test the concepts anew.")
    wanted = layer or layers[-1]
    return [cav for cav in against_random if cav.layer == wanted and (not concepts or cav.concept in concepts)]


def _print(result: "Repair") -> None:
    """Sentences, then a row a figure, and what to beware of."""
    for sentence in result.sentences():
        render.paragraph(sentence, bullet="• ")
    render.out.print()
    numbers = ("before", "after", "change", "95 %")
    table = render.table("clips", "measure", *numbers, numbers=numbers)
    for row in result:
        scale, unit = (1, "") if row.measure == "log_odds" else (100, " %")
        change = f"{scale * row.change:+.1f}"
        interval = f"[{scale * row.change_low:+.1f}, {scale * row.change_high:+.1f}]"
        table.add_row(
            row.clips,
            row.measure,
            f"{scale * row.before:.1f}{unit}",
            f"{scale * row.after:.1f}{unit}",
            change,
            interval,
        )
    render.out.print(table)
    render.warn(*result.warnings)
    render.skipped(result.skipped)
