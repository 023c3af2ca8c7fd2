"""A concept: a name, and the clips that show it; clips from paths, clips in memory, or both."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, repeat
from pathlib import Path
from typing import TypeAlias

from video_tcav.concepts.bank import bank_sources
from video_tcav.core.errors import SourceError
from video_tcav.core.escaping import well_formed
from video_tcav.media import VideoSource, find_videos
from video_tcav.media.dataset_rows import dataset_sources, is_dataset, refuse_mapping
from video_tcav.media.memory_clips import ClipArray, check_names, memory_sources
from video_tcav.media.sources import left_out_note, numbered_stills_note

Sources: TypeAlias = str | Path | VideoSource | ClipArray | tuple[str, ClipArray] | Iterable["Sources"]
"""Clips: a path, a clip or a batch in memory, a `(name, clip)` pair, or any iterable of these."""


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
    def read(cls, name: str, clips: Sources) -> "Concept":
        """Find the clips of a concept; those in memory without a name are called `NAME clip 0`, `NAME clip 1`, ….

        Raises:
            SourceError: if there is none; the message names the concept.
        """
        name = well_formed(name)
        try:
            return cls(name=name, sources=as_sources(clips, clip_name=f"{name} clip"))
        except SourceError as error:
            raise SourceError(f"concept {name}: {error}") from error


def as_sources(clips: Sources, *, clip_name: str = "clip") -> tuple[VideoSource, ...]:
    """All sources behind a path, a clip in memory, or an iterable of these, which is gone through once; each one once.

    Args:
        clips: a path (file, folder, glob, manifest; `BANK::NAME` and `BANK::NAME:KIND` are the accepted clips of a concept in
            a bank), a source, or a tensor or array: one clip `(time, 3, height, width)` or `(time, height, width, 3)`, or a
            batch of them with one more dimension in front, as `uint8`, or as floats in [0, 1]. Also a tuple `(name, clip)`,
            and any iterable of all these, such as a list, a generator, or a `DataLoader` of clips; and a `datasets.Dataset` with
            a column of videos, whose rows may have the columns of a manifest.
        clip_name: what clips in memory without a name are called, with a number behind it.

    Raises:
        SourceError: if there is no clip, an array cannot be read as one without guessing, or two clips have one name.
    """
    sources = list(_sources(clips, (f"{clip_name} {number}" for number in count())))
    if not sources:
        raise SourceError("`clips` must hold a video at least. Got none. Give a file, folder, glob, manifest or array.")
    check_names(sources)
    # a manifest may name a clip once for each of its labels
    return tuple({source.key: source for source in sources}.values())


def _sources(clips: Sources, default_names: Iterator[str]) -> Iterator[VideoSource]:
    if isinstance(clips, VideoSource):
        yield clips
    elif isinstance(clips, str | Path):
        banked = bank_sources(str(clips))
        yield from find_videos(clips) if banked is None else banked
    elif is_dataset(clips):
        yield from dataset_sources(clips, default_names)
    elif isinstance(clips, Mapping):
        refuse_mapping(clips)
    elif (in_memory := memory_sources(clips, default_names)) is not None:
        yield from in_memory
    elif hasattr(clips, "__iter__") or hasattr(clips, "__getitem__"):  # a PyTorch `Dataset` has the second only
        for members in clips:
            yield from _sources(members, default_names)
    else:
        raise SourceError(
            f"`clips` must be paths, arrays, tensors or an iterable of these. Got {type(clips).__name__}. Give one of them."
        )


def left_out_notes(clips: Sources | None) -> tuple[str, ...]:
    """Lines for each folder and glob of which files are left out, or numbered pictures are read as stills."""
    if isinstance(clips, str | Path):
        notes = (left_out_note(clips), numbered_stills_note(clips)) if bank_sources(str(clips)) is None else ()
        return tuple(note for note in notes if note is not None)
    # a generator cannot be gone through twice, arrays leave nothing out, and the name in a pair is no path
    if not isinstance(clips, list | tuple) or memory_sources(clips, repeat("clip")) is not None:
        return ()
    return tuple(dict.fromkeys(note for member in clips for note in left_out_notes(member)))
