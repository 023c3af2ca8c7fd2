"""What a run is asked for, found and checked before any long work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from video_tcav.concepts import TWINS, Concept, Twin, as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, MediaError, SourceError
from video_tcav.media import VideoSource, source_digest
from video_tcav.media.memory_clips import check_names
from video_tcav.recording.sketched_rows import USUAL_SKETCH
from video_tcav.tcav.comparison import GroupOf, check_sizes, distinct_negatives
from video_tcav.tcav.settings import NEGATIVES, At, Negatives

MOST_WINDOWS = 10_000
MOST_HELD_OUT = 40
ROOM_BYTES = 2 * 10**9
"""For inner products, however little `memory` leaves to rows."""
Digest = Callable[[VideoSource], str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be recorded and compared.

    Attributes:
        concepts: with their sources.
        random: the pool of negatives.
        class_sources: the clips at which the gradient is taken: of the class, or random ones that were set aside.
        relative: pairs of concept names to compare with each other.
        twins: which twins to record.
        digests: content digest of each source that can be read, by its key.
        negatives: whether random clips are frozen where a concept does not move.
    """

    concepts: tuple[Concept, ...]
    random: tuple[VideoSource, ...]
    class_sources: tuple[VideoSource, ...]
    relative: tuple[tuple[str, str], ...]
    twins: tuple[Twin, ...]
    digests: Mapping[str, str]
    negatives: Negatives = "matched"

    def pairs(self) -> list[tuple[Concept, str, tuple[VideoSource, ...]]]:
        """All comparisons: a concept, what it is compared with, and the sources of that."""
        by_name = {concept.name: concept for concept in self.concepts}
        pools = [(concept, "random", self.random) for concept in self.concepts]
        pools += [(by_name[name], other, by_name[other].sources) for name, other in self.relative]
        return [(one, versus, distinct_negatives(one, pool, self.digests)) for one, versus, pool in pools]

    def check_sizes(self, windows: int, group_of: GroupOf) -> None:
        """Refuse comparisons that are too small, before any pass.

        Raises:
            InputError: if there are too few clips or groups.
        """
        for concept, versus, negatives in self.pairs():
            check_sizes(concept, negatives, versus=versus, windows=windows, group_of=group_of)

    def check_room(self, layers: int, *, windows: int, sketch: int | None, budget: int) -> None:
        """Refuse more clips than the memory budget, or `ROOM_BYTES`, can hold the inner products of, before any pass.

        Raises:
            InputError: naming what is needed.
        """
        # a frozen version more, where concepts do not move, is known after their passes only
        compared = {source.key for part in (self.random, *(c.sources for c in self.concepts)) for source in part}
        rows = len(compared) * windows * (1 + len(self.twins))
        of_row = 8 * rows if sketch is None else 4 * sketch + 8 * len(self.class_sources) * windows
        needed, room = 2 * layers * rows * of_row, max(budget, ROOM_BYTES)  # of all clips, and of one comparison's
        if needed > room:
            other = f"`video-tcav test` with --sketch {USUAL_SKETCH}" if sketch is None else "a smaller --sketch"
            raise InputError(
                f"`memory` must hold the inner products of {rows:,} clips at {layers} layers: {needed / 1e9:.1f} GB. "
                f"Got {room / 1e9:.1f} GB. Raise it, give fewer random clips, or use {other}."
            )

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

    def copies(self, group_of: GroupOf) -> tuple[str, ...]:
        """A caution for each set that holds the same content under several names, in groups of their own."""
        sets = {"class": self.class_sources, "random": self.random}
        sets |= {f"concept {concept.name}": concept.sources for concept in self.concepts}
        found = []
        for name, sources in sets.items():
            known = [source for source in sources if source.key in self.digests]
            groups = {(self.digests[source.key], group_of(source)) for source in known}
            extra = len(groups) - len({digest for digest, _ in groups})
            if extra:
                found.append(
                    f"{name}: {extra} of {len(sources)} videos are copies of others, and count as independent of them. "
                    "Delete the copies, or give them one group with --group."
                )
        return tuple(found)

    def digests_of(self, sources: Sequence[VideoSource]) -> dict[str, str | None]:
        """Key and digest of each source."""
        return {source.key: self.digests.get(source.key) for source in sources}


def make_plan(
    clips: Sources | None,
    concepts: Mapping[str, Sources],
    random: Sources,
    relative: Sequence[tuple[str, str]],
    twins: Sequence[str],
    *,
    windows: int,
    group_of: GroupOf,
    at: At = "class",
    seed: int = 0,
    negatives: Negatives = "matched",
    digest: Digest = source_digest,
) -> Plan:
    """Find all clips and check that they can be compared; `digest` names the content of a source.

    Raises:
        SourceError: where there is no video; the message names the role.
        InputError: for a pair of unknown concepts, an unknown twin, a concept whose clips are all among the random ones, a
            path without a group, or too few clips or groups.
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
    pool = _named("random", random)
    if at == "random":
        if clips is not None:
            raise InputError(
                "`clips` must not be given with --at random. Got some. Leave --clips out, or use --at class."
            )
        class_sources = ()
    elif clips is None:
        raise InputError(
            "`clips` must be given, unless gradients are taken at random clips. Got none. Give --clips PATH."
        )
    else:
        class_sources = _named("clips", clips)
    shown = [source for concept in found for source in concept.sources]
    everyone = (*pool, *class_sources, *shown)
    for source in everyone:
        group_of(source)  # a pattern that does not match is found before the long work
    digests = _digests(everyone, digest)
    if at == "random":
        class_sources, pool = hold_out(pool, shown, digests, group_of, seed)
    plan = Plan(
        concepts=found,
        random=pool,
        class_sources=class_sources,
        relative=tuple(relative),
        twins=chosen,
        digests=digests,
        negatives=one_of("negatives", negatives, NEGATIVES),
    )
    plan.check_sizes(windows, group_of)
    return plan


def cav_plan(
    concepts: Mapping[str, Sources],
    random: Sources,
    *,
    windows: int,
    group_of: GroupOf,
    digest: Digest = source_digest,
) -> Plan:
    """A plan of concepts and random clips alone: enough to learn CAVs.

    Raises:
        SourceError: where there is no video; the message names the role.
        InputError: if there is no concept, or too few clips or groups.
    """
    if not concepts:
        raise InputError("`concepts` must name at least one concept. Got none. Give --concept NAME=PATH.")
    found = tuple(Concept.read(name, where) for name, where in concepts.items())
    pool = _named("random", random)
    digests = _digests((*pool, *(source for concept in found for source in concept.sources)), digest)
    plan = Plan(concepts=found, random=pool, class_sources=(), relative=(), twins=(), digests=digests)
    plan.check_sizes(windows, group_of)
    return plan


def hold_out(
    sources: Sequence[VideoSource],
    concept: Sequence[VideoSource],
    digests: Mapping[str, str],
    group_of: GroupOf,
    seed: int,
) -> tuple[tuple[VideoSource, ...], tuple[VideoSource, ...]]:
    """Set random clips aside for the gradient: whole groups, a quarter of all or about `MOST_HELD_OUT`; and the rest.

    Clips that are compared must not bear on the gradient, or concept and random clips could not be exchanged: groups and
    contents of concept clips are not taken.

    Raises:
        InputError: if there are no such groups.
    """
    members: dict[str, list[VideoSource]] = {}
    for source in sources:
        members.setdefault(group_of(source), []).append(source)
    contents = {digests[source.key] for source in concept if source.key in digests}
    shared = {group_of(source) for source in concept}
    shared |= {name for name, group in members.items() if any(digests.get(one.key) in contents for one in group)}
    free = [name for name in members if name not in shared]
    wanted, taken, chosen = min(len(sources) // 4, MOST_HELD_OUT), 0, set()
    for index in np.random.default_rng([seed, 7]).permutation(len(free)):
        if taken >= wanted:
            break
        chosen.add(free[index])
        taken += len(members[free[index]])
    if not chosen:
        raise InputError(
            f"`random` must hold 4 clips or more for --at random, in groups without concept clips. Got {len(sources)} clips, "
            f"{len(free)} such groups. Add random clips, or use --at class."
        )
    held = tuple(source for source in sources if group_of(source) in chosen)
    return held, tuple(source for source in sources if group_of(source) not in chosen)


def _named(role: str, where: Sources) -> tuple[VideoSource, ...]:
    try:
        return as_sources(where, clip_name="random clip" if role == "random" else "clip")
    except SourceError as error:
        raise SourceError(f"{role}: {error}") from error


def _digests(sources: Sequence[VideoSource], digest: Digest) -> dict[str, str]:
    check_names(sources)
    digests: dict[str, str] = {}
    for source in sources:
        if source.key not in digests:
            try:
                digests[source.key] = digest(source)
            except (MediaError, OSError):
                continue  # the decoder will say what is wrong with it
    return digests
