"""Verbosity: the options `-q` and `-v`, and the log lines that they let onto standard error."""

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from video_tcav.core.escaping import one_line
from video_tcav.core.logs import LOGGER, RESULT_WARNINGS
from video_tcav.core.terminal import console


class _TerminalHandler(logging.Handler):
    """Prints log lines on standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._console = console(error=True, soft_wrap=True)
        # they are printed with the results, whatever the level
        self.addFilter(lambda record: record.name != RESULT_WARNINGS.name)

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        self._console.print(one_line(f"{record.levelname.lower()}: {record.getMessage()}"), style=style, markup=False)


@contextmanager
def logs_on_terminal() -> Iterator[None]:
    """Print log lines, at first warnings alone, while the block runs; the logger is then as it was."""
    handler, level = _TerminalHandler(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


def _set_quiet(quiet: bool) -> bool:
    if quiet:
        LOGGER.setLevel(logging.ERROR)
    return quiet


def _set_verbose(verbose: bool) -> bool:
    if verbose:
        LOGGER.setLevel(logging.INFO)
    return verbose


# Eager, so that they hold while the other options are read; the commands themselves need not know them.
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        is_eager=True,
        callback=_set_quiet,
        help="No progress, only results, warnings of theirs, and errors.",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", is_eager=True, callback=_set_verbose, help="Say which files, defaults and devices are used."
    ),
]


def with_verbosity(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that also takes `-q` and `-v`."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def replaced(*, quiet: bool, verbose: bool, **values: Any) -> Any:
        return command(**values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [each.replace(kind=keyword) for each in signature.parameters.values()]
    for name, annotation in (("quiet", Quiet), ("verbose", Verbose)):
        parameters.append(inspect.Parameter(name, keyword, default=False, annotation=annotation))
    # Typer reads options from signature and annotations.
    replaced.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
    replaced.__annotations__ = {each.name: each.annotation for each in parameters}
    return replaced
