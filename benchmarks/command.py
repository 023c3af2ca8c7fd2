"""Run a benchmark as a command: options from its signature; bad input ends with one line and exit code 2."""

from collections.abc import Callable

import typer

from video_tcav.cli.app import ending

KEPT = {True: "kept", False: "[bold red]not kept[/]", None: "–"}


def run(function: Callable[..., None]) -> None:
    """Run a function with the command-line arguments of this process."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    ending(app)
