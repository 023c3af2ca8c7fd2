"""Options that several commands share, and parsers of their values."""

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Optional, Union, get_origin

import typer

from video_tcav.core.errors import InputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.files import check_file_writable
from video_tcav.core.settings import Setting, Settings, settings_of
from video_tcav.models.loaders.loader import spec_help
from video_tcav.tcav.settings import At
from video_tcav.words.encoder_spec import encoder_help
from video_tcav.words.encoder_spec import load_encoder as load_encoder_spec
from video_tcav.words.word_lists import read_words

MODEL_HELP = f"{spec_help()}; or a model file, FILE.yaml"
Model = Annotated[str, typer.Option("--model", "-m", metavar="M", help=f"{MODEL_HELP}.")]
Videos = Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders, globs or manifests.")]
LabelledClips = Annotated[
    list[str],
    typer.Argument(metavar="CLIPS...", help="Labelled clips: a folder for each class, manifests or published lists."),
]
Against = Annotated[str, typer.Option(metavar="log_odds|logit|contrast:CLASS", help="What the target is.")]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", metavar="L", help="Layers to look at; the stages if not given.")
]
GradientAt = Annotated[
    At, typer.Option(help="Where the gradient is taken: at clips of the class, or at random clips, set aside for it.")
]
Group = Annotated[
    str,
    typer.Option(
        metavar="video|NAME|PATTERN",
        help="What is independent: the video, what a list names (participant, …), or a regular expression on paths.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]


def _writable(path: Path | None) -> Path | None:
    if path:
        check_file_writable(path)
    return path


# A file that cannot be written is refused before any work.
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", callback=_writable, help="Also write the result as JSON.")
]
Texts = Annotated[
    list[str], typer.Option("--text", metavar="TEXT", help="A concept in words, such as 'swinging a racket'.")
]
Encoder = Annotated[
    str, typer.Option("--encoder", metavar="E", help=f"What embeds clips and texts in one space: {encoder_help()}.")
]
WordFile = Annotated[
    Path | None,
    typer.Option(
        "--words",
        metavar="FILE",
        help="Words that texts are compared with, one a line. [dim]default: a thousand common ones[/]",
        show_default=False,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be used.")]

Command = Callable[..., Any]


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
            command = _spelled_out(command, parameter, spelled, _options_set if overrides else kind)
        return command

    return decorate


def _options_set(**values: Any) -> dict[str, Any]:
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
    # what is done unless it is told otherwise can only be told otherwise by a second name
    negation = f"/--no-{setting.option.removeprefix('--')}" if kind is bool and setting.default else ""
    annotation = Annotated[Optional[kind] if optional else kind, typer.Option(f"{setting.option}{negation}", **extra)]  # noqa: UP045
    # Without defaults an option that was set can be told from one that was not: only those override the file.
    default = None if overrides else setting.default
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _spelled_out(
    command: Command, parameter: str, spelled: Sequence[inspect.Parameter], make: Callable[..., Any]
) -> Command:
    """A command with options in place of one parameter, whose value `make` builds of theirs."""
    signature = inspect.signature(command, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    kept_parameters = [each.replace(kind=keyword) for name, each in signature.parameters.items() if name != parameter]

    @functools.wraps(command)
    def replaced(**values: Any) -> Any:
        made = make(**{each.name: values.pop(each.name) for each in spelled})
        return command(**values, **{parameter: made})

    # Typer reads options from signature and annotations; keyword-only, as required parameters follow optional ones.
    replaced.__signature__ = signature.replace(parameters=[*kept_parameters, *spelled])  # pyright: ignore[reportAttributeAccessIssue]
    replaced.__annotations__ = {each.name: each.annotation for each in [*kept_parameters, *spelled]}
    return replaced


def parse_concepts(texts: Sequence[str] | None) -> dict[str, list[str]]:
    """Parse several `NAME=PATH`: the paths of each name."""
    concepts: dict[str, list[str]] = {}
    for text in texts or ():
        name, _, path = (piece.strip() for piece in text.partition("="))
        if not (name and path):
            raise InputError(
                f"`--concept` must be NAME=PATH. Got {text}. Write, for example, racket=clips/racket."
                " A concept in words alone is for `video-tcav words --text`."
            )
        concepts.setdefault(well_formed(name), []).append(path)
    return concepts


def load_encoder(spec: str, device: str | None) -> Any:
    """The encoder of a spec, on the device of the model."""
    return load_encoder_spec(spec, device=device or "auto")


def read_word_file(path: Path | None) -> tuple[str, ...] | None:
    """The words of --words, if it was given."""
    return None if path is None else read_words(path)
