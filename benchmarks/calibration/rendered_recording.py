"""Recording of rendered clips: inner products of one model's activations and gradients, for every layer, class and twin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.calibration.world import World, random_clips, sample_world
from jaxtyping import Int

from video_tcav.concepts import Twin, twin_clip
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import kernel_of
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.targets import parse_target
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.rendered import Rule
from video_tcav.rendered.factors import balanced_pool
from video_tcav.rendered.training import rendered_inputs
from video_tcav.tcav.settings import PLACES, At

Advance = Callable[[int], None]
TWINS: tuple[Twin, ...] = ("frozen", "reversed")
_MEMORY_BYTES = 4 * 10**9


@dataclass(frozen=True, kw_only=True)
class Recording(World):
    """Inner products of a pool of clips and of the gradients of each class, for one model.

    Attributes:
        grams: by where the gradient was taken (`class`, or `random`: clips that are not in the pool), layer and class. Rows
            of K and columns of C are the pool's clips.
        twin_grams: the same at the deepest layer; the rows are the clips, then their frozen, then their reversed twins.
    """

    grams: Mapping[At, Mapping[str, tuple[Gram, ...]]]
    twin_grams: Mapping[At, tuple[Gram, ...]]

    def twin_rows(self, rows: Int[np.ndarray, " row"], twin: Twin) -> Int[np.ndarray, " row"]:
        """The same clips' twins at the deepest layer."""
        return rows + len(self.pool) * (1 + TWINS.index(twin))


def record_world(
    model: VideoModel,
    rule: Rule,
    *,
    pool_clips: int,
    class_clips: int,
    seed: int,
    targets: Sequence[str] | None = None,
    twins: bool = True,
    places: Sequence[At] = PLACES,
    advance: Advance = lambda _: None,
) -> Recording:
    """Render a balanced pool and clips of each class, and record the model on them: each clip is passed once.

    Args:
        model: the model.
        rule: how it was trained; decides which motions the pool shows.
        pool_clips: at least so many clips in the pool.
        class_clips: of each class.
        seed: of all clips.
        targets: the classes to explain; all if not given.
        twins: whether to record frozen and reversed twins at the deepest layer.
        places: where gradients are taken.
        advance: called with the number of clips that were passed.
    """
    world = sample_world(model, rule, pool_clips=pool_clips, class_clips=class_clips, seed=seed, targets=targets)
    others = random_clips(rule, class_clips, seed=seed)
    layers = world.layers
    with scratch_folder() as spill:
        space = SpillSpace(_MEMORY_BYTES, spill)
        activations = {layer: RowStore(space) for layer in layers}
        gradients = {layer: RowStore(space) for layer in layers}
        for twin in (None, *(TWINS if twins else ())):
            recorded = layers if twin is None else layers[-1:]
            for inputs in rendered_inputs(world.pool):
                clips = inputs if twin is None else twin_clip(inputs, twin, time_dim=2)
                for layer, values in record_activations(model, recorded, clips, last=layers[-1]).items():
                    activations[layer].append(values.flatten(1))
                advance(len(inputs))
        for at in places:
            for name, clips in zip(world.targets, world.class_clips, strict=True):
                target = parse_target(model, name, "log_odds")
                for inputs in rendered_inputs(clips if at == "class" else others):
                    for layer, values in record_gradients(model, layers, inputs, target).layers.items():
                        gradients[layer].append(values.flatten(1))
                    advance(len(inputs))
        grams = {layer: _split(activations[layer], gradients[layer], class_clips) for layer in layers}
    count = len(world.targets)
    # `_split` gives the Grams of all classes at the first place, then those at the second.
    slices: dict[At, slice] = {at: slice(count * i, count * (i + 1)) for i, at in enumerate(places)}
    pool_grams = {layer: _first_rows(layer_grams, len(world.pool)) for layer, layer_grams in grams.items()}
    return Recording(
        **vars(world),
        grams={at: {layer: every[span] for layer, every in pool_grams.items()} for at, span in slices.items()},
        twin_grams={at: grams[layers[-1]][span] for at, span in slices.items()},
    )


def passes(
    rule: Rule, pool_clips: int, class_clips: int, targets: int, *, twins: bool = True, places: Sequence[At] = PLACES
) -> int:
    """How many clips `record_world` passes through the model."""
    versions = 1 + len(TWINS) * twins
    return len(balanced_pool(rule.motions(), pool_clips, seed=0)) * versions + class_clips * targets * len(places)


def _split(activations: RowStore, gradients: RowStore, class_clips: int) -> tuple[Gram, ...]:
    """One Gram for each place and class; all share K."""
    together = gram(activations, gradients, range(activations.rows), range(gradients.rows))
    starts = range(0, gradients.rows, class_clips)
    return tuple(Gram(kernel=together.kernel, cross=together.cross[start : start + class_clips]) for start in starts)


def _first_rows(grams: tuple[Gram, ...], rows: int) -> tuple[Gram, ...]:
    """The Grams of the first rows alone, which share one small K."""
    kernel = kernel_of(grams[0].kernel, np.arange(rows))
    return tuple(Gram(kernel=kernel, cross=gram.cross[:, :rows].copy()) for gram in grams)
