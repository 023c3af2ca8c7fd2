"""Options that several commands share, spelled the same everywhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

import video_tcav as vt
from video_tcav.core.errors import InputError

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="M", help="torchvision:NAME, hf:ID or FOLDER, file:PATH.py:FACTORY, or rendered:NAME."
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(metavar="W", help="A safetensors file or checkpoint of tensors, or a published name: KINETICS400_V1."),
]
Frames = Annotated[int | None, typer.Option(help="Frames in a clip.", rich_help_panel="Clip")]
Stride = Annotated[int | None, typer.Option(help="Take every so many frames of the video.", rich_help_panel="Clip")]
Size = Annotated[
    str | None, typer.Option(metavar="N|native", help="Pixels of the model's input.", rich_help_panel="Clip")
]
Mean = Annotated[
    str | None, typer.Option(metavar="X[,X,X]", help="Mean of the pixels in [0, 1].", rich_help_panel="Clip")
]
Std = Annotated[str | None, typer.Option(metavar="X[,X,X]", help="Their standard deviation.", rich_help_panel="Clip")]
Classes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Class names, one a line or a JSON list.", rich_help_panel="Clip"),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda:0.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the result as JSON.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Processes that share the model passes, or actors on Ray. [dim]default: 1, or what the cluster has room for[/]",
        show_default=False,
    ),
]
Backend = Annotated[str, typer.Option(metavar="local|ray[:ADDRESS]", help="Where the model passes are done.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be used.")]


def load(
    model: str,
    weights: str | None,
    frames: int | None,
    stride: int | None,
    size: str | None,
    mean: str | None,
    std: str | None,
    classes: Path | None,
    device: str,
) -> "vt.VideoModel":
    """The model that the shared options describe."""
    return vt.load_model(
        model,
        weights=weights,
        frames=frames,
        stride=stride,
        size=parse_size(size),
        mean=_numbers("mean", mean),
        std=_numbers("std", std),
        classes=classes,
        device=device,
    )


def parse_size(text: str | None) -> Any:
    """Pixels as a number, `(height, width)`, or `native`."""
    if text is None or text == "native":
        return text
    sides = text.lower().split("x")
    if not all(side.isdecimal() for side in sides) or len(sides) > 2:
        raise InputError(f"`--size` must be pixels, HEIGHTxWIDTH or native. Got {text}. Write, for example, 112.")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def parse_concept(text: str) -> tuple[str, str]:
    """Split `NAME=PATH`."""
    name, separator, path = text.partition("=")
    if not (separator and name.strip() and path.strip()):
        raise InputError(f"`--concept` must be NAME=PATH. Got {text}. Write, for example, racket=clips/racket.")
    return name.strip(), path.strip()


def _numbers(name: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"`--{name}` must be one number or three. Got {text}. Write, for example, 0.45.") from error
    return found[0] if len(found) == 1 else found
