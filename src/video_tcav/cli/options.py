"""Options that several commands share, spelled the same everywhere."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

import video_tcav as vt
from video_tcav.core.clip_spec import OutputKind, Sampling, Short
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.limits import excerpt, finite
from video_tcav.models.loaders.loader import spec_help

_MODEL = "Model and clip"

_MOST_DIGITS = 9
Model = Annotated[
    str,
    typer.Option("--model", "-m", metavar="M", help=f"{spec_help()}."),
]
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


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What the command line says about a model, beside its name: each field is an option of every command that takes one."""

    weights: Annotated[
        str | None,
        typer.Option(
            metavar="W", help="A safetensors file or checkpoint of tensors, or a published name: KINETICS400_V1."
        ),
    ] = None
    outputs: Annotated[
        OutputKind | None,
        typer.Option(
            help="What the network returns. [dim]default: what its configuration says, or a trial shows[/]",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    frames: Annotated[int | None, typer.Option(help="Frames in a clip.", rich_help_panel=_MODEL)] = None
    stride: Annotated[
        int | None, typer.Option(help="Take every so many frames of the video.", rich_help_panel=_MODEL)
    ] = None
    sampling: Annotated[
        Sampling | None,
        typer.Option(help="Neighbouring frames, or spread over the whole video.", rich_help_panel=_MODEL),
    ] = None
    short: Annotated[
        Short | None,
        typer.Option(
            help="A video with fewer frames than a clip: list it, repeat its last frame, or begin anew.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    size: Annotated[
        str | None, typer.Option(metavar="N|native", help="Pixels of the model's input.", rich_help_panel=_MODEL)
    ] = None
    mean: Annotated[
        str | None, typer.Option(metavar="X[,X,X]", help="Mean of the pixels in [0, 1].", rich_help_panel=_MODEL)
    ] = None
    std: Annotated[
        str | None, typer.Option(metavar="X[,X,X]", help="Their standard deviation.", rich_help_panel=_MODEL)
    ] = None
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Class names, one a line, numbered, or in JSON.", rich_help_panel=_MODEL),
    ] = None
    allow_impure: Annotated[
        bool,
        typer.Option(
            "--allow-impure",
            help="Take a network that gives one clip other outputs each time, or among other clips.",
            rich_help_panel=_MODEL,
        ),
    ] = False
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:0.", rich_help_panel=_MODEL)] = "auto"

    def given(self) -> tuple[str, ...]:
        """Names of the options that were given, the device left out."""
        return tuple(name for name, value in asdict(self).items() if value not in (None, False) and name != "device")

    def load(self, model: str) -> "vt.VideoModel":
        """The model of that name with these options."""
        settings = asdict(self) | {
            "size": parse_size(self.size),
            "mean": _numbers("mean", self.mean),
            "std": _numbers("std", self.std),
        }
        return vt.load_model(model, **settings)


Result = TypeVar("Result")


def with_model_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """A command whose parameter `model_options` is spelled out as the options of `ModelOptions`."""
    signature = inspect.signature(command, eval_str=True)
    hints = get_type_hints(ModelOptions, include_extras=True)
    names = [field.name for field in fields(ModelOptions)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    spelled = [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in fields(ModelOptions)
    ]
    others = [part for name, part in signature.parameters.items() if name != "model_options"]

    @functools.wraps(command)
    def spelled_out(**values: Any) -> Result:
        options = ModelOptions(**{name: values.pop(name) for name in names})
        return command(**values, model_options=options)

    spelled_out.__signature__ = signature.replace(  # pyright: ignore[reportAttributeAccessIssue]
        parameters=[*(part.replace(kind=keyword) for part in others), *spelled]
    )
    spelled_out.__annotations__ = {part.name: part.annotation for part in [*others, *spelled]}
    return spelled_out


def parse_size(text: str | None) -> Any:
    """Pixels as a number, `(height, width)`, or `native`."""
    if text is None or text == "native":
        return text
    sides = text.lower().split("x")
    if not all(side.isdecimal() and len(side) <= _MOST_DIGITS for side in sides) or len(sides) > 2:
        raise InputError(
            f"`--size` must be pixels, HEIGHTxWIDTH or native. Got {excerpt(text)}. Write, for example, 112."
        )
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def parse_concept(text: str) -> tuple[str, str]:
    """Split `NAME=PATH`."""
    name, separator, path = text.partition("=")
    name = well_formed(name)
    if not (separator and name.strip() and path.strip()):
        raise InputError(f"`--concept` must be NAME=PATH. Got {text}. Write, for example, racket=clips/racket.")
    return name.strip(), path.strip()


def _numbers(name: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        found = [finite(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"`--{name}` must be one number or three. Got {excerpt(text)}. Write, for example, 0.45."
        ) from error
    return found[0] if len(found) == 1 else found
