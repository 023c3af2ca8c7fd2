"""Serving a page of the studio until Ctrl+C, for the commands that open one."""

from contextlib import nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

import video_tcav.studio as studios
from video_tcav.cli import render
from video_tcav.core.errors import MissingExtraError

if TYPE_CHECKING:
    from video_tcav.studio import Studio

OpenBrowser = Annotated[bool, typer.Option("--open/--no-open", help="Open the link in the browser.")]


def require_studio(what: str) -> None:
    """Refuse a command where the extra is not installed.

    Raises:
        MissingExtraError: with the line that installs it.
    """
    # found, not imported: that takes a second
    if not (find_spec("fastapi") and find_spec("uvicorn")):
        raise MissingExtraError("studio", what)


def serve(studio: "Studio", purpose: str, *, open_browser: bool) -> None:
    """Print the link, open it, and answer until stopped."""
    render.line(f"{purpose}. Open this link, end with Ctrl+C:\n{studio.link}")
    for problem in studio.problems:
        render.line(problem)
    with studios.browser_opened(studio.link) if open_browser else nullcontext():
        studio.run()
