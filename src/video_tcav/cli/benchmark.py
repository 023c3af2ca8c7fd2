"""`video-tcav benchmark`: score methods on the rendered world, write its clips, and train models on them."""

import math
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

import video_tcav.benchmark as benchmark
import video_tcav.rendered as rendered
from video_tcav.cli import options, render
from video_tcav.cli.command import command
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_file_writable, check_writable, write_json
from video_tcav.core.limits import excerpt

app = typer.Typer(
    name="benchmark",
    help="The rendered world with known causes: scores of methods, its clips, and models that read them.",
    no_args_is_help=True,
)
Architecture = Literal["r2plus1d", "transformer"]
RuleName = Literal["motion", "scene", "object", "order", "mixed"]
_METHOD_HELP = "Python function that returns {}, or the name of one that an installed package adds. It runs as Python."
Models = Annotated[
    list[str] | None, typer.Option("--model", metavar="M", help="A packaged rendered: model; all if not given.")
]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer clips, to try a method: a benchmark of its own name.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the scores as JSON and CSV.")]
Correlation = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Of the rule mixed: how often the scene agrees with the class; 0.9 if not given."),
]


@command(app)
def world(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to: a folder a class, and manifest.csv.")],
    rule: Annotated[RuleName, typer.Option(help="Which factor decides the class.")] = "motion",
    count: Annotated[int, typer.Option(min=1, help="How many clips.")] = 100,
    frames: Annotated[int, typer.Option(min=1, help="Frames in a clip.")] = 16,
    size: Annotated[str, typer.Option(metavar="N|HEIGHTxWIDTH", help="Pixels.")] = "64",
    codec: Annotated[Literal["h264", "vp9", "av1"], typer.Option(help="How videos are encoded.")] = "h264",
    masks: Annotated[
        bool, typer.Option("--masks", help="Also write masks.json: person and object, as COCO masks.")
    ] = False,
    correlation: Correlation = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same clips.")] = 0,
) -> None:
    """Write rendered clips as video files with a manifest of their factors and boxes, to be used like real ones."""
    # Six digits are more than any codec takes, and few enough for every product of them.
    sides = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", size.lower())
    if sides is None:
        raise InputError(f"`--size` must be pixels or HEIGHTxWIDTH. Got {excerpt(size)}. Write, for example, 64.")
    pixels = (int(sides[1]), int(sides[2] or sides[1]))
    check_writable(out)
    chosen = _rule(rule, correlation)
    clips, labels = chosen.sample(count, seed=seed)
    names = [chosen.labels[label] for label in labels]
    manifest = rendered.write_world(
        out, clips, names, frames=frames, size=pixels, codec=codec, masks=masks, progress=True
    )
    render.line(f"{count} clips of {len(chosen.labels)} classes, with their truth: {manifest}")


@command(app)
def train(
    architecture: Annotated[Architecture, typer.Argument(help="Which network.")],
    rule: Annotated[RuleName, typer.Argument(help="Which factor decides the class.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to write; ARCHITECTURE-RULE.safetensors if not given.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Batches of 32 clips; those of the packaged weights if not given.")
    ] = None,
    correlation: Correlation = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first weights and of the clips.")] = 0,
) -> None:
    """Train a small network whose only cause is known, on freshly rendered clips; minutes on two cores."""
    path = out or Path(f"{architecture}-{rule}.safetensors")
    rendered.check_name(path)
    check_file_writable(path)
    chosen = _rule(rule, correlation)
    trained = rendered.train_rendered(architecture, chosen, seed=seed, steps=steps, progress=True)
    trained.save(path)
    render.line(f"{trained.accuracy:.1%} right on {trained.metadata['held_out']} new clips. Weights: {path}")
    render.line(f"Use them with --model rendered:{architecture} --weights {path}")


@command(app)
def attribution(
    method: Annotated[str, typer.Option("--method", metavar="PACKAGE:FUNCTION|NAME", help=_METHOD_HELP.format("maps"))],
    model: Models = None,
    quick: Quick = False,
    out: Out = None,
    json: options.JsonFile = None,
) -> None:
    """Score a method of attribution, of any origin: do its maps lie on the known cause, and say what the model needs?"""
    _prepare(out)
    result = benchmark.benchmark_attribution(method, models=model, quick=quick, progress=True)
    render.out.print(_attribution_table(result))
    total = result.by_rule().iloc[-1]
    render.paragraph(
        f"{result.benchmark}, {result.method}: AUC {result.auc:.3f}, lift {total['lift']:.1f}, gain {total['gain']:+.2f} over"
        f" {render.counted(len(result.applies_to), 'model')}. By chance: AUC 0.5, lift 1, gains 0, energy and pointing as area."
        " gain: how much lower deletion is than for the same maps elsewhere; others: than for maps of other clips."
        " A star: not shown to be better on each model."
    )
    _finish(result, out, json)


@command(app)
def concepts(
    method: Annotated[
        str, typer.Option("--method", metavar="PACKAGE:FUNCTION|NAME", help=_METHOD_HELP.format("components"))
    ],
    model: Models = None,
    quick: Quick = False,
    out: Out = None,
    json: options.JsonFile = None,
) -> None:
    """Score a method that finds concepts, of any origin: does it find the known cause, and the same from other clips?"""
    _prepare(out)
    result = benchmark.benchmark_concepts(method, models=model, quick=quick, progress=True)
    render.out.print(_concept_table(result))
    causes = render.counted(len(result.scores), "cause")
    render.paragraph(
        f"{result.benchmark}, {result.method}: {result.causes_found} of {causes} found, by one of the three strongest"
        " components: enrichment of at least 3 on the cause, or AUC of at least 0.9 where the scene is the cause."
        " By chance: enrichment 1, AUC 0.5, stability 0."
    )
    _finish(result, out, json)


def _prepare(out: Path | None) -> None:
    """Refuse a folder that cannot be written to; packages in the working folder can be imported, as with `python -m`."""
    if out is not None:
        check_writable(out)
    sys.path.insert(0, str(Path.cwd()))


def _finish(
    result: "benchmark.AttributionScores | benchmark.ConceptScores", out: Path | None, json: Path | None
) -> None:
    """Say where the method does not apply, and write files."""
    render.warn(*(f"{score.model}: does not apply. {score.note}" for score in result.scores if score.note))
    if json is not None:
        write_json(json, result.to_dict())
    if out is not None:
        result.write(out)
        render.line(f"Tables: {out}")


def _attribution_table(result: "benchmark.AttributionScores") -> Table:
    columns = ("area", "energy", "lift", "pointing", "AUC", "deletion", "gain", "others", "seconds")
    table = render.table("cause", numbers=columns)
    for row in result.by_rule().to_dict("records"):
        stars = ["*" if row[f"not_better_{opponent}"] else " " for opponent in ("elsewhere", "other_clips")]
        table.add_row(
            str(row["rule"]),
            *(f"{row[name]:.0%}" for name in ("area", "energy")),
            f"{row['lift']:.1f}×",
            f"{row['pointing']:.0%}",
            *(f"{row[name]:.3f}" for name in ("auc", "deletion")),
            f"{row['gain']:+.2f}{stars[0]}",
            f"{row['gain_other_clips']:+.2f}{stars[1]}",
            f"{row['seconds_per_clip']:.3f}",
        )
    return table


def _concept_table(result: "benchmark.ConceptScores") -> Table:
    columns = ("components", "enrichment", "AUC", "stability", "directions", "seconds")
    table = render.table("model", "found", numbers=columns)
    for score in result.scores:
        measures = (score.presence_auc, score.stability, score.direction_stability)
        table.add_row(
            score.model.removeprefix("rendered:"),
            "yes" if score.is_found else "no",
            str(score.components),
            "–" if math.isnan(score.enrichment) else f"{score.enrichment:.1f}×",
            *("–" if math.isnan(measure) else f"{measure:.2f}" for measure in measures),
            "–" if math.isnan(score.seconds) else f"{score.seconds:.1f}",
        )
    return table


def _rule(name: str, correlation: float | None) -> "rendered.Rule":
    if correlation is not None and name != "mixed":
        raise InputError(f"`--correlation` must go with the rule mixed. Got {name}. Leave it out.")
    return rendered.rule_of(name, correlation=0.9 if correlation is None else correlation)
