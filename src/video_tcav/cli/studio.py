"""`video-tcav studio`: review a concept bank in the browser."""

from pathlib import Path
from typing import Annotated

import typer

import video_tcav.studio as studios
from video_tcav.cli.serving import OpenBrowser, require_studio, serve
from video_tcav.words.encoder_spec import encoder_help, load_encoder


def studio(
    bank: Annotated[Path, typer.Argument(metavar="BANK", help="Folder of the concept bank.")],
    runs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Show results of tests beside their concepts: a folder that `video-tcav test --out` wrote, or one that "
            "holds such folders. If not given: the folder `runs` in the bank.",
        ),
    ] = None,
    reviewer: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Who reviews: verdicts and notes are stored under this name, beside those of others."
        ),
    ] = "",
    blind: Annotated[
        bool, typer.Option("--blind", help="Hide verdicts and notes of others until the reviewer ends the blind pass.")
    ] = False,
    videos: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="More videos to cut clips from by hand, files or folders. The sources of the bank's clips are there anyway.",
        ),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help=f"Rank clips by words that the reviewer types, by what embeds clips and texts in one space: {encoder_help()}.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 takes a free one.")] = 0,
    token: Annotated[bool, typer.Option("--token/--no-token", help="Ask for the secret of the link.")] = True,
    open_browser: OpenBrowser = True,
    effect: Annotated[
        float,
        typer.Option(
            min=0.05,
            help="Effect size that a test shall detect: 1 means that the concept shifts the model's response by as much "
            "as single videos usually differ (one standard deviation). Half the size needs four times the videos.",
        ),
    ] = 1.0,
    power: Annotated[
        float, typer.Option(help="Statistical power, the share of tests that shall detect it: 0.8 is 80 of 100.")
    ] = 0.8,
    random_videos: Annotated[
        int | None,
        typer.Option(metavar="COUNT", help="Videos of random clips in the test. If not given: many."),
    ] = None,
    need_clips: Annotated[int, typer.Option(min=3, help="Accepted clips that a concept needs at least.")] = 3,
) -> None:
    """Review a concept bank in the browser: accept, reject, name, cut. Nothing leaves this machine."""
    require_studio("`video-tcav studio`")
    need = studios.Need(effect=effect, power=power, random_videos=random_videos, at_least=need_clips)
    with studios.open_studio(
        bank,
        port=port,
        token="" if token else None,
        need=need,
        runs=runs,
        reviewer=reviewer,
        blind=blind,
        videos=videos or (),
        text_encoder=load_encoder(text_encoder) if text_encoder else None,
    ) as studio_server:
        serve(studio_server, f"Reviewing {bank}", open_browser=open_browser)
