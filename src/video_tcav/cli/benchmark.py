"""`video-tcav benchmark`: write rendered clips, and train models on them."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

import video_tcav.rendered as rendered
from video_tcav.cli import render
from video_tcav.cli.command import command
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_file_writable, check_writable
from video_tcav.core.limits import excerpt

app = typer.Typer(
    name="benchmark",
    help="The rendered world with known causes: its clips, and models that read them.",
    no_args_is_help=True,
)
Architecture = Literal["r2plus1d", "transformer"]
RuleName = Literal["motion", "scene", "object", "order", "mixed"]
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
    manifest = rendered.write_world(out, clips, names, frames=frames, size=pixels, codec=codec, progress=True)
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


def _rule(name: str, correlation: float | None) -> "rendered.Rule":
    if correlation is not None and name != "mixed":
        raise InputError(f"`--correlation` must go with the rule mixed. Got {name}. Leave it out.")
    return rendered.rule_of(name, correlation=0.9 if correlation is None else correlation)
