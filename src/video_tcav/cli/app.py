"""The command line: its commands, and how it ends."""

import errno
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from video_tcav._version import __version__
from video_tcav.cli import (
    bank,
    benchmark,
    cache,
    demo,
    diff,
    explain,
    layers,
    predict,
    propose,
    report,
    run,
    score,
    studio,
    test,
)
from video_tcav.cli.signals import Stopped, raising_signals
from video_tcav.core.errors import OutputError, VideoTcavError
from video_tcav.core.files import cure_of, reason_of
from video_tcav.core.memory import memory_error_line
from video_tcav.core.scratch import remove_abandoned_folders, remove_empty_compiler_caches
from video_tcav.core.terminal import console, make_streams_lenient

_OF_THE_DISK = frozenset(
    getattr(errno, name)
    for name in [
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "EIO",
        "EACCES",
        "EPERM",
        "EMFILE",
        "ENFILE",
        "EFBIG",
        "ENAMETOOLONG",
        "ESTALE",
        "ENXIO",
    ]
    if hasattr(errno, name)  # Windows lacks some
)

app = typer.Typer(
    name="video-tcav",
    help="Ask a video action recognition model why, and get an answer that can be tested.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(no_args_is_help=True)(predict.predict)
app.command(no_args_is_help=True)(layers.layers)
app.command("test", no_args_is_help=True)(test.run)
app.command(no_args_is_help=True)(run.run)
app.command(no_args_is_help=True)(diff.diff)
app.command(no_args_is_help=True)(score.score)
app.command(no_args_is_help=True)(explain.explain)
app.command(no_args_is_help=True)(propose.propose)
app.command(no_args_is_help=True)(report.report)
app.command(no_args_is_help=True)(studio.studio)
app.command()(demo.demo)
app.add_typer(bank.app)
app.add_typer(cache.app)
app.add_typer(benchmark.app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"video-tcav {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Ask a video action recognition model why, and get an answer that can be tested."""
    remove_abandoned_folders()


def main() -> None:
    """Run the command."""
    ending(app)


def ending(application: typer.Typer) -> None:
    """Run a command line; what the user can fix ends with one line on standard error and exit code 2."""
    make_streams_lenient()
    errors = console(error=True, soft_wrap=True)
    with raising_signals() as signals:
        try:
            _run(application)
        except BrokenPipeError:
            _give_up_output()
            sys.exit(1)
        except Stopped as stopped:
            errors.print(str(stopped))
            sys.exit(stopped.exit_code)
        except Exception as error:
            if signals.stopped is not None:  # what broke while it was cleaned up; the signal came to workers, too
                errors.print(str(signals.stopped))
                sys.exit(signals.stopped.exit_code)
            line = _line(error)
            if line is None:
                raise
            errors.print("[bold red]error:[/]", end=" ")
            errors.print(line, markup=False)
            sys.exit(2)
        finally:
            remove_empty_compiler_caches()


def _run(application: typer.Typer) -> None:
    try:
        application()
    finally:
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            _give_up_output()
            raise OutputError(
                f"`standard output` must be writable. Got: {reason_of(error)}. {cure_of(error)}"
            ) from error


def _give_up_output() -> None:
    """Have the interpreter flush what nobody takes to nowhere, or it would end with an error of its own."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(error: Exception) -> str | None:
    """What to do about an error, on one line; `None` for one that is a fault of the program."""
    line = str(error) if isinstance(error, VideoTcavError) else memory_error_line(error)
    if line is None and isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        place = error.filename or "standard output or a file"
        line = f"`{place}` must be readable and writable. Got: {reason_of(error)}. {cure_of(error)}"
    return None if line is None else " ".join(line.split())
