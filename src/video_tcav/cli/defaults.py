"""Defaults of options from the environment (`VIDEO_TCAV_MODEL`) and from `video-tcav.toml` in the working folder.

The command line wins over the environment, and that over the file. In both, what is said for one command wins over what is said
for all: `VIDEO_TCAV_TEST_LAYER` over `VIDEO_TCAV_LAYER`, `[test]` over `[common]`.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from video_tcav.core.checks import closest_hint
from video_tcav.core.errors import InputError
from video_tcav.core.files import reason_of
from video_tcav.core.limits import LimitError, excerpt, read_bounded

FILE = Path("video-tcav.toml")
COMMON = "common"
PREFIX = "VIDEO_TCAV"
_MOST_BYTES = 2**20
_VERBOSITY = ("quiet", "verbose")


@dataclass(frozen=True, kw_only=True)
class Default:
    """A value in place of an option's own default.

    Attributes:
        value: as the parser takes it.
        source: the variable, or the key of the file, for messages.
    """

    value: Any
    source: str


def defaults_of(context: typer.Context) -> dict[str, Default]:
    """The defaults of a command's options, by the names of its parameters.

    Raises:
        InputError: if the file is no TOML, has an unknown table or key, or a value cannot be used; the message says where.
    """
    path = _path(context)
    tables = _tables(read_file(context.find_root().command), path)
    defaults = {}
    for option in configurable(context.command):
        default = _from_environment(option, path) or _from_tables(option, tables)
        if default is not None:
            _check(default, option, context)
            defaults[option.name] = default
    return defaults


def _path(context: typer.Context) -> list[str]:
    """The words of a command behind the program's name: `bank`, `import`."""
    words: list[str] = []
    current: Any = context
    while current.parent is not None:
        words.insert(0, current.info_name)
        current = current.parent
    return words


def configurable(command: Any) -> list[Any]:
    """The options of a command that may have defaults: all but those that end it, such as `--help`."""
    options = [option for option in command.params if option.param_type_name == "option"]
    return [option for option in options if not option.is_eager or option.name in _VERBOSITY]


def key_of(option: Any) -> str:
    """The name of an option in the file: its long name."""
    return max(option.opts, key=len).lstrip("-")


def read_file(root: Any) -> dict[str, Any]:
    """The tables of the file, if there is one; `root` is the command with all others, whose names are known."""
    try:
        if not FILE.exists():
            return {}
        content = tomllib.loads(read_bounded(FILE, most=_MOST_BYTES).decode("utf-8-sig"))
    except (LimitError, OSError, ValueError) as error:  # TOML and UTF-8 errors are a ValueError, too
        raise InputError(f"`{FILE}` must be a readable file in TOML. Got: {reason_of(error)}. Correct it.") from error
    _check_tables(content, getattr(root, "commands", {}), ())
    return content


def _check_tables(content: Mapping[str, Any], commands: Mapping[str, Any], path: tuple[str, ...]) -> None:
    """Refuse unknown tables and keys, whichever command is run: a misspelt default would be missed silently."""
    for name, table in content.items():
        written = ".".join((*path, name))
        if not isinstance(table, Mapping):
            cure = f"Write it below [{COMMON}], or below a command such as [test]."
            raise InputError(f"`{FILE}`: `{written}` must stand in a table. Got it outside of any. {cure}")
        if name == COMMON and not path:
            _check_keys(
                table, {key_of(each) for command in _leaves(commands) for each in configurable(command)}, written
            )
        elif name not in commands:
            hint = closest_hint(name, [*([] if path else [COMMON]), *commands])
            raise InputError(f"`{FILE}`: `[{written}]` must be {COMMON} or a command. Got {name!r}. {hint}")
        elif inner := getattr(commands[name], "commands", None):
            _check_tables(table, inner, (*path, name))
        else:
            _check_keys(table, {key_of(option) for option in configurable(commands[name])}, written)


def _check_keys(table: Mapping[str, Any], known: set[str], name: str) -> None:
    for key in table:
        if key.replace("_", "-") not in known:
            hint = closest_hint(key, sorted(known))
            raise InputError(f"`{FILE}`: `{name}.{key}` must be the name of an option. Got {key!r}. {hint}")


def _leaves(commands: Mapping[str, Any]) -> Iterator[Any]:
    for command in commands.values():
        inner = getattr(command, "commands", None)
        yield from _leaves(inner) if inner else (command,)


def _tables(content: Mapping[str, Any], path: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """The tables with defaults of a command, with their names: its own first."""
    own: Mapping[str, Any] = content
    for name in path:
        own = own.get(name, {})
    return [(".".join(path), own if path else {}), (COMMON, content.get(COMMON, {}))]


def _from_environment(option: Any, path: Sequence[str]) -> Default | None:
    # An empty variable is none, by the convention of shells.
    for words in ([*path, key_of(option)], [key_of(option)]):
        name = "_".join([PREFIX, *words]).replace("-", "_").upper()
        if value := os.environ.get(name):
            return Default(value=[value] if option.multiple else value, source=name)
    return None


def _from_tables(option: Any, tables: Sequence[tuple[str, Mapping[str, Any]]]) -> Default | None:
    for name, table in tables:
        for key, value in table.items():
            if key.replace("_", "-") == key_of(option):
                return Default(value=_as_text(value, option), source=f"{FILE}: {name}.{key}")
    return None


def _as_text(value: Any, option: Any) -> Any:
    """A value of the file as it would stand on the command line, where nothing but flags is no text."""
    if isinstance(value, bool):
        return [str(value)] if option.multiple else value
    if option.multiple:
        return _listed(value)
    return ",".join(_listed(value)) if isinstance(value, list | Mapping) else str(value)


def _listed(value: Any) -> list[str]:
    """Texts of a list; a table `{swing = "clips/swing"}` stands for `swing=clips/swing`."""
    if isinstance(value, Mapping):
        return [f"{key}={text}" for key, inner in value.items() for text in _listed(inner)]
    return [text for inner in value for text in _listed(inner)] if isinstance(value, list) else [str(value)]


def _check(default: Default, option: Any, context: typer.Context) -> None:
    """Refuse a value that the option does not take: the parser's own message would not say where it came from."""
    try:
        option.process_value(context, default.value)
    except typer.BadParameter as error:
        name, reason = max(option.opts, key=len), error.message.rstrip(".")
        raise InputError(
            f"`{default.source}` must be a value of {name}. Got {excerpt(default.value)}: {reason}. Correct it."
        ) from error
