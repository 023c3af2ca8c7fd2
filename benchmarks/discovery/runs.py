"""One discovery with its insides: the stages of `discover` without files and interventions, on clips in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.discovery.worlds import DiscoveryWorld

from video_tcav.discovery.component import Component
from video_tcav.discovery.component_rows import judged_components
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import kept_beside_grids, layer_grids
from video_tcav.discovery.plan import DiscoveryQuestion, plan_discovery
from video_tcav.discovery.recorded_clips import RecordedClips, record_clips
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace

LEVEL = 0.05


@contextmanager
def recorded(
    world: DiscoveryWorld, class_clips: int, seed: int, twins: tuple[str, ...] = ("frozen", "reversed")
) -> Iterator[tuple[RecordedClips, BatchRunner]]:
    """All clips of a world, passed once, and what passed them."""
    question = DiscoveryQuestion(
        target=world.target,
        clips=world.named(slice(None, class_clips)),
        random=world.named(slice(class_clips, None)),
        twins=twins,
        seed=seed,
    )
    with Workspace(RecordingSettings()) as work:
        plan = plan_discovery(world.model, question, work.digest)
        grids = layer_grids(world.model, plan.layers)
        yield record_clips(plan, world.model, grids, kept_beside_grids(grids, plan.layers), work)


def discovered(
    clips: RecordedClips, runner: BatchRunner, discovery: DiscoverySettings, settings: TestSettings
) -> tuple[list[LayerDiscovery], tuple[Component, ...]]:
    """Components of all layers, and what was confirmed of them."""
    layers = [LayerDiscovery.of(clips, layer, discovery, settings) for layer in clips.plan.layers]
    return layers, tested(layers, runner)


def tested(layers: Sequence[LayerDiscovery], runner: BatchRunner) -> tuple[Component, ...]:
    """What is confirmed of the components of some layers, judged together."""
    components, cautions = judged_components(layers, LEVEL, runner)
    assert not cautions, cautions
    return components
