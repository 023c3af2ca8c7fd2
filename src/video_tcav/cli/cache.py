"""`video-tcav cache`: what is in an activation store, whether it is whole, and making it smaller."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import check_file_writable, write_json

app = typer.Typer(
    name="cache",
    help="Activation stores: what is in one, whether it is whole, and making it smaller.",
    no_args_is_help=True,
)
Store = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the store.")]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@app.command("info", no_args_is_help=True)
def info(store: Store, json: options.JsonFile = None) -> None:
    """Say how large a store is, and what of."""
    if json:
        check_file_writable(json)
    with vt.ActivationStore.open(store, create=False) as opened:
        held = opened.info()
    table = Table(box=None, pad_edge=False, show_header=False)
    last_used = "never"
    if held.last_used_s is not None:
        last_used = datetime.fromtimestamp(held.last_used_s, UTC).isoformat(" ", "seconds")
    for name, value in (
        ("size", decimal(held.bytes)),
        ("blocks", str(held.blocks)),
        ("clips", str(held.clips)),
        ("models", ", ".join(held.models) or "none"),
        ("layers", ", ".join(held.layers) or "none"),
        ("last used", last_used),
    ):
        table.add_row(name, render.escape(value))
    render.out.print(table)
    if json:
        write_json(json, asdict(held))


@app.command("verify", no_args_is_help=True)
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
        end = ": deleted" if repair else ""
        render.out.print(one_line(f"{problem.path}: {problem.reason}{end}"), markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    render.out.print(f"{_blocks(blocks)}, all unchanged.")


@app.command("prune", no_args_is_help=True)
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
        f"{_blocks(pruned.blocks)} ({decimal(pruned.bytes)}) {verb}, "
        f"{_blocks(pruned.blocks_left)} ({decimal(pruned.bytes_left)}) left."
    )


def _parse_time(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if unit not in _SECONDS or not number.replace(".", "", 1).isdecimal():
        raise InputError(f"`--older-than` must be a time. Got {text}. Write, for example, 30d, 12h or 90m.")
    return float(number) * _SECONDS[unit]


def _blocks(count: int) -> str:
    return f"{count} block{'' if count == 1 else 's'}"
