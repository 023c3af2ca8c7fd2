"""Video sources behind `BANK::NAME`: the accepted clips of a concept."""

from pathlib import Path

from video_tcav.concepts.bank.bank import ConceptBank
from video_tcav.concepts.bank.clips import choice_of_concepts, groups_of, main_kind
from video_tcav.concepts.bank.database import FILE_NAME
from video_tcav.concepts.bank.records import KINDS, BankClip, Kind, concept_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import VideoSource


def bank_sources(text: str) -> tuple[VideoSource, ...] | None:
    """The clips behind `BANK::NAME` or `BANK::NAME:KIND`; `None` if the text does not name a bank.

    Raises:
        SourceError: if there is no such concept, or it has no accepted clip of the kind.
        BankError: if the bank cannot be used.
    """
    head, mark, tail = text.rpartition("::")  # from the right: names of concepts hold no colon, paths may
    if _is_bank(text):
        with ConceptBank.open(text) as bank:
            choice = choice_of_concepts([count.name for count in bank.concepts()])
            raise SourceError(f"`{text}` must name a concept of the bank: {text}::NAME. Got none. {choice}")
    if not (mark and head and _is_bank(head)):
        return None
    name, separator, kind = tail.partition(":")
    with ConceptBank.open(head) as bank:
        try:
            clips = _clips(bank, concept_name(name), one_of("kind", kind, KINDS) if separator else None)
        except InputError as error:
            raise SourceError(f"`{text}` must be BANK::NAME or BANK::NAME:KIND. {error}") from error
        groups = groups_of(bank.database)
        return tuple(
            VideoSource(
                path=clip.path,
                kind="still" if clip.kind == "still" else "video",
                label=clip.concept,
                group=groups[clip.id],
            )
            for clip in clips
        )


def _is_bank(path: str) -> bool:
    return (Path(path).expanduser() / FILE_NAME).is_file()


def _clips(bank: ConceptBank, name: str, kind: Kind | None) -> list[BankClip]:
    counts = {count.name: count for count in bank.concepts()}
    if name not in counts:
        raise SourceError(
            f"`{bank.folder}` must have the concept after `::`. Got {name!r}. {choice_of_concepts(list(counts), name)}"
        )
    accepted = bank.clips(concept=name, verdict="accepted", order="added")
    wanted = kind or main_kind(accepted)
    clips = [clip for clip in accepted if clip.kind == wanted]
    if not clips:
        count, qualifier = counts[name], f" {kind}" if kind else ""
        raise SourceError(
            f"`{bank.folder}::{name}` must have accepted{qualifier} clips. Got {len(accepted)} accepted, {count.open} open, "
            f"{count.rejected} rejected. Accept some with: video-tcav studio {bank.folder}"
        )
    return clips
