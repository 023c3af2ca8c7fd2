"""Recorded clips of a discovery: a row each in every layer, with set, half and group; twins and gradients beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from video_tcav.concepts import Twin
from video_tcav.core.errors import InputError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.core.progress import progress_bar
from video_tcav.discovery.grid_rows import GridRows, PooledGradients
from video_tcav.discovery.layer_grid import LayerGrid
from video_tcav.discovery.plan import DiscoveryPlan
from video_tcav.discovery.result import DiscoveredClip
from video_tcav.gram.design import Design, check_enough, numbering
from video_tcav.gram.gram import Gram
from video_tcav.media import VideoSource
from video_tcav.media.memory_clips import InMemorySource
from video_tcav.models import VideoModel
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.clip_id import ClipId, Version
from video_tcav.recording.inner_products import gram
from video_tcav.recording.recording import Recording
from video_tcav.recording.rows import RowStore
from video_tcav.recording.workers import PassSpec
from video_tcav.recording.workspace import Workspace


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedClips:
    """What was recorded of a plan.

    Attributes:
        plan: of the clips.
        recording: as the recorder hands it out; its activations are `layers`.
        grids: of each layer.
        layers: activations of each layer.
        gradients: of each layer, one row a gradient clip.
        ids: of the clips, not their twins, in the order of the plan.
    """

    plan: DiscoveryPlan
    recording: Recording
    grids: Mapping[str, LayerGrid]
    layers: Mapping[str, GridRows]
    gradients: Mapping[str, RowStore]
    ids: tuple[ClipId, ...]

    @cached_property
    def sources(self) -> dict[str, VideoSource]:
        """By key."""
        return {source.key: source for source in self.plan.sources}

    @cached_property
    def rows(self) -> Int[np.ndarray, " clip"]:
        """Row of each clip."""
        return np.asarray([self.recording.rows[clip] for clip in self.ids])

    def twin_rows(self, twin: Twin) -> Int[np.ndarray, " clip"]:
        """Row of each clip's twin; −1 where it has none. A still is its own twin."""
        rows = []
        for clip in self.ids:
            still = clip.source in self.recording.stills
            rows.append(self.recording.rows.get(clip if still else replace(clip, version=twin), -1))
        return np.asarray(rows)

    @cached_property
    def of_class(self) -> Bool[np.ndarray, " clip"]:
        keys = {source.key for source in self.plan.class_sources}
        return np.asarray([clip.source in keys for clip in self.ids])

    @cached_property
    def confirms(self) -> Bool[np.ndarray, " clip"]:
        """Whether a clip is of the half that confirms."""
        return np.asarray([self.plan.halves[clip.source] == "confirm" for clip in self.ids])

    @cached_property
    def units(self) -> Int[np.ndarray, " clip"]:
        """Number of each clip's source, which carries a label as a whole."""
        numbers = numbering(source.key for source in self.plan.sources)
        return np.asarray([numbers[clip.source] for clip in self.ids])

    @cached_property
    def groups(self) -> Int[np.ndarray, " clip"]:
        """Number of each clip's group."""
        numbers = self.plan.group_numbers()
        return np.asarray([numbers[self.plan.group_of(self.sources[clip.source])] for clip in self.ids])

    @cached_property
    def gradient_groups(self) -> list[int]:
        """Number of each gradient clip's group."""
        numbers = self.plan.group_numbers()
        return [numbers[self.plan.group_of(self.sources[clip.source])] for clip in self.recording.class_rows]

    def design(self, clips: Int[np.ndarray, " chosen"], labels: Bool[np.ndarray, " chosen"]) -> Design:
        """Some clips under labels of theirs, with the groups and units of the whole run."""
        return Design(
            labels=labels,
            units=self.units[clips],
            groups=self.groups[clips],
            n_units=len(self.plan.sources),
            n_groups_total=len(self.plan.group_numbers()),
        )

    def gram(self, layer: str) -> Gram:
        """K and C of all rows of a layer, averaged over positions."""
        rows, gradients = self.layers[layer].pooled, self.gradients[layer]
        return gram(rows, gradients, range(rows.rows), list(self.recording.class_rows.values()))

    def described(self) -> tuple[DiscoveredClip, ...]:
        """Each clip as a result lists it."""
        clips = []
        for clip, of_class in zip(self.ids, self.of_class.tolist(), strict=True):
            source = self.sources[clip.source]
            clips.append(
                DiscoveredClip(
                    clip=clip.source,
                    window=clip.window,
                    path="" if isinstance(source, InMemorySource) else str(source.path),
                    start_s=source.start_s,
                    end_s=source.end_s,
                    group=self.plan.group_of(source),
                    of_class=of_class,
                    half=self.plan.halves[clip.source],
                )
            )
        return tuple(clips)


def record_clips(
    plan: DiscoveryPlan, model: VideoModel, grids: Mapping[str, LayerGrid], whole: tuple[str, ...], work: Workspace
) -> tuple[RecordedClips, BatchRunner]:
    """Pass gradient clips, then all clips, and twins of some; each once.

    Args:
        plan: of the run.
        model: the explained model.
        grids: of its layers.
        whole: layers whose whole outputs are kept, of gradient clips and of the half that confirms, from which the rest of the
            network can be run.
        work: of the run.

    Returns:
        The clips, and the runner that passed them, which interventions go on with.

    Raises:
        InputError: if too few clips could be used.
        VideoTcavError: what the passes raise.
    """
    sinks = {layer: GridRows(grid, work.storage) for layer, grid in grids.items()}
    gradients = {layer: PooledGradients(grid, work.storage) for layer, grid in grids.items()}
    recorder = work.recorder(
        model,
        plan.layers,
        plan.digests,
        seed=plan.seed,
        sinks=sinks,
        gradient_sinks=gradients,
        whole=whole,
    )
    twin_keys = {source.key for source in plan.twin_sources}
    finding = [source for source in plan.sources if plan.halves[source.key] == "find"]
    without_twins = [s for s in plan.sources if plan.halves[s.key] == "confirm" and s.key not in twin_keys]
    confirming = {source.key for source in (*without_twins, *plan.twin_sources)} if whole else set()
    versions: tuple[Version, ...] = ("none", *plan.twins)
    work.fill(
        recorder,
        PassSpec(plan.gradient_sources, ("none",), plan.target),
        PassSpec(finding, ("none",)),
        PassSpec(without_twins, ("none",), outputs=bool(confirming)),
        PassSpec(plan.twin_sources, versions, outputs=bool(confirming)),
    )
    total = len(plan.gradient_sources) + len(plan.sources)
    with progress_bar("model passes (videos)", total, visible=work.progress) as advance, freed_memory_kept():
        recorder.record_class(plan.gradient_sources, plan.target, advance)
        recorder.record_concepts(finding, ("none",), advance)
        recorder.record_concepts(without_twins, ("none",), advance, whole_of=confirming)
        recorder.record_concepts(plan.twin_sources, versions, advance, whole_of=confirming)
    recording = recorder.recording()
    windows = recording.windows
    ids = [
        ClipId(source=source.key, window=window)
        for source in plan.sources
        for window in range(windows.get(source.key, 0))
    ]
    clips = RecordedClips(
        plan=plan,
        recording=recording,
        grids=grids,
        layers=sinks,
        gradients={layer: rows.pooled for layer, rows in gradients.items()},
        ids=tuple(ids),
    )
    _check_enough(clips)
    return clips, recorder.runner


def _check_enough(clips: RecordedClips) -> None:
    """Refuse halves that lost too many clips to files that cannot be used."""
    for half, of_half in (("find", ~clips.confirms), ("confirm", clips.confirms)):
        for role, of_role in (("clips", clips.of_class), ("random", ~clips.of_class)):
            chosen = of_half & of_role
            check_enough(f"{role} that {half}", int(chosen.sum()), len(np.unique(clips.groups[chosen])))
    if not clips.recording.class_rows:
        raise InputError(
            "`clips` must hold a clip for the gradient that can be used. Got none. See the files listed as skipped."
        )
