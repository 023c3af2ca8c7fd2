"""What all commands share: lists with commas, defaults from environment and file, `--cache` without a folder, `-q` and `-v`."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from video_tcav.cli.defaults import defaults_of
from video_tcav.cli.verbosity import with_verbosity
from video_tcav.core.cache_folder import cache_folder

_log = logging.getLogger(__name__)
# A value in double quotes may hold commas, and two double quotes for one.
_VALUE = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?=,|$)|([^,]+)')
# Options whose value may be left out, with what stands for it.
_OPTIONAL_VALUES: dict[str, Callable[[], Path]] = {"--cache": cache_folder}


class Command(TyperCommand):
    """A command whose lists take commas or repetition, and whose options have defaults in environment and file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for parameter in self._lists():
            parameter.metavar = f"{parameter.metavar or 'TEXT'},…"

    def _lists(self) -> list[Any]:
        return [each for each in self.params if each.param_type_name == "option" and getattr(each, "multiple", False)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; see the class."""
        if ctx.resilient_parsing:  # completion in a shell: no place for messages about a file
            return super().parse_args(ctx, args)
        defaults = defaults_of(ctx)
        ctx.default_map = {name: default.value for name, default in defaults.items()}
        shows_help = self.no_args_is_help
        # Without arguments there is help, unless the defaults are all that the command needs.
        self.no_args_is_help = shows_help and any(each.required and each.name not in defaults for each in self.params)
        try:
            rest = super().parse_args(ctx, with_optional_values(args))
        finally:
            self.no_args_is_help = shows_help
        for parameter in self._lists():
            if ctx.params.get(parameter.name):
                ctx.params[parameter.name] = split_lists(ctx.params[parameter.name])
        for name, default in defaults.items():
            if is_default(ctx, name):
                _log.info("%s: %s", default.source, default.value)
        return rest


def command(
    app: typer.Typer, name: str | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: register a function as a command of `app`; help is shown where required arguments are missing altogether."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        app.command(name, cls=Command, **{"no_args_is_help": True, **options})(with_verbosity(function))
        return function

    return decorate


def is_default(context: Any, name: str) -> bool:
    """Whether a parameter's value comes from the environment or the file of defaults."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "DEFAULT_MAP"


def with_optional_values(arguments: Sequence[str]) -> list[str]:
    """Arguments in which an option that may stand without a value has one."""
    following = [*arguments[1:], "--"]
    return [
        f"{argument}={_OPTIONAL_VALUES[argument]()}"
        if argument in _OPTIONAL_VALUES and after.startswith("-")
        else argument
        for argument, after in zip(arguments, following, strict=False)
    ]


def split_lists(texts: Sequence[str]) -> list[str]:
    """Values of a list option that was given once or several times, each time with one value or several with commas.

    Not split are a value in double quotes, and one that is, whole, a file or folder: `a,b.mp4`, `NAME=PATH`, `PATH::LABEL`.
    """
    return [value for text in texts for value in _split(text)]


def _split(text: str) -> list[str]:
    paths = (text, text.partition("=")[2])
    if any(path and Path(path.partition("::")[0]).expanduser().exists() for path in paths if "\0" not in path):
        return [text]
    values = (
        match[1].replace('""', '"') if match[1] is not None else match[2].strip() for match in _VALUE.finditer(text)
    )
    return [value for value in values if value]
