"""`video-tcav bank`: what is in a concept bank, clips in and out, two banks into one, and whether it is whole."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

import video_tcav.concepts.bank as banks
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import check_file_writable, write_json

app = typer.Typer(
    name="bank",
    help="Concept banks: what is in one, clips in and out, two into one, and whether it is whole.",
    no_args_is_help=True,
)
Bank = Annotated[Path, typer.Argument(metavar="BANK", help="Folder of the bank.")]
VerdictName = Literal["open", "accepted", "rejected"]
KindName = Literal["moving", "still", "focus", "scene"]
_SHOWN_CONFLICTS = 10


@app.command("list", no_args_is_help=True)
def list_concepts(bank: Bank, json: options.JsonFile = None) -> None:
    """List the concepts of a bank, with how many clips are judged."""
    if json:
        check_file_writable(json)
    with banks.ConceptBank.open(bank) as opened:
        concepts = opened.concepts()
        loose = opened.count(concept="")
    table = Table("concept", box=None, pad_edge=False)
    for column in ("open", "accepted", "rejected", "videos"):
        table.add_column(column, justify="right")
    for one in concepts:
        table.add_row(render.escape(one.name), str(one.open), str(one.accepted), str(one.rejected), str(one.videos))
    render.out.print(table if concepts else "No concept yet.")
    if loose:
        render.out.print(f"{_number(loose, 'clip')} in no concept.", markup=False)
    render.out.print("videos: source videos of the accepted clips, which a test counts as independent.", style="dim")
    if json:
        write_json(json, [asdict(one) for one in concepts])


@app.command("export", no_args_is_help=True)
def export(
    bank: Bank,
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder: a folder a concept, and manifest.csv.")],
    concept: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A concept; may be given several times; all if not given.")
    ] = None,
    verdict: Annotated[Literal["accepted", "open", "rejected", "all"], typer.Option(help="Which clips.")] = "accepted",
) -> None:
    """Copy clips out of a bank, for tests and other tools."""
    with banks.ConceptBank.open(bank) as opened:
        manifest = banks.export_clips(opened, out, concepts=concept, verdict=None if verdict == "all" else verdict)
    render.out.print(f"Clips and where they come from: {manifest}", markup=False, soft_wrap=True)
    render.out.print(f"Use them with --concept NAME={manifest}::NAME", markup=False, soft_wrap=True)


@app.command("import", no_args_is_help=True)
def import_(
    bank: Bank,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Folders of clips (a folder a concept), files, globs or manifests."),
    ],
    concept: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of all clips; the name of each one's folder if not given.")
    ] = None,
    kind: Annotated[
        KindName | None, typer.Option(help="Of all clips; still for images, moving for videos if not given.")
    ] = None,
    verdict: Annotated[VerdictName, typer.Option(help="Of all new clips.")] = "accepted",
    strict: options.Strict = False,
) -> None:
    """Copy clips into a bank, which is made if there is none; what it has already stays as it is."""
    plan = banks.plan_import(
        paths, concept=concept, kind=kind
    )  # before the bank is made: a wrong path leaves none behind
    with banks.ConceptBank.open(bank, create=True) as opened:
        found = banks.run_import(opened, plan, verdict=verdict, strict=strict, progress=True)
    known = f", {found.known} known already" if found.known else ""
    render.out.print(f"{_number(found.added, 'new clip')}{known}: {bank}", markup=False, soft_wrap=True)
    render.skipped(found.skipped)


@app.command("merge", no_args_is_help=True)
def merge(
    bank: Bank,
    others: Annotated[list[Path], typer.Argument(metavar="OTHER...", help="Banks to take clips and decisions from.")],
) -> None:
    """Take over clips and decisions of other banks; where two people decided differently, BANK's stands."""
    if len({path.resolve() for path in (bank, *others)}) <= len(others):
        raise InputError(f"`OTHER` must be other banks than {bank}, each once. Got one twice. Leave it out.")
    with banks.ConceptBank.open(bank) as opened:
        for path in others:
            with banks.ConceptBank.open(path) as other:
                found = banks.merge_banks(opened, other)
            counts = f"{_number(found.added, 'new clip')}, {_number(found.decided, 'decision')} taken over"
            render.out.print(
                f"{path}: {counts}, {_number(len(found.conflicts), 'conflict')}", markup=False, soft_wrap=True
            )
            for words in found.conflicts[:_SHOWN_CONFLICTS]:
                render.out.print(f"  {one_line(words)}", markup=False, soft_wrap=True)
            if len(found.conflicts) > _SHOWN_CONFLICTS:
                render.out.print(f"  and {len(found.conflicts) - _SHOWN_CONFLICTS} more")
            for words in found.broken:
                render.out.print(f"! not taken: {words}", style="yellow", markup=False, soft_wrap=True)


@app.command("check", no_args_is_help=True)
def check(
    bank: Bank,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove files that no clip has, such as a killed process leaves.")
    ] = False,
) -> None:
    """Read the whole bank and say what is wrong; exit code 1 if something is."""
    with banks.ConceptBank.open(bank) as opened:
        for path in opened.repair() if repair else ():
            render.out.print(one_line(f"{path}: removed"), markup=False, soft_wrap=True)
        problems, clips = opened.check(), opened.count()
    for words in problems:
        render.out.print(one_line(words), markup=False, soft_wrap=True)
    if problems:
        render.out.print(f"{_number(len(problems), 'problem')} in {_number(clips, 'clip')}.")
        raise typer.Exit(1)
    render.out.print(f"{_number(clips, 'clip')}, all files there and unchanged.")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
