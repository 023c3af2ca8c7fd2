"""The command line: its commands, and how it ends."""

import sys
from typing import Annotated

import typer
from rich.console import Console

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
from video_tcav.core.errors import VideoTcavError

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


def main() -> None:
    """Run the command; what the user can mend ends with one line on standard error and exit code 2."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app()
    except VideoTcavError as error:
        errors.print("[bold red]error:[/]", end=" ")
        errors.print(" ".join(str(error).split()), markup=False)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("stopped. Files that were finished are kept; no file is half written.")
        sys.exit(130)
