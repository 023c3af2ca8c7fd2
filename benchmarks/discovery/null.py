"""Null runs: labels that say nothing, so that nothing sets the class apart. How often is anything confirmed?

Class clips are drawn from a pool of random clips, or, shuffled, from one of class and random clips together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.discovery.runs import LEVEL, tested
from benchmarks.discovery.worlds import DiscoveryWorld

from video_tcav.core.progress import Advance, no_progress
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import kept_beside_grids, layer_grids
from video_tcav.discovery.plan import DiscoveryPlan, split_halves
from video_tcav.discovery.recorded_clips import RecordedClips, record_clips
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings
from video_tcav.media import VideoSource
from video_tcav.media.digest import content_digests
from video_tcav.models import parse_target
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.plan import MOST_HELD_OUT, named_sources

CLASS_CLIPS, RANDOM_CLIPS = 40, 80
_STAND_INS = 6
"""Clips of each kind that a half must have."""


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
) -> Iterator[tuple[RecordedClips, BatchRunner]]:
    """Clips of a model's world, passed once, with the gradient at every one.

    Args:
        name: of the model.
        clips: how many.
        layers: to record.
        seed: of the clips.
        shuffled: whether a third of them are of the class, as in a discovery, whose labels each run shuffles.
    """
    of_class = clips // 3 if shuffled else 0
    world = DiscoveryWorld.sample(name, seed, class_clips=of_class, random_clips=clips - of_class + 2 * _STAND_INS)
    named = named_sources("random", world.named(slice(None)))
    sources, stand_ins = named[:clips], named[clips:]
    with Workspace(RecordingSettings()) as work:
        plan = DiscoveryPlan(
            layers=tuple(layers),
            target=parse_target(world.model, world.target, "log_odds"),
            class_sources=sources[:1],
            random_sources=sources[1:],
            halves=dict.fromkeys((source.key for source in sources), "confirm"),
            gradient_sources=sources,
            twin_sources=(),
            twins=(),
            digests=content_digests(named, work.digest),
            group_of=lambda source: source.key,
            seed=seed,
        )
        recorded, runner = _recorded(plan, stand_ins, world, work)
        keys = {source.key for source in sources}
        yield replace(recorded, plan=plan, ids=tuple(clip for clip in recorded.ids if clip.source in keys)), runner


def _recorded(
    plan: DiscoveryPlan, stand_ins: Sequence[VideoSource], world: DiscoveryWorld, work: Workspace
) -> tuple[RecordedClips, BatchRunner]:
    # Whole outputs are kept of the half that confirms alone, and of any clip of the pool something may be taken out: other
    # clips, of which no run makes use, stand in for the half that finds.
    with_stand_ins = replace(
        plan,
        class_sources=(*plan.sources[:_STAND_INS], *stand_ins[:_STAND_INS]),
        random_sources=(*plan.sources[_STAND_INS:], *stand_ins[_STAND_INS:]),
        halves={**plan.halves, **dict.fromkeys((source.key for source in stand_ins), "find")},
    )
    grids = layer_grids(world.model, plan.layers)
    return record_clips(with_stand_ins, world.model, grids, kept_beside_grids(grids, plan.layers), work)


def null_run(
    pool: RecordedClips,
    runner: BatchRunner,
    discovery: DiscoverySettings,
    *,
    permutations: int,
    seed: int,
    advance: Advance = no_progress,
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
        confirmed = sum(component.confirmed for component in tested(layers, runner))
    advance(1)
    return NullRun(
        components=len(p_values), present=present, confirmed=confirmed, uncorrected=int((p_values <= LEVEL).sum())
    )
