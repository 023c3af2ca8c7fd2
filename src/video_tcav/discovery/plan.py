"""What a discovery passes: class and random clips in two halves of the groups, gradients and twins; refused early if too few."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from video_tcav.concepts import TWINS, Concept, Twin
from video_tcav.concepts.concept import Sources
from video_tcav.core import random_streams
from video_tcav.core.checks import at_least, between, one_of
from video_tcav.core.errors import InputError
from video_tcav.discovery.result import Half
from video_tcav.gram.design import numbering
from video_tcav.gram.thresholds import MIN_GROUPS
from video_tcav.media import VideoSource
from video_tcav.media.digest import Digest, content_digests
from video_tcav.media.grouping import GroupOf, grouping
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.tcav.comparison import distinct_negatives
from video_tcav.tcav.plan import MOST_HELD_OUT, Plan, drawn_groups, layers_of, named_sources
from video_tcav.tcav.settings import PLACES, At

MOST_TWINS = 40
"""Class clips, and random clips, whose twins are passed: enough to tell a half from all, and a third of the passes."""


@dataclass(frozen=True, kw_only=True)
class DiscoveryQuestion:
    """What is asked of a model, see `discover`."""

    target: str | int
    clips: Sources
    random: Sources
    layers: Sequence[str] | None = None
    against: str = "log_odds"
    at: At = "random"
    twins: Sequence[str] = TWINS
    group: str = "video"
    alpha: float = 0.05
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DiscoveryPlan:
    """Clips in halves, before any pass.

    Attributes:
        layers: dotted module names.
        target: whose gradient is taken.
        class_sources: clips of the class.
        random_sources: clips without it, by content.
        halves: which half each source belongs to, by its key.
        gradient_sources: of the half that finds, so that no clip that is compared bears on the gradient.
        twin_sources: of the half that confirms.
        twins: versions of these.
        digests: content digest of each source that can be read, by its key.
        group_of: names the group of a source.
        seed: of every random draw.
    """

    layers: tuple[str, ...]
    target: Target
    class_sources: tuple[VideoSource, ...]
    random_sources: tuple[VideoSource, ...]
    halves: Mapping[str, Half]
    gradient_sources: tuple[VideoSource, ...]
    twin_sources: tuple[VideoSource, ...]
    twins: tuple[Twin, ...]
    digests: Mapping[str, str]
    group_of: GroupOf
    seed: int

    @property
    def sources(self) -> tuple[VideoSource, ...]:
        """Class clips, then random clips, each once."""
        return (*self.class_sources, *self.random_sources)

    def group_numbers(self) -> dict[str, int]:
        """The number of each group, for random streams of its own."""
        return numbering(self.group_of(source) for source in self.sources)

    def as_test(self) -> Plan:
        """The part of it that interventions and provenance read, as that of a test."""
        return Plan(
            layers=self.layers,
            target=self.target,
            concepts=(Concept(name="class", sources=self.class_sources),),
            random=self.random_sources,
            class_sources=self.gradient_sources,
            relative=(),
            twins=self.twins,
            digests=self.digests,
            group_of=self.group_of,
            seed=self.seed,
        )


def plan_discovery(model: VideoModel, question: DiscoveryQuestion, digest: Digest) -> DiscoveryPlan:
    """Find all clips, divide them into halves, and check that each half has enough, before any long work.

    Raises:
        SourceError: where there is no video; the message names the role.
        LayerNotFoundError: for a layer that the model does not have.
        InputError: for too few groups, a target or a twin that cannot be used, or a level outside (0, 1).
    """
    at_least("seed", question.seed, 0)
    between("alpha", question.alpha, "0.05 is usual.")
    at, group_of = one_of("at", question.at, PLACES), grouping(question.group)
    target = parse_target(model, question.target, question.against)
    layers = layers_of(model, question.layers)
    class_sources, random = named_sources("clips", question.clips), named_sources("random", question.random)
    digests = content_digests([*class_sources, *random], digest)
    name = model.classes[target.class_index]
    random = distinct_negatives(Concept(name=name, sources=class_sources), random, digests)
    halves = split_halves(class_sources, random, group_of, question.seed)
    finding = [s for s in (class_sources if at == "class" else random) if halves[s.key] == "find"]
    confirming = [[s for s in sources if halves[s.key] == "confirm"] for sources in (class_sources, random)]
    twins = tuple(one_of("twin", twin, TWINS) for twin in dict.fromkeys(question.twins))
    with_twins = [
        source
        for is_random, sources in enumerate(confirming)
        for source in _drawn(sources, group_of, MOST_TWINS, [question.seed, random_streams.DISCOVERY_TWINS, is_random])
    ]
    return DiscoveryPlan(
        layers=layers,
        target=target,
        class_sources=class_sources,
        random_sources=random,
        halves=halves,
        gradient_sources=_drawn(finding, group_of, MOST_HELD_OUT, [question.seed, random_streams.HELD_OUT_CLIPS]),
        twin_sources=tuple(with_twins) if twins else (),
        twins=twins,
        digests=digests,
        group_of=group_of,
        seed=question.seed,
    )


def split_halves(
    class_sources: Sequence[VideoSource], random: Sequence[VideoSource], group_of: GroupOf, seed: int
) -> dict[str, Half]:
    """The half of each source, by its key: groups stay whole, those with class clips and the others are halved each.

    Raises:
        InputError: if a half would have too few groups of a kind.
    """
    with_class = list(dict.fromkeys(map(group_of, class_sources)))
    without = [name for name in dict.fromkeys(map(group_of, random)) if name not in set(with_class)]
    for role, sources in (("clips", class_sources), ("random", random)):
        count = len(set(map(group_of, sources)))
        if count < 2 * MIN_GROUPS:
            raise InputError(
                f"`{role}` must come from at least {2 * MIN_GROUPS} independent groups, since one half of them confirms what the "
                f"other half finds. Got {len(sources)} clips in {count}. Add clips of other videos, or name other groups with "
                "--group."
            )
    generator = np.random.default_rng([seed, random_streams.DISCOVERY_HALVES])
    finding = {name for names in (with_class, without) for name in _half_of(names, generator)}
    return {source.key: "find" if group_of(source) in finding else "confirm" for source in (*class_sources, *random)}


def _half_of(names: Sequence[str], generator: np.random.Generator) -> list[str]:
    return [names[int(index)] for index in generator.permutation(len(names))[: len(names) // 2]]


def _drawn(
    sources: Sequence[VideoSource], group_of: GroupOf, wanted: int, seed: Sequence[int]
) -> tuple[VideoSource, ...]:
    """Whole groups of sources until there are so many, in the order of the sources."""
    chosen = drawn_groups(Counter(map(group_of, sources)), wanted, seed)
    return tuple(source for source in sources if group_of(source) in chosen)
