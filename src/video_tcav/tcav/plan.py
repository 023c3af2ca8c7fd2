"""What a run is asked for, found and checked before any long work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from video_tcav.concepts import TWINS, Concept, Twin, as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, MediaError, SourceError
from video_tcav.media import VideoSource, source_digest
from video_tcav.tcav.comparison import distinct_negatives


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be recorded and compared.

    Attributes:
        concepts: with their sources.
        random: the pool of negatives.
        class_sources: where the clips of the class are.
        relative: pairs of concept names to compare with each other.
        twins: which twins to record.
        digests: content digest of each source that can be read, by its key.
    """

    concepts: tuple[Concept, ...]
    random: tuple[VideoSource, ...]
    class_sources: tuple[VideoSource, ...]
    relative: tuple[tuple[str, str], ...]
    twins: tuple[Twin, ...]
    digests: Mapping[str, str]

    def overlap(self) -> tuple[str, ...]:
        """A caution where class clips also stand among concept or random clips."""
        others = {self.digests.get(s.key) for part in (self.random, *(c.sources for c in self.concepts)) for s in part}
        shared = sum(self.digests.get(source.key) in others - {None} for source in self.class_sources)
        if not shared:
            return ()
        return (
            f"{shared} of {len(self.class_sources)} class videos are also concept or random clips: a clip then bears on its own "
            "gradient. Use other clips where there are any.",
        )

    def digests_of(self, sources: Sequence[VideoSource]) -> dict[str, str | None]:
        """Key and digest of each source."""
        return {source.key: self.digests.get(source.key) for source in sources}


def make_plan(
    clips: Sources,
    concepts: Mapping[str, Sources],
    random: Sources,
    relative: Sequence[tuple[str, str]],
    twins: Sequence[str],
) -> Plan:
    """Find all clips and check that they can be compared.

    Raises:
        SourceError: where there is no video; the message names the role.
        InputError: for a pair of unknown concepts, an unknown twin, or a concept whose clips are all among the random ones.
    """
    if not concepts:
        raise InputError("`concepts` must name at least one concept. Got none. Give --concept NAME=PATH.")
    for pair in relative:
        for name in pair:
            if name not in concepts:
                raise InputError(
                    f"`relative` must name given concepts. Got {name}. Give --concept {name}=PATH as well."
                )
    chosen = tuple(one_of("twin", twin, TWINS) for twin in dict.fromkeys(twins))
    found = tuple(Concept.read(name, where) for name, where in concepts.items())
    pool, class_sources = _named("random", random), _named("clips", clips)
    digests = _digests((*pool, *class_sources, *(source for concept in found for source in concept.sources)))
    for concept in found:
        distinct_negatives(concept, pool, digests)
    return Plan(
        concepts=found,
        random=pool,
        class_sources=class_sources,
        relative=tuple(relative),
        twins=chosen,
        digests=digests,
    )


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """The value itself, if it is allowed.

    Raises:
        InputError: if it is not.
    """
    if value not in allowed:
        raise InputError(f"`{name}` must be one of {', '.join(allowed)}. Got {value}. Choose one of them.")
    return value


def at_least(name: str, value: int, least: int) -> int:
    """The value itself, if it is large enough.

    Raises:
        InputError: if it is not.
    """
    if value < least:
        raise InputError(f"`{name}` must be at least {least}. Got {value}. Give a larger number.")
    return value


def _named(role: str, where: Sources) -> tuple[VideoSource, ...]:
    try:
        return as_sources(where)
    except SourceError as error:
        raise SourceError(f"{role}: {error}") from error


def _digests(sources: Sequence[VideoSource]) -> dict[str, str]:
    digests: dict[str, str] = {}
    for source in sources:
        if source.key not in digests:
            try:
                digests[source.key] = source_digest(source)
            except (MediaError, OSError):
                continue  # the decoder will say what is wrong with it
    return digests
