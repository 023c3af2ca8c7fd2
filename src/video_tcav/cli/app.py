"""The command line: registration of the commands, exit codes, and one-line errors."""

import errno
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from video_tcav._version import __version__
from video_tcav.cli import (
    audit,
    bank,
    benchmark,
    cache,
    demo,
    diff,
    discover,
    erase,
    explain,
    init,
    layers,
    pairs,
    predict,
    propose,
    report,
    run,
    score,
    studio,
    test,
    words,
)
from video_tcav.cli.command import command
from video_tcav.cli.signals import Stopped, raising_signals
from video_tcav.cli.verbosity import Quiet, Verbose, logs_on_terminal
from video_tcav.core.errors import OutputError, VideoTcavError
from video_tcav.core.files import cure_of, reason_of
from video_tcav.core.memory import memory_error_line
from video_tcav.core.scratch import remove_abandoned_folders, remove_empty_compiler_caches
from video_tcav.core.terminal import console, make_streams_lenient

# Errors that a user can fix, by names as Windows lacks some; any other OSError is a fault of the program.
_DISK_ERRORS = ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES", "EPERM", "ESTALE", "ENXIO")
_LIMIT_ERRORS = ("EMFILE", "ENFILE", "EFBIG", "ENAMETOOLONG")
_FILE_SYSTEM_ERRORS = frozenset(getattr(errno, name, None) for name in (*_DISK_ERRORS, *_LIMIT_ERRORS)) - {None}

app = typer.Typer(
    name="video-tcav",
    help="Ask a video action recognition model why, and get an answer that can be tested.",
    epilog="Options have defaults in variables such as VIDEO_TCAV_MODEL and in the file video-tcav.toml of the working folder.",
    no_args_is_help=True,
    # Typer's tracebacks print local variables, whole tensors among them.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
command(app, no_args_is_help=False)(init.init)
command(app)(predict.predict)
command(app)(layers.layers)
command(app, "test")(test.run)
command(app)(words.words)
command(app)(run.run)
command(app)(pairs.pairs)
command(app)(diff.diff)
command(app)(score.score)
command(app)(explain.explain)
command(app)(audit.audit)
command(app)(erase.erase)
command(app)(discover.discover)
command(app)(propose.propose)
command(app)(report.report)
command(app)(studio.studio)
command(app, no_args_is_help=False)(demo.demo)
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
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Ask a video action recognition model why, and get an answer that can be tested."""
    remove_abandoned_folders()  # of killed commands


def main() -> None:
    """Run `video-tcav` with the arguments of this process."""
    ending(app)


def ending(application: typer.Typer) -> None:
    """Run a command line; an error that the user can fix ends with one line on standard error and exit code 2."""
    make_streams_lenient()
    errors = console(error=True, soft_wrap=True)
    with logs_on_terminal(), raising_signals() as signals:
        try:
            _run(application)
        except BrokenPipeError:
            _give_up_output()
            sys.exit(1)
        except (Exception, Stopped) as error:
            # after a signal, an error is one of the clean-up, or of workers that got the signal, too
            stopped = error if isinstance(error, Stopped) else signals.stopped
            if stopped is not None:
                errors.print(str(stopped))
                sys.exit(stopped.exit_code)
            line = _line(error)
            if line is None:
                raise
            # Two calls: markup in the prefix alone, as paths in the message may hold brackets.
            errors.print("[bold red]error:[/]", end=" ")
            errors.print(line, markup=False)
            sys.exit(2)
        finally:
            remove_empty_compiler_caches()


def _run(application: typer.Typer) -> None:
    try:
        application()
    finally:
        # Output to a full disk or a closed pipe may only fail when the buffer is flushed.
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
    """Redirect standard output to the null device: the interpreter flushes it at exit, and would fail once more."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(error: BaseException) -> str | None:
    """Message of an error that the user can fix, on one line; `None` for a fault of the program."""
    line = str(error) if isinstance(error, VideoTcavError) else memory_error_line(error)
    if line is None and isinstance(error, OSError) and error.errno in _FILE_SYSTEM_ERRORS:
        name = error.filename or "standard output or a file"
        line = f"`{name}` must be readable and writable. Got: {reason_of(error)}. {cure_of(error)}"
    return None if line is None else " ".join(line.split())
