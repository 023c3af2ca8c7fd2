"""Options that several commands share, and parsers of their values."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Optional, Union, get_origin, get_type_hints

import typer

import video_tcav as vt
from video_tcav.core.clip_spec import OutputKind, Sampling, Short
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.files import check_file_writable
from video_tcav.core.limits import excerpt, finite
from video_tcav.core.settings import Setting, Settings, settings_of
from video_tcav.models.loaders.loader import spec_help

_MODEL = "Model and clip"

_MOST_DIGITS = 9  # of pixels: int() refuses 4,300 digits with an error of its own
Model = Annotated[
    str,
    typer.Option("--model", "-m", metavar="M", help=f"{spec_help()}."),
]
Videos = Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders, globs or manifests.")]
Against = Annotated[str, typer.Option(metavar="log_odds|logit|contrast:CLASS", help="What the target is.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]


def _writable(path: Path | None) -> Path | None:
    if path:
        check_file_writable(path)
    return path


# What cannot be written is refused before any work.
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", callback=_writable, help="Also write the result as JSON.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be used.")]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Options of a model beside its name: each field is an option of every command that takes a model."""

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
            help="A video with fewer frames than a clip: list it, repeat its last frame, or start over.",
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
        """Names of the options that were set, without the device."""
        return tuple(name for name, value in asdict(self).items() if value not in (None, False) and name != "device")

    def load(self, model: str) -> "vt.VideoModel":
        """Load a model with these options."""
        settings = asdict(self) | {
            "size": parse_size(self.size),
            "mean": _numbers("mean", self.mean),
            "std": _numbers("std", self.std),
        }
        return vt.load_model(model, **settings)


Command = Callable[..., Any]


def with_model_options(command: Command) -> Command:
    """Decorator: replace the parameter `model_options` of a command by one option for each field of `ModelOptions`."""
    # With extras: the help of each option is in its annotation.
    hints = get_type_hints(ModelOptions, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    spelled = [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in fields(ModelOptions)
    ]
    return _spelled_out(command, "model_options", spelled, lambda values: ModelOptions(**values))


def with_settings(
    *, leave_out: Sequence[str] = (), overrides: bool = False, **groups: type[Settings]
) -> Callable[[Command], Command]:
    """Decorator: replace parameters of a command by one option for each field of a settings class.

    Args:
        leave_out: settings that are no option of the command.
        overrides: whether no option has a default, and the parameter is a mapping of the options that were set.
        groups: the settings class of each parameter.
    """

    def decorate(command: Command) -> Command:
        for parameter, kind in groups.items():
            settings = [setting for setting in settings_of(kind) if setting.name not in leave_out]
            spelled = [_option(setting, kind.TITLE, overrides=overrides) for setting in settings]
            make = _options_set if overrides else functools.partial(_settings, kind)
            command = _spelled_out(command, parameter, spelled, make)
        return command

    return decorate


def _settings(kind: type[Settings], values: dict[str, Any]) -> Settings:
    return kind(**values)


def _options_set(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _option(setting: Setting, panel: str, *, overrides: bool) -> inspect.Parameter:
    """The option of one setting."""
    optional = overrides or setting.optional
    # Typer takes no unions: a size such as `str | int` is text on the command line, and parsed by its settings class.
    kind: Any = str if get_origin(setting.type) in (Union, UnionType) else setting.type
    extra: dict[str, Any] = {"help": setting.info.help, "metavar": setting.info.metavar, "rich_help_panel": panel}
    if setting.choices:
        kind = Literal[setting.choices]
    if optional:
        extra["show_default"] = False if overrides else setting.info.default_text or False
    annotation = Annotated[Optional[kind] if optional else kind, typer.Option(setting.option, **extra)]  # noqa: UP045
    # Without defaults an option that was set can be told from one that was not: only those override the file.
    default = None if overrides else setting.default
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _spelled_out(
    command: Command, parameter: str, spelled: Sequence[inspect.Parameter], make: Callable[[dict[str, Any]], Any]
) -> Command:
    """A command with options in place of one parameter, whose value `make` builds of theirs."""
    signature = inspect.signature(command, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    kept_parameters = [each.replace(kind=keyword) for name, each in signature.parameters.items() if name != parameter]

    @functools.wraps(command)
    def replaced(**values: Any) -> Any:
        made = make({each.name: values.pop(each.name) for each in spelled})
        return command(**values, **{parameter: made})

    # Typer reads options from signature and annotations; keyword-only, as required parameters follow optional ones.
    replaced.__signature__ = signature.replace(parameters=[*kept_parameters, *spelled])  # pyright: ignore[reportAttributeAccessIssue]
    replaced.__annotations__ = {each.name: each.annotation for each in [*kept_parameters, *spelled]}
    return replaced


def parse_size(text: str | None) -> Any:
    """Parse a size: pixels as a number, `(height, width)`, or `native`."""
    if text is None or text == "native":
        return text
    sides = text.lower().split("x")
    if not all(side.isdecimal() and len(side) <= _MOST_DIGITS for side in sides) or len(sides) > 2:
        raise InputError(
            f"`--size` must be pixels, HEIGHTxWIDTH or native. Got {excerpt(text)}. Write, for example, 112."
        )
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def parse_concepts(texts: Sequence[str] | None) -> dict[str, list[str]]:
    """Parse several `NAME=PATH`: the paths of each name."""
    concepts: dict[str, list[str]] = {}
    for text in texts or ():
        name, _, path = (piece.strip() for piece in text.partition("="))
        if not (name and path):
            raise InputError(f"`--concept` must be NAME=PATH. Got {text}. Write, for example, racket=clips/racket.")
        concepts.setdefault(well_formed(name), []).append(path)
    return concepts


def _numbers(name: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        numbers = [finite(number) for number in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"`--{name}` must be one number or three. Got {excerpt(text)}. Write, for example, 0.45."
        ) from error
    return numbers[0] if len(numbers) == 1 else numbers
