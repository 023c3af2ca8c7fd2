"""Pairs: which clip with a concept belongs to which one without, by the manifest's column `pair` or by the files' names."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError
from video_tcav.gram.design import numbering
from video_tcav.media import VideoSource
from video_tcav.media.files import is_media
from video_tcav.media.grouping import GroupOf
from video_tcav.media.memory_clips import InMemorySource

WITH, WITHOUT = "with_concept", "without"
_CURE = "Name the pair of each clip in a manifest's column `pair`, or give both files of a pair one name."


@dataclass(frozen=True, kw_only=True)
class ClipPair:
    """The same clip with and without a concept.

    Attributes:
        name: of the pair.
        with_concept: the clip with it.
        without: the clip without it.
    """

    name: str
    with_concept: VideoSource
    without: VideoSource


def match_pairs(with_concept: Sources, without: Sources) -> tuple[ClipPair, ...]:
    """The pairs of two sets of clips, in the order of those with the concept.

    A clip's pair is what the column `pair` of its manifest says. Where no clip has one, it is the file's name without folder and
    ending; clips in memory that have no name are numbered as they come.

    Raises:
        VideoTcavError: if a set cannot be read, or some pair has not exactly one clip in each.
    """
    sides = {
        side: tuple(map(_set_apart(side), as_sources(clips)))
        for side, clips in ((WITH, with_concept), (WITHOUT, without))
    }
    _refuse_shared(sides)
    named = {side: _by_pair(side, sources, by_column=_has_column(sides)) for side, sources in sides.items()}
    _refuse_unmatched(named)
    return tuple(
        ClipPair(name=name, with_concept=source, without=named[WITHOUT][name]) for name, source in named[WITH].items()
    )


def pair_groups(pairs: Sequence[ClipPair], random: Sequence[VideoSource], group_of: GroupOf) -> GroupOf:
    """Names the group of a source, where the groups of both clips of a pair are one group.

    Clips of one pair cannot be resampled apart; if a file or person is in two pairs, these cannot either.
    """
    ends = [(group_of(pair.with_concept), group_of(pair.without)) for pair in pairs]
    numbers = numbering([*(name for names in ends for name in names), *map(group_of, random)])
    first, second = np.asarray([[numbers[name] for name in names] for names in ends]).T
    links = coo_array((np.ones(len(ends)), (first, second)), shape=(len(numbers), len(numbers)))
    joined = connected_components(links, directed=False)[1]
    return lambda source: f"group {joined[numbers[group_of(source)]]}"


def _set_apart(side: str) -> Callable[[VideoSource], VideoSource]:
    """Puts clips in memory into a folder: both sides may have one name, as files in two folders may."""

    def renamed(source: VideoSource) -> VideoSource:
        # results and digests know a clip by its path alone
        return replace(source, path=Path(side) / source.path) if isinstance(source, InMemorySource) else source

    return renamed


def _refuse_shared(sides: Mapping[str, Sequence[VideoSource]]) -> None:
    keys = {source.key for source in sides[WITH]}
    shared = [source.key for source in sides[WITHOUT] if source.key in keys]
    if shared:
        raise InputError(
            f"`{WITHOUT}` must hold other clips than `{WITH}`. Got {len(shared)} in both, the first: {shared[0]}. "
            "Leave it out of one of them."
        )


def _has_column(sides: Mapping[str, Sequence[VideoSource]]) -> bool:
    """Whether clips name their pairs.

    Raises:
        InputError: if some do, and others do not.
    """
    sources = [source for side in sides.values() for source in side]
    unnamed = [source.key for source in sources if source.pair is None]
    if unnamed and len(unnamed) < len(sources):
        raise InputError(
            f"`pair` must be filled in for every clip, or for none. Got {len(unnamed)} of {len(sources)} clips without it, the "
            f"first: {unnamed[0]}. Fill it in, in the manifests of both sets."
        )
    return not unnamed


def _by_pair(side: str, sources: Sequence[VideoSource], *, by_column: bool) -> dict[str, VideoSource]:
    names = [source.pair if by_column and source.pair else _file_name(source) for source in sources]
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"`{side}` must hold one clip of each pair. Got {count} of the pair {name!r}. {_CURE}")
    return dict(zip(names, sources, strict=True))


def _file_name(source: VideoSource) -> str:
    # only endings of media files are cut off: a clip in memory may be called 1.5
    return source.path.stem if is_media(source.path) else source.path.name


def _refuse_unmatched(named: Mapping[str, Mapping[str, VideoSource]]) -> None:
    single = [
        (name, side, opposite)
        for side, opposite in ((WITH, WITHOUT), (WITHOUT, WITH))
        for name in named[side]
        if name not in named[opposite]
    ]
    if not single:
        return
    if not named[WITH].keys() & named[WITHOUT].keys():
        first, second = (next(iter(named[side])) for side in (WITH, WITHOUT))
        raise InputError(
            f"`{WITH}` and `{WITHOUT}` must have pairs in common. Got none: the first clips belong to {first!r} and {second!r}. "
            f"{_CURE}"
        )
    name, side, opposite = single[0]
    raise InputError(
        f"`{WITH}` and `{WITHOUT}` must hold one clip each of every pair. Got {len(single)} in one of them alone, the first: "
        f"{name!r} in `{side}`, not in `{opposite}`. {_CURE}"
    )
