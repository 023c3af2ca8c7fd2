"""A concept and where its clips are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.concepts.bank import bank_sources
from video_tcav.core.errors import SourceError
from video_tcav.core.escaping import well_formed
from video_tcav.media import VideoSource, find_videos
from video_tcav.media.sources import left_out_note, numbered_stills_note

Sources = str | Path | VideoSource | Sequence["str | Path | VideoSource"]


@dataclass(frozen=True, kw_only=True)
class Concept:
    """A named set of clips.

    Attributes:
        name: what a person calls it.
        sources: where its clips are.
    """

    name: str
    sources: tuple[VideoSource, ...]

    @classmethod
    def read(cls, name: str, where: Sources) -> "Concept":
        """Find the clips of a concept.

        Raises:
            SourceError: if there is none; the message names the concept.
        """
        try:
            return cls(name=well_formed(name), sources=as_sources(where))
        except SourceError as error:
            raise SourceError(f"concept {name}: {error}") from error


def as_sources(where: Sources) -> tuple[VideoSource, ...]:
    """All sources behind a path (file, folder, glob, manifest), a source, or several of these; each one once.

    `BANK::NAME` and `BANK::NAME:KIND` are the accepted clips of a concept in a bank.
    """
    if isinstance(where, VideoSource):
        return (where,)
    if isinstance(where, str | Path):
        banked = bank_sources(str(where))
        return _each_once(find_videos(where)) if banked is None else banked
    sources = _each_once(source for part in where for source in as_sources(part))
    if not sources:
        raise SourceError(
            "`clips` must hold a video at least. Got an empty list. Give a file, folder, glob or manifest."
        )
    return sources


def _each_once(sources: Iterable[VideoSource]) -> tuple[VideoSource, ...]:
    """Sources without those that came before: a manifest may name a clip once for each of its labels."""
    return tuple({source.key: source for source in sources}.values())


def left_out_notes(where: Sources | None) -> tuple[str, ...]:
    """Lines for each folder and glob of which files are left out, or numbered pictures are read as stills."""
    if where is None or isinstance(where, VideoSource):
        return ()
    if isinstance(where, str | Path):
        notes = (left_out_note(where), numbered_stills_note(where)) if bank_sources(str(where)) is None else ()
        return tuple(note for note in notes if note is not None)
    return tuple(dict.fromkeys(note for part in where for note in left_out_notes(part)))
