"""Null runs: labels that say nothing, so that nothing sets the class apart. How often is anything confirmed?

Class clips are drawn from a pool of random clips, or, shuffled, from one of class and random clips together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.discovery.worlds import DiscoveryWorld

from video_tcav.core.progress import Advance, no_progress
from video_tcav.discovery.component_rows import component_rows, judged
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import layer_grids
from video_tcav.discovery.plan import DiscoveryPlan, split_halves
from video_tcav.discovery.recorded_clips import RecordedClips, record_clips
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings
from video_tcav.media.digest import content_digests
from video_tcav.models import parse_target
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.plan import MOST_HELD_OUT, named_sources

LEVEL = 0.05
CLASS_CLIPS, RANDOM_CLIPS = 40, 80


@dataclass(frozen=True, kw_only=True)
class NullRun:
    """One run on clips that are all drawn from one pool.

    Attributes:
        components: of all layers.
        present: whether the difference of presence alone is significant for any of them, adjusted.
        confirmed: how many were confirmed.
        uncorrected: for how many the difference of presence is significant, not adjusted.
    """

    components: int
    present: bool
    confirmed: int
    uncorrected: int


@contextmanager
def recorded_pool(
    name: str, clips: int, layers: Sequence[str], seed: int, *, shuffled: bool = False
) -> Iterator[RecordedClips]:
    """Clips of a model's world, passed once, with the gradient at every one.

    Args:
        name: of the model.
        clips: how many.
        layers: to record.
        seed: of the clips.
        shuffled: whether a third of them are of the class, as in a discovery, whose labels each run shuffles.
    """
    of_class = clips // 3 if shuffled else 0
    world = DiscoveryWorld.sample(name, seed, class_clips=of_class, random_clips=clips - of_class)
    sources = named_sources("random", world.named(slice(None)))
    with Workspace(RecordingSettings()) as work:
        plan = DiscoveryPlan(
            layers=tuple(layers),
            target=parse_target(world.model, world.target, "log_odds"),
            class_sources=sources[:1],
            random_sources=sources[1:],
            halves={source.key: "confirm" if number % 2 else "find" for number, source in enumerate(sources)},
            gradient_sources=sources,
            twin_sources=(),
            twins=(),
            digests=content_digests(sources, work.digest),
            group_of=lambda source: source.key,
            seed=seed,
        )
        yield _recorded(plan, world, work)


def _recorded(plan: DiscoveryPlan, world: DiscoveryWorld, work: Workspace) -> RecordedClips:
    # halves that hold enough for the check, of which no run makes use
    few = replace(plan, class_sources=plan.sources[:8], random_sources=plan.sources[8:])
    return record_clips(few, world.model, layer_grids(world.model, plan.layers), (), work)[0]


def null_run(
    pool: RecordedClips, discovery: DiscoverySettings, *, permutations: int, seed: int, advance: Advance = no_progress
) -> NullRun:
    """Class and random clips drawn anew from the pool, halved anew, factorised and tested anew."""
    generator = np.random.default_rng([seed, len(pool.ids)])
    sources = [pool.plan.sources[index] for index in generator.permutation(len(pool.plan.sources))]
    of_class, random = sources[:CLASS_CLIPS], sources[CLASS_CLIPS : CLASS_CLIPS + RANDOM_CLIPS]
    halves = split_halves(of_class, random, pool.plan.group_of, seed)
    finding = {source.key for source in random if halves[source.key] == "find"}
    gradient_clips = [clip for clip in pool.ids if clip.source in finding][:MOST_HELD_OUT]
    plan = replace(pool.plan, class_sources=tuple(of_class), random_sources=tuple(random), halves=halves, seed=seed)
    chosen = {source.key for source in plan.sources}
    by_key = {clip.source: clip for clip in pool.ids}
    clips = replace(
        pool,
        plan=plan,
        recording=pool.recording.at_class_clips(gradient_clips),
        ids=tuple(by_key[source.key] for source in plan.sources if source.key in chosen),
    )
    settings = TestSettings(permutations=permutations, random_sets=2, bootstraps=500, seed=seed)
    layers = [LayerDiscovery.of(clips, layer, discovery, settings) for layer in plan.layers]
    p_values = np.asarray([p_value for layer in layers for p_value in layer.presence_p.values()])
    present = bool(p_values.min() <= LEVEL / len(p_values))
    confirmed = 0
    if present:  # else nothing can be: the p of a component is at least that of its presence
        effects = {name: measurement for layer in layers for name, measurement in layer.effects().items()}
        components = judged([row for layer in layers for row in component_rows(layer, effects)], LEVEL)
        confirmed = sum(component.confirmed for component in components)
    advance(1)
    return NullRun(
        components=len(p_values), present=present, confirmed=confirmed, uncorrected=int((p_values <= LEVEL).sum())
    )
