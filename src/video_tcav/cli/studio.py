"""`video-tcav studio`: review a concept bank in the browser."""

import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import video_tcav.studio as studios
from video_tcav.cli import render
from video_tcav.core.errors import MissingExtraError


def studio(
    bank: Annotated[Path, typer.Argument(metavar="BANK", help="Folder of the concept bank.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 takes a free one.")] = 0,
    token: Annotated[bool, typer.Option("--token/--no-token", help="Ask for the secret of the link.")] = True,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the link in the browser.")] = True,
    need_clips: Annotated[int, typer.Option(min=1, help="Accepted clips that a concept needs for a test.")] = 20,
    need_videos: Annotated[int, typer.Option(min=1, help="Different source videos among them.")] = 10,
) -> None:
    """Review a concept bank in the browser: accept, reject, move, name. Nothing leaves this machine."""
    if not (find_spec("fastapi") and find_spec("uvicorn")):
        raise MissingExtraError("studio", "`video-tcav studio`")
    need = studios.Need(clips=need_clips, videos=need_videos)
    with studios.open_studio(bank, port=port, token="" if token else None, need=need) as found:
        render.out.print(
            f"Reviewing {bank}. Open this link, end with Ctrl+C:\n{found.link}", markup=False, soft_wrap=True
        )
        if open_browser:
            webbrowser.open(found.link)
        found.run()
