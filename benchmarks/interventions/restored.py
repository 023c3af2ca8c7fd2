"""Restore on models that read the order of frames: the concept of the order, and one that means nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from benchmarks.calibration.world import World, sample_world
from benchmarks.interventions.layer_clips import Place
from benchmarks.interventions.rendered_layers import pool_rows, rendered_outputs

from video_tcav.core.scratch import scratch_folder
from video_tcav.models import VideoModel
from video_tcav.models.tail import Tail
from video_tcav.models.targets import parse_target
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import SpillSpace
from video_tcav.rendered import rule_of
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.layer_clips import LayerClips
from video_tcav.tcav.interventions.operations import RESTORE

_MEMORY_BYTES = 2 * 10**9
_CONCEPTS = (("motion", "sit down"), ("object", "racket"))


@dataclass(frozen=True, kw_only=True)
class RestoreRow:
    """What one concept gives back of the log-odds that reversed clips of a class lose.

    Attributes:
        model: its name.
        layer: dotted module name.
        target: class.
        concept: factor and value.
        lost: mean log-odds that the reversed clips lose.
        restored: share of it that the coordinate along the concept's CAV gives back.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: against CAVs of permuted labels.
    """

    model: str
    layer: str
    target: str
    concept: str
    lost: float
    restored: float
    low: float
    high: float
    p_value: float


def restore_rows(
    model: VideoModel, *, pool_clips: int, class_clips: int, relabellings: int, seed: int
) -> Iterator[RestoreRow]:
    """Both concepts at every stage of a model that was trained by the rule `order`, for its first class.

    Args:
        model: the model.
        pool_clips: at least so many clips that CAVs are learned from.
        class_clips: that are reversed.
        relabellings: CAVs of permuted labels.
        seed: of all clips and draws.
    """
    rule = rule_of("order")
    world = sample_world(
        model, rule, pool_clips=pool_clips, class_clips=class_clips, seed=seed, targets=rule.labels[:1]
    )
    with scratch_folder() as spill:
        stores = pool_rows(model, world, SpillSpace(_MEMORY_BYTES, spill), world.layers)
        plain = rendered_outputs(model, world.layers, world.class_clips[0])
        reversed_clips = rendered_outputs(model, world.layers, world.class_clips[0], "reversed")
        for layer, store in stores.items():
            place = Place(
                tail=Tail(model, layer),
                target=parse_target(model, world.targets[0], "log_odds"),
                rows=LayerRows.of(store),
                kernel=gram(store, None, range(store.rows)).kernel,
            )
            clean = place.clips(plain[layer])
            with clean.rerun.running():
                yield from _layer_rows(
                    world, layer, place, place.clips(reversed_clips[layer], clean=clean), relabellings, seed
                )


def _layer_rows(
    world: World, layer: str, place: Place, twins: LayerClips, relabellings: int, seed: int
) -> Iterator[RestoreRow]:
    for concept in _CONCEPTS:
        rows = world.rows(*concept)
        others = np.setdiff1d(np.arange(len(world.pool)), rows)
        edits = place.edits(twins, rows, others, relabellings=relabellings, seed=seed)
        null = edits.null_effects([RESTORE])[RESTORE.name]
        draws = edits.draws(RESTORE, null)
        yield RestoreRow(
            model=world.name,
            layer=layer,
            target=world.targets[0],
            concept=" ".join(concept),
            lost=float(twins.unit.mean()),
            restored=draws.effect,
            low=draws.interval[0],
            high=draws.interval[1],
            p_value=draws.p_value,
        )
