"""`video-tcav bank`: list, import, export, merge and check concept banks."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

import video_tcav.concepts.bank as banks
from video_tcav.cli import options, render
from video_tcav.cli.command import command
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import write_json

app = typer.Typer(
    name="bank",
    help="Concept banks: list, import, export, merge, check.",
    no_args_is_help=True,
)
Bank = Annotated[Path, typer.Argument(metavar="BANK", help="Folder of the bank.")]
_MOST_CONFLICTS = 10  # lines for each bank; the studio shows the clips


@command(app, "list")
def list_concepts(bank: Bank, json: options.JsonFile = None) -> None:
    """List the concepts of a bank, with how many clips are judged."""
    with banks.ConceptBank.open(bank) as opened:
        concepts = opened.concepts()
        loose = opened.count(concept="")
    table = render.table("concept", numbers=("open", "accepted", "rejected", "videos"))
    for count in concepts:
        numbers = (count.open, count.accepted, count.rejected, count.videos)
        table.add_row(render.escape(count.name), *map(str, numbers))
    render.out.print(table if concepts else "No concept yet.")
    if loose:
        render.out.print(f"{render.counted(loose, 'clip')} in no concept.", markup=False)
    render.out.print("videos: source videos of the accepted clips, which a test counts as independent.", style="dim")
    if json:
        write_json(json, [asdict(count) for count in concepts])


@command(app, "export")
def export(
    bank: Bank,
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder: a folder a concept, and manifest.csv.")],
    concept: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Concepts; all if not given.")] = None,
    verdict: Annotated[Literal["accepted", "open", "rejected", "all"], typer.Option(help="Which clips.")] = "accepted",
) -> None:
    """Copy clips out of a bank, for tests and other tools."""
    with banks.ConceptBank.open(bank) as opened:
        manifest = banks.export_clips(opened, out, concepts=concept, verdict=None if verdict == "all" else verdict)
    render.line(f"Clips and where they come from: {manifest}")
    render.line(f"Use them with --concept NAME={manifest}::NAME")


@command(app, "import")
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
        banks.Kind | None, typer.Option(help="Of all clips; still for images, moving for videos if not given.")
    ] = None,
    verdict: Annotated[banks.Verdict, typer.Option(help="Of all new clips.")] = "accepted",
    strict: options.Strict = False,
) -> None:
    """Copy clips into a bank, which is made if there is none; what it has already stays as it is."""
    imported = banks.import_clips(
        bank, paths, concept=concept, kind=kind, verdict=verdict, strict=strict, progress=True
    )
    existing = f", {imported.known} known already" if imported.known else ""
    render.line(f"{render.counted(imported.added, 'new clip')}{existing}: {bank}")
    render.skipped(imported.skipped)


@command(app, "merge")
def merge(
    bank: Bank,
    sources: Annotated[list[Path], typer.Argument(metavar="OTHER...", help="Banks to take clips and decisions from.")],
) -> None:
    """Take over clips and decisions of other banks; where two people decided differently, BANK's stands."""
    # Resolved: one folder under two names would be merged into itself.
    if len({path.resolve() for path in (bank, *sources)}) <= len(sources):
        raise InputError(f"`OTHER` must be other banks than {bank}, each once. Got one twice. Leave it out.")
    with banks.ConceptBank.open(bank) as opened:
        for path in sources:
            with banks.ConceptBank.open(path) as source:
                merged = banks.merge_banks(opened, source)
            counts = (
                f"{render.counted(merged.added, 'new clip')}, {render.counted(merged.decided, 'decision')} taken over"
            )
            render.line(f"{path}: {counts}, {render.counted(len(merged.conflicts), 'conflict')}")
            for words in merged.conflicts[:_MOST_CONFLICTS]:
                render.line(f"  {one_line(words)}")
            if len(merged.conflicts) > _MOST_CONFLICTS:
                render.line(f"  and {len(merged.conflicts) - _MOST_CONFLICTS} more")
            for words in merged.broken:
                render.line(f"! not taken: {words}", style="yellow")


@command(app, "check")
def check(
    bank: Bank,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove files that no clip has, such as a killed process leaves.")
    ] = False,
) -> None:
    """Read the whole bank and list what is wrong; exit code 1 if something is."""
    with banks.ConceptBank.open(bank) as opened:
        for path in opened.repair() if repair else ():
            render.line(one_line(f"{path}: removed"))
        problems, clips = opened.check(), opened.count()
    for words in problems:
        render.line(one_line(words))
    if problems:
        render.out.print(f"{render.counted(len(problems), 'problem')} in {render.counted(clips, 'clip')}.")
        raise typer.Exit(1)
    render.out.print(f"{render.counted(clips, 'clip')}, all files there and unchanged.")
