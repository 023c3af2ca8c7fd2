"""What a run is asked for, found and checked before any long work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from video_tcav.concepts import TWINS, Concept, Twin, as_sources
from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core import random_streams
from video_tcav.core.checks import at_least, one_of
from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.escaping import well_formed
from video_tcav.gram.design import numbering
from video_tcav.media import VideoSource, source_digest
from video_tcav.media.digest import Digest, content_digests
from video_tcav.media.grouping import GroupOf, grouping
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.models.targets import target_name
from video_tcav.recording.settings import USUAL_SKETCH, RecordingSettings
from video_tcav.tcav.comparison import check_sizes, distinct_negatives
from video_tcav.tcav.effect_check.result import EffectCheck
from video_tcav.tcav.settings import NEGATIVES, PLACES, At, Negatives

MOST_HELD_OUT = 40
ROOM_BYTES = 2 * 10**9
"""For inner products, however little `memory` leaves to rows."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a model, see `run_tcav`.

    Attributes:
        target: class to explain, by name or number.
        clips: of that class; `None` where gradients are taken at random clips.
        concepts: clips of each concept, by its name.
        random: clips without the concepts.
        layers: dotted module names; the model's stages if not given.
        against: what the target is.
        at: where the gradient is taken.
        only_right: whether class clips that the model calls another class are left out.
        twins: which twins to record.
        relative: pairs of concepts to compare with each other.
        negatives: whether random clips are frozen where a concept does not move.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path.
        seed: of every random draw.
    """

    target: str | int | None = None
    clips: Sources | None = None
    concepts: Mapping[str, Sources]
    random: Sources
    layers: Sequence[str] | None = None
    against: str = "log_odds"
    at: At = "class"
    only_right: bool = False
    twins: Sequence[str] = ()
    relative: Sequence[tuple[str, str]] = ()
    negatives: Negatives = "matched"
    group: str = "video"
    seed: int = 0

    def left_out(self) -> tuple[str, ...]:
        """Notes on files of the sets that are in none of them."""
        sets = (self.clips, self.random, *self.concepts.values())
        return tuple(dict.fromkeys(note for part in sets for note in left_out_notes(part)))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be recorded and compared.

    Attributes:
        layers: dotted module names.
        target: whose gradient is taken; `None` where CAVs are learned alone.
        concepts: with their sources.
        random: the pool of negatives.
        class_sources: the clips at which the gradient is taken: of the class, or random ones that were set aside.
        relative: pairs of concept names to compare with each other.
        twins: which twins to record.
        only_right: whether class clips that the model calls another class are left out.
        digests: content digest of each source that can be read, by its key.
        group_of: names the group of a source.
        negatives: whether random clips are frozen where a concept does not move.
        seed: of every random draw.
        effect_check: how far effects on the target may be believed, if that was measured.
    """

    layers: tuple[str, ...] = ()
    target: Target | None = None
    concepts: tuple[Concept, ...]
    random: tuple[VideoSource, ...]
    class_sources: tuple[VideoSource, ...]
    relative: tuple[tuple[str, str], ...]
    twins: tuple[Twin, ...]
    only_right: bool = False
    digests: Mapping[str, str]
    group_of: GroupOf
    negatives: Negatives = "matched"
    seed: int = 0
    effect_check: EffectCheck | None = None

    def pairs(self) -> list[tuple[Concept, str, tuple[VideoSource, ...]]]:
        """All comparisons: a concept, what it is compared with, and the sources of that."""
        by_name = {concept.name: concept for concept in self.concepts}
        pools = [(concept, "random", self.random) for concept in self.concepts]
        pools += [(by_name[name], other, by_name[other].sources) for name, other in self.relative]
        return [(one, versus, distinct_negatives(one, pool, self.digests)) for one, versus, pool in pools]

    def compared(self) -> tuple[VideoSource, ...]:
        """Concept and random sources, each once."""
        sets = (self.random, *(concept.sources for concept in self.concepts))
        return tuple({source.key: source for sources in sets for source in sources}.values())

    def group_numbers(self) -> dict[str, int]:
        """The number of each group that is compared, for random streams of its own."""
        # of the whole plan, also clips that this model cannot use: a group's numbers are then the same for every model
        return numbering([self.group_of(source) for source in self.compared()])

    def check_sizes(self, windows: int) -> None:
        """Refuse comparisons that are too small, before any pass.

        Raises:
            InputError: if there are too few clips or groups.
        """
        for concept, versus, negatives in self.pairs():
            check_sizes(concept, negatives, versus=versus, windows=windows, group_of=self.group_of)

    def check_room(self, settings: RecordingSettings, budget: int) -> None:
        """Refuse more clips than the memory budget, or `ROOM_BYTES`, can hold the inner products of, before any pass.

        Raises:
            InputError: naming what is needed.
        """
        # a frozen version more, where concepts do not move, is known after their passes only
        rows = len(self.compared()) * settings.windows * (1 + len(self.twins))
        sketch, layers = settings.sketch, len(self.layers)
        row_bytes = 8 * rows if sketch is None else 4 * sketch + 8 * len(self.class_sources) * settings.windows
        needed, room = 2 * layers * rows * row_bytes, max(budget, ROOM_BYTES)  # of all clips, and of one comparison's
        if needed > room:
            cure = f"--sketch {USUAL_SKETCH}" if sketch is None else "a smaller --sketch"
            raise InputError(
                f"`memory` must hold the inner products of {rows:,} clips at {layers} layers: {needed / 1e9:.1f} GB. "
                f"Got {room / 1e9:.1f} GB. Raise it, give fewer random clips, or use {cure}."
            )

    def digests_of(self, sources: Sequence[VideoSource]) -> dict[str, str | None]:
        """Key and digest of each source."""
        return {source.key: self.digests.get(source.key) for source in sources}


def make_plan(
    model: VideoModel,
    question: Question,
    settings: RecordingSettings,
    digest: Digest = source_digest,
    budget: int | None = None,
    effect_check: EffectCheck | None = None,
    *,
    needs_concepts: bool = True,
) -> Plan:
    """Find all clips and check that they can be compared, before any long work.

    Args:
        model: the explained model.
        question: what is asked; without a target, CAVs are learned alone.
        settings: of the recording.
        digest: names the content of a source.
        budget: bytes of memory for rows, which inner products must fit into; any number of clips will do if not given.
        effect_check: how far effects on this target may be believed, if that was measured.
        needs_concepts: whether a question without concepts is refused.

    Raises:
        SourceError: where there is no video; the message names the role.
        LayerNotFoundError: for a layer that the model does not have.
        InputError: for a pair of unknown concepts, an unknown twin, a concept whose clips are all among the random ones, a
            path without a group, too few clips or groups, more clips than memory has room for, or a check of another target.
    """
    at_least("seed", question.seed, 0)
    target = None if question.target is None else parse_target(model, question.target, question.against)
    check_only_right(question.only_right, question.at, target)
    if effect_check is not None and target is not None:
        effect_check.check_same_target(model.classes[target.class_index], target_name(model, target))
    layers, group_of = layers_of(model, question.layers), grouping(question.group)
    concepts, relative = _concepts(question, needed=needs_concepts), _pairs(question)
    random = named_sources("random", question.random)
    class_sources = _class_sources(question)
    concept_sources = [source for concept in concepts for source in concept.sources]
    everyone = (*random, *class_sources, *concept_sources)
    for source in everyone:
        group_of(source)  # a pattern that does not match is found before the long work
    digests = content_digests(everyone, digest)
    if question.target is not None and question.at == "random":
        class_sources, random = hold_out(random, concept_sources, digests, group_of, question.seed)
    plan = Plan(
        layers=layers,
        target=target,
        concepts=concepts,
        random=random,
        class_sources=class_sources,
        relative=relative,
        only_right=question.only_right,
        twins=tuple(one_of("twin", twin, TWINS) for twin in dict.fromkeys(question.twins)),
        digests=digests,
        group_of=group_of,
        negatives=one_of("negatives", question.negatives, NEGATIVES),
        seed=question.seed,
        effect_check=effect_check,
    )
    plan.check_sizes(settings.windows)
    if budget is not None:
        plan.check_room(settings, budget)
    return plan


def layers_of(model: VideoModel, chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Layers that were chosen, each once, or the model's stages.

    Raises:
        LayerNotFoundError: for a layer that the model does not have.
    """
    layers = tuple(dict.fromkeys(chosen or model.stages()))
    for layer in layers:
        model.layer(layer)
    return layers


def _concepts(question: Question, *, needed: bool) -> tuple[Concept, ...]:
    if needed and not question.concepts:
        raise InputError("`concepts` must name at least one concept. Got none. Give --concept NAME=PATH.")
    return tuple(Concept.read(well_formed(name), where) for name, where in question.concepts.items())


def _pairs(question: Question) -> tuple[tuple[str, str], ...]:
    names = {well_formed(name) for name in question.concepts}
    pairs = tuple((well_formed(first), well_formed(second)) for first, second in question.relative)
    for name in (name for pair in pairs for name in pair):
        if name not in names:
            raise InputError(f"`relative` must name given concepts. Got {name}. Give --concept {name}=PATH as well.")
    return pairs


def _class_sources(question: Question) -> tuple[VideoSource, ...]:
    """The clips at which the gradient is taken; none yet where random ones are set aside for it."""
    at = one_of("at", question.at, PLACES)
    if question.target is None:
        return ()
    if at == "class" and question.clips is None:
        raise InputError(
            "`clips` must be given, unless gradients are taken at random clips. Got none. Give --clips PATH."
        )
    if at == "random" and question.clips is not None:
        raise InputError("`clips` must not be given with --at random. Got some. Leave --clips out, or use --at class.")
    return () if question.clips is None else named_sources("clips", question.clips)


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
    sizes = {name: len(members[name]) for name in free}
    chosen = drawn_groups(sizes, min(len(sources) // 4, MOST_HELD_OUT), [seed, random_streams.HELD_OUT_CLIPS])
    if not chosen:
        raise InputError(
            f"`random` must hold 4 clips or more for --at random, in groups without concept clips. Got {len(sources)} clips, "
            f"{len(free)} such groups. Add random clips, or use --at class."
        )
    held = tuple(source for source in sources if group_of(source) in chosen)
    return held, tuple(source for source in sources if group_of(source) not in chosen)


def drawn_groups(sizes: Mapping[str, int], wanted: int, seed: Sequence[int]) -> set[str]:
    """Groups drawn one after the other until they have so many clips.

    Args:
        sizes: how many clips each group has.
        wanted: clips; the last group may carry it beyond.
        seed: of the draw.
    """
    names, count, chosen = list(sizes), 0, set[str]()
    for index in np.random.default_rng(seed).permutation(len(names)):
        if count >= wanted:
            break
        chosen.add(names[index])
        count += sizes[names[index]]
    return chosen


def check_only_right(only_right: bool, at: At, target: Target | None) -> None:
    """Refuse to leave out wrong class clips where there are no clips of the class, or no classes.

    Raises:
        InputError: saying which.
    """
    if only_right and at == "random":
        raise InputError(
            "`only_right` must not be given with --at random, where no clip is of the class. Got both. Leave one of them out."
        )
    if only_right and target is not None and target.kind == "number":
        raise InputError(
            "`only_right` must not be given for a regression, which calls clips no class. Got it. Leave it out."
        )


def named_sources(role: str, where: Sources) -> tuple[VideoSource, ...]:
    """The sources of a set of clips, `clips` or `random`.

    Raises:
        SourceError: where there is none; the message names the role.
    """
    try:
        return as_sources(where, clip_name="random clip" if role == "random" else "clip")
    except SourceError as error:
        raise SourceError(f"{role}: {error}") from error
