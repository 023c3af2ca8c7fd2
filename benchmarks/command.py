"""A benchmark as a command: options from its signature, one line and exit code 2 for bad input."""

from collections.abc import Callable

import typer

from video_tcav.cli.app import ending

KEPT = {True: "kept", False: "[bold red]not kept[/]", None: "–"}


def run(function: Callable[..., None]) -> None:
    """Run it with the arguments of this process."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    ending(app)
