"""Import, export and merge: clips copied into a bank, out of it, and from another bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from video_tcav.concepts.bank.bank import ConceptBank
from video_tcav.concepts.bank.export import write_export
from video_tcav.concepts.bank.insertion import add_file, imported_origin
from video_tcav.concepts.bank.merge import Merged, merge_databases
from video_tcav.concepts.bank.records import KINDS, VERDICTS, BankClip, Kind, Verdict, concept_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, file_digest, find_videos, probe_video, read_frames
from video_tcav.media.loader import segment_frames

_MOST_BYTES = 2**30  # of decoded pictures: a segment or a folder of frames is encoded in one piece


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        added: clips that are new.
        known: clips that the bank had already.
        skipped: files that could not be used, with the reason.
    """

    added: int
    known: int
    skipped: tuple[MediaError, ...]


def import_clips(
    bank: ConceptBank | str | Path,
    where: str | Path | Sequence[str | Path],
    *,
    concept: str | None = None,
    kind: Kind | None = None,
    verdict: Verdict = "accepted",
    strict: bool = False,
    progress: bool = False,
) -> Imported:
    """Copy clips into a bank; what it has already is left as it is, so that an import can be run again.

    Whole files are copied as they are; segments and folders of frames are encoded as H.264.

    Args:
        bank: to copy to, made if there is none.
        where: whatever `find_videos` takes: files, folders, globs, manifests, annotations.
        concept: of all clips; each clip's label (its folder, or what a manifest says) if not given. `NAME:KIND`, as an
            export writes it, names the kind too.
        kind: of all clips; `still` for images and `moving` for videos if not given.
        verdict: of all new clips.
        strict: whether to stop at the first file that cannot be used.
        progress: whether to show how far it is.

    Raises:
        SourceError: if there is no video.
        InputError: if a label cannot name a concept, or a kind does not fit a file; nothing was changed.
        MediaError: with `strict`, for a file that cannot be used.
        OutputError: if the disk is full or the bank cannot be written to; what was added before is kept.
    """
    one_of("verdict", verdict, VERDICTS)
    paths = [where] if isinstance(where, str | Path) else list(where)
    sources = [source for path in paths for source in find_videos(path)]
    plan = [(source, *_names(source, concept, kind)) for source in sources]  # before a bank is made
    ids, skipped = list[int](), list[MediaError]()
    with (
        ConceptBank.opened(bank, create=True) as opened,
        progress_bar("importing", len(plan), visible=progress) as advance,
    ):
        # Numbers of clips are never used twice: whatever has a larger one is new.
        last = int(opened.database.read("SELECT coalesce(max(id), 0) AS id FROM clips")[0]["id"])
        for source, name, chosen_kind in plan:
            try:
                ids.append(_import(opened, source, name, chosen_kind, verdict).id)
            except MediaError as error:
                if strict:
                    raise
                skipped.append(error)
            advance(1)
    added = len({clip for clip in ids if clip > last})
    return Imported(added=added, known=len(ids) - added, skipped=tuple(skipped))


def _names(source: VideoSource, concept: str | None, kind: Kind | None) -> tuple[str, Kind]:
    """Concept and kind of a source."""
    # `racket:still`, as an export labels clips of another kind than moving
    label, separator, labelled_kind = (source.label or "").rpartition(":")
    if not (separator and labelled_kind in KINDS):
        label, labelled_kind = source.label or "", None
    if not (concept or label):
        raise InputError(f"`concept` must be given for files without a label. Got {source.path}. Give --concept NAME.")
    still = source.kind == "still"
    chosen = kind or labelled_kind or ("still" if still else "moving")
    allowed = ("still",) if still else tuple(name for name in KINDS if name != "still")
    return concept_name(concept or label), one_of(f"kind` of `{source.path}", chosen, allowed)


def _import(bank: ConceptBank, source: VideoSource, name: str, kind: Kind, verdict: Verdict) -> BankClip:
    whole = source.start_s is None and source.end_s is None and source.kind != "frames"
    if whole:
        return add_file(bank.database, source.path, concept=name, kind=kind, verdict=verdict, group=source.group)
    info = probe_video(source.path)
    chosen = np.arange(*segment_frames(source, info))
    if len(chosen) * info.width * info.height * 3 > _MOST_BYTES:  # three bytes a pixel
        raise MediaError(
            source.path, f"{len(chosen)} frames are too many for a clip; cut the part that shows the concept"
        )
    digest, times_s = file_digest(source.path), info.timestamps_s[chosen]
    span_s = (source.start_s or 0.0, source.end_s or float(info.timestamps_s[0] + info.duration_s))
    return bank.add(
        read_frames(source, chosen),
        fps=info.fps,
        concept=name,
        kind=kind,
        verdict=verdict,
        origin=imported_origin(source.path, digest, times_s, span_s, source.group),
        tube=f"{digest}#t={span_s[0]:g},{span_s[1]:g}",
    )


def export_clips(
    bank: ConceptBank,
    folder: str | Path,
    *,
    concepts: Sequence[str] | None = None,
    verdict: Verdict | None = "accepted",
) -> Path:
    """Copy clips to a new folder: one folder a concept, and `manifest.csv` with a row a clip.

    A concept's moving clips (or whatever kind it has) bear its name as label; those of another kind are in a folder of
    their own and have the label `NAME:KIND`, since a test is of one kind.

    Args:
        bank: to take them from.
        folder: to make; it may exist if it is empty.
        concepts: which; all that have a name if not given.
        verdict: which clips; `None` takes all.

    Returns:
        The manifest.

    Raises:
        BankError: if there is no such concept, no clip to export, or a file of the bank is missing; then nothing is left.
        OutputError: if the folder holds something or cannot be written to.
    """
    return write_export(bank.database, Path(folder), concepts=concepts, verdict=verdict)


def merge_banks(bank: ConceptBank, other: ConceptBank) -> Merged:
    """Take over the clips and decisions of another bank, which is not changed; can be run again.

    Two clips are the same if file, kind and concept are, or if they are the same proposal that somebody has moved since. A
    decision (accepted, rejected, a concept) wins over none; where both banks decided, this one's stands and the conflict is
    reported. Decisions on clips that were here are one step of undo; new clips stay.

    Raises:
        BankError: for the bank itself.
        OutputError: if the disk is full or the bank cannot be written to; what was added before is kept.
    """
    return merge_databases(bank.database, other.database)
