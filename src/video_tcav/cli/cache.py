"""`video-tcav cache`: what is in an activation store, whether it is whole, and making it smaller."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.cli.command import command
from video_tcav.core.cache_folder import cache_folder
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import write_json

app = typer.Typer(
    name="cache",
    help="Activation stores: what is in one, whether it is whole, and making it smaller.",
    no_args_is_help=True,
)
Store = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        default_factory=cache_folder,
        show_default=False,
        help="Folder of the store; the default one if not given.",
    ),
]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@command(app, "info", no_args_is_help=False)
def info(store: Store, json: options.JsonFile = None) -> None:
    """Say how large a store is, and what of."""
    with vt.ActivationStore.open(store, create=False) as opened:
        content = opened.info()
    table = render.table(show_header=False)
    last_used = "never"
    if content.last_used_s is not None:
        last_used = datetime.fromtimestamp(content.last_used_s, UTC).isoformat(" ", "seconds")
    for name, value in (
        ("folder", str(store)),
        ("size", decimal(content.bytes)),
        ("blocks", str(content.blocks)),
        ("clips", str(content.clips)),
        ("models", ", ".join(content.models) or "none"),
        ("layers", ", ".join(content.layers) or "none"),
        ("last used", last_used),
    ):
        table.add_row(name, render.escape(value))
    render.out.print(table)
    if json:
        write_json(json, asdict(content))


@command(app, "verify", no_args_is_help=False)
def verify(
    store: Store,
    repair: Annotated[
        bool, typer.Option("--repair", help="Delete what is damaged; it is computed again when it is needed.")
    ] = False,
) -> None:
    """Read every block of a store and say what is damaged; exit code 1 if something is."""
    with vt.ActivationStore.open(store, create=False) as opened:
        problems = opened.verify(repair=repair, progress=True)
        blocks = opened.info().blocks
    for problem in problems:
        render.line(one_line(f"{problem.path}: {problem.reason}{': deleted' if repair else ''}"))
    if problems:
        raise typer.Exit(1)
    render.out.print(f"{render.counted(blocks, 'block')}, all unchanged.")


@command(app, "prune")
def prune(
    store: Store,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="What may stay, such as 10GB; the least recently used goes first."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="Delete what was not used for so long, such as 30d or 12h.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all blocks.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
) -> None:
    """Delete blocks of a store; results do not change, what is needed again is computed again."""
    if everything == (max_size is not None or older_than is not None):
        options_given = "both" if everything else "none"
        raise InputError(
            f"`--all` must be given, or --max-size or --older-than. Got {options_given}. Say what to delete."
        )
    older_than_s = None if older_than is None else _parse_time(older_than)
    with vt.ActivationStore.open(store, create=False) as opened:
        pruned = opened.prune(max_size=max_size, older_than_s=older_than_s, dry_run=dry_run)
    verb = "would be deleted" if dry_run else "deleted"
    render.out.print(
        f"{render.counted(pruned.blocks, 'block')} ({decimal(pruned.bytes)}) {verb}, "
        f"{render.counted(pruned.blocks_left, 'block')} ({decimal(pruned.bytes_left)}) left."
    )


def _parse_time(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    # Digits and one point: `float` would also read signs, exponents, inf and nan.
    if unit not in _SECONDS or not number.replace(".", "", 1).isdecimal():
        raise InputError(f"`--older-than` must be a time. Got {text}. Write, for example, 30d, 12h or 90m.")
    return float(number) * _SECONDS[unit]
