"""`video-tcav discover`: what does a class rely on, before anybody has named a concept?"""

import math
from pathlib import Path
from typing import Annotated

import typer

import video_tcav as vt
import video_tcav.reports as reports
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_writable, write_json
from video_tcav.core.model_settings import ModelSettings
from video_tcav.core.wording import p_text
from video_tcav.discovery.settings import NOT_TAKEN, DiscoverySettings
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.settings import At, InterventionSettings, StatisticsSettings
from video_tcav.words.encoder_spec import encoder_help

_MOST_ROWS = 12  # a screenful; the files have all
_BAR_CELLS = 9


@options.with_settings(
    model_options=ModelSettings,
    discovery=DiscoverySettings,
    recording=RecordingSettings,
    statistics=StatisticsSettings,
    interventions=InterventionSettings,
    leave_out=NOT_TAKEN,
)
def discover(
    *,
    model_options: ModelSettings,
    discovery: DiscoverySettings,
    recording: RecordingSettings,
    statistics: StatisticsSettings,
    interventions: InterventionSettings,
    model: options.Model,
    target: Annotated[str, typer.Option(metavar="CLASS", help="Class to explain, by name or number.")],
    clips: Annotated[list[str], typer.Option(metavar="PATH", help="Clips of that class, of six videos at least.")],
    random: Annotated[list[str], typer.Option(metavar="PATH", help="Clips without it, likewise.")],
    layer: options.Layers = None,
    bank: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Cut tubes of confirmed components into this concept bank, for review."),
    ] = None,
    against: options.Against = "log_odds",
    at: Annotated[
        At, typer.Option(help="Where the gradient is taken, in the half that finds: at random or at class clips.")
    ] = "random",
    twin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="frozen|reversed|shuffled|none",
            help="Tell appearance, motion and order apart by these. [dim]default: all[/]",
            show_default=False,
        ),
    ] = None,
    intervene: Annotated[
        str,
        typer.Option(metavar="step|clamp|none", help="What to do to activations along confirmed components."),
    ] = "step,clamp",
    text_encoder: Annotated[
        str | None,
        typer.Option(
            metavar="E", help=f"Suggest names for confirmed components by an encoder of texts: {encoder_help()}."
        ),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --text-encoder: words to choose from, one a line. [dim]default: a thousand common ones[/]",
            show_default=False,
        ),
    ] = None,
    group: options.Group = "video",
    alpha: Annotated[
        float, typer.Option(metavar="P", help="Level of all components together, between 0 and 1.")
    ] = 0.05,
    seed: options.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for results, tables, maps and their page.")
    ] = None,
    json: options.JsonFile = None,
) -> None:
    """Find what a class relies on: components of activations from half of the clips, tested in the other half.

    A component is confirmed if, in clips that it was not found in, the class has more (or less) of it than random clips, and
    having it, or taking it out where it is, moves the class the same way; adjusted for all components. Then look at its clips:
    what it is, a person says.
    """
    from video_tcav.concepts.twins import TWINS  # noqa: PLC0415 - PyTorch, which other commands need not load

    if words and not text_encoder:
        raise InputError(
            "`--words` must come with --text-encoder, which compares clips with them. Got none. Name an encoder."
        )
    if out:
        check_writable(out)
    encoder = options.load_encoder(text_encoder, model_options.device) if text_encoder else None
    loaded = vt.load_model(model, **vars(model_options))
    with render.shown_if_unsaved(_print):
        result = vt.discover(
            loaded,
            target=target,
            clips=clips,
            random=random,
            layers=layer,
            bank=bank,
            against=against,
            at=at,
            twins=TWINS if twin is None else [name for name in twin if name != "none"],
            operations=intervene,
            group=group,
            alpha=alpha,
            seed=seed,
            text_encoder=encoder,
            words=options.read_word_file(words),
            out=out,
            progress=True,
            recording=recording,
            discovery=discovery,
            statistics=statistics,
            interventions=interventions,
        )
    _print(result)
    if out:
        render.line(f"\nResults, tables and maps: {out}")
        render.line(f"The page: {reports.write_discovery_page(result, out / 'report.html', progress=True)}")
    if bank and any(component.n_tubes for component in result):
        render.line(f"Tubes to review: video-tcav studio {bank}")
    if json:
        write_json(json, result.to_dict())


def _print(result: "vt.DiscoveryResult") -> None:
    """Sentences, then a row a component, confirmed ones first, and what to beware of."""
    for sentence in result.sentences():
        render.paragraph(sentence, bullet="• ")
    shown = result.components[: max(_MOST_ROWS, len(result.confirmed))]
    # 80 columns have room for one more figure: of steps, too, the files and the page tell
    extra = next((name for name in ("removed", "step") if any(math.isfinite(getattr(row, name)) for row in shown)), "")
    # PyTorch, which other commands need not load
    from video_tcav.cli.effect_table import bars  # noqa: PLC0415
    from video_tcav.tcav.wording import units  # noqa: PLC0415

    headings = {"": (), "removed": ("without",), "step": ("step",)}[extra]
    numbers = (units(result.against), "95 %", f"p (of {len(result)})", *headings)
    render.out.print()
    table = render.table("component", "kind", "", *numbers, numbers=numbers, unbroken=("kind", ""))
    drawn = bars([0.0 if math.isnan(row.effect) else row.effect for row in shown], cells=_BAR_CELLS)
    for row, bar in zip(shown, drawn, strict=True):
        effect = ("–", "") if math.isnan(row.effect) else vt.effect_text(row)
        edits = [getattr(row, extra)] if extra else []
        mark = {"slope": "*", "removal": "°", "": " "}[row.confirmed_by] if row.is_stable else "~"
        table.add_row(
            render.escape(row.name.replace("component-", "#", 1)),
            row.kind,
            bar,
            *effect,
            f"{p_text(row.p_adjusted)}{mark}",
            *("" if math.isnan(edit) else f"{edit:+.2f}" for edit in edits),
            style="bold" if row.confirmed else "dim",
        )
    render.out.print(table)
    notes = [f"* confirmed: adjusted p ≤ {result.alpha:g}, sign of effect and of presence agree, and stable."]
    if extra == "removed":
        notes.append(
            "without: what clips with it lose when it is taken out where it is; ° confirmed by that, not by its slope."
        )
    if any(not row.is_stable for row in shown):
        notes.append("~ unstable: other halves or seeds give other components.")
    if len(shown) < len(result):
        notes.append(f"{render.counted(len(result) - len(shown), 'more component')} not confirmed.")
    render.paragraph(" ".join(notes), style="dim")
    render.warn(*result.warnings)
    render.skipped(result.skipped)
