"""`video-tcav bank`: list, import, export, merge and check concept banks, rename and split concepts, compare reviewers."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

import video_tcav.concepts.bank as banks
import video_tcav.proposals as proposals
from video_tcav.cli import options, render
from video_tcav.cli.command import command
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import write_json
from video_tcav.proposals.annotation_files.annotation import ANNOTATION_FORMATS

app = typer.Typer(
    name="bank",
    help="Concept banks: list, import, export, merge, rename, split, agreement, check.",
    no_args_is_help=True,
)
Bank = Annotated[Path, typer.Argument(metavar="BANK", help="Folder of the bank.")]
_CLIPS = "clips"  # the format of the bank's own: files, and a manifest
Format = Annotated[
    str,
    typer.Option(
        metavar="|".join([_CLIPS, *ANNOTATION_FORMATS.names()]),
        help="Clips as files, or annotations of their source videos: CVAT for video 1.1, COCO with videos (TAO), ActivityNet.",
    ),
]
_MOST_CONFLICTS = 10  # lines for each bank; the studio shows the clips


@command(app, "list")
def list_concepts(bank: Bank, json: options.JsonFile = None) -> None:
    """List the concepts of a bank, with how many clips are judged."""
    with banks.ConceptBank.open(bank) as opened:
        concepts = opened.concepts()
        loose = opened.count(concept="")
    table = render.table("concept", numbers=("key", "open", "accepted", "rejected", "videos"))
    for count in concepts:
        numbers = (count.number, count.open, count.accepted, count.rejected, count.videos)
        table.add_row(render.escape(count.name), *map(str, numbers))
    render.out.print(table if concepts else "No concept yet.")
    if loose:
        render.out.print(f"{render.counted(loose, 'clip')} in no concept.", markup=False)
    render.out.print("key: of the concept in the studio.", style="dim")
    render.out.print("videos: source videos of the accepted clips, which a test counts as independent.", style="dim")
    if json:
        write_json(json, [asdict(count) for count in concepts])


@command(app, "export")
def export(
    bank: Bank,
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder.")],
    format: Format = _CLIPS,
    concept: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Concepts; all if not given.")] = None,
    verdict: Annotated[Literal["accepted", "open", "rejected", "all"], typer.Option(help="Which clips.")] = "accepted",
) -> None:
    """Copy clips out of a bank, a folder a concept with manifest.csv; or write annotations of their source videos."""
    one_of("format", format, (_CLIPS, *ANNOTATION_FORMATS.names()))
    chosen = None if verdict == "all" else verdict
    with banks.ConceptBank.open(bank) as opened:
        if format != _CLIPS:
            folder = proposals.export_annotations(opened, out, format=format, concepts=concept, verdict=chosen)
            files = sorted(path.name for path in folder.iterdir())
            render.line(f"{render.counted(len(files), 'file')} of format {format}: {folder}")
            return
        manifest = banks.export_clips(opened, out, concepts=concept, verdict=chosen)
    render.line(f"Clips and where they come from: {manifest}")
    render.line(f"Use them with --concept NAME={manifest}::NAME")


@command(app, "import")
def import_(
    bank: Bank,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Folders of clips (a folder a concept), files, globs or manifests; annotation files with --format.",
        ),
    ],
    format: Format = _CLIPS,
    videos: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="With annotations: folder with their videos. If not given: that of the annotation file."
        ),
    ] = None,
    piece_s: Annotated[
        float, typer.Option("--piece-s", metavar="S", help="With annotations: longer ones become several clips.")
    ] = 30.0,
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
    one_of("format", format, (_CLIPS, *ANNOTATION_FORMATS.names()))
    if format == _CLIPS:
        _refuse("--videos", videos, "a --format of annotations")
        imported = [
            banks.import_clips(bank, paths, concept=concept, kind=kind, verdict=verdict, strict=strict, progress=True)
        ]
    else:
        _refuse("--concept", concept, f"--format {_CLIPS}")
        _refuse("--kind", kind, f"--format {_CLIPS}")
        imported = [
            proposals.import_annotations(
                bank, path, format=format, videos=videos, verdict=verdict, piece_s=piece_s, strict=strict, progress=True
            )
            for path in paths
        ]
    known = sum(result.known for result in imported)
    existing = f", {known} known already" if known else ""
    render.line(f"{render.counted(sum(result.added for result in imported), 'new clip')}{existing}: {bank}")
    render.skipped([skipped for result in imported for skipped in result.skipped])


def _refuse(option: str, value: object, partner: str) -> None:
    if value is not None:
        raise InputError(f"`{option}` must go with {partner}. Got it without. Leave it out.")


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


@command(app, "rename")
def rename(
    bank: Bank,
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="Its name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name, or a concept to merge it into.")],
) -> None:
    """Give a concept another name, or merge it into the concept of that name; the studio can undo it."""
    with banks.ConceptBank.open(bank) as opened:
        before = len(opened.concepts())
        opened.rename_concept(concept, new)
        merged = len(opened.concepts()) < before
    render.line(f"{concept} is {'merged into' if merged else 'renamed to'} {new}: {bank}")


@command(app, "split")
def split(
    bank: Bank,
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="That shows two things.")],
    new: Annotated[
        str, typer.Option(metavar="NAME", help="Of the new concept; the old name with a number if not given.")
    ] = "",
) -> None:
    """Move the clips of a concept that are unlike the others into a new one; the studio can undo it."""
    with banks.ConceptBank.open(bank) as opened:
        halves = proposals.split_concept(opened, concept, new=new)
    render.line(f"{render.counted(halves.tubes, 'clip')} moved to {halves.concept}, {halves.left} left: {bank}")


@command(app, "agreement")
def agreement(bank: Bank, json: options.JsonFile = None) -> None:
    """Say how far reviewers agree: Cohen's kappa of each two, and the clips that they judged differently."""
    with banks.ConceptBank.open(bank) as opened:
        pairs = banks.agreements(opened)
        tiles = {clip.id: clip for clip in opened.clips(ids=[id for pair in pairs for id in pair.disputed])}
    if not pairs:
        render.out.print("No two reviewers have judged a clip in common.")
    for pair in pairs:
        kappa = "kappa is not defined" if pair.kappa is None else f"Cohen's kappa {pair.kappa:.2f}"
        names = " and ".join(name or "nobody named" for name in (pair.first, pair.second))
        render.line(f"{names}: {pair.agreed} of {render.counted(pair.clips, 'clip')} alike, {kappa}")
        for id in pair.disputed:
            settled = f", settled as {tiles[id].verdict}" if tiles[id].settled_by is not None else ""
            render.line(one_line(f"  clip {id} ({tiles[id].concept or 'no concept'}){settled}"))
    if json:
        write_json(json, [asdict(pair) for pair in pairs])


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
