"""Recording of a rendered world for interventions: each clip is passed once, and all layers are kept whole."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from benchmarks.calibration.world import World, random_clips
from jaxtyping import Float
from torch import Tensor

from video_tcav.concepts import Twin, twin_clip
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.kernel import Kernel
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target, parse_target
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.rendered import Factors
from video_tcav.rendered.training import rendered_inputs
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.settings import At

_MEMORY_BYTES = 3 * 10**9
RANDOM_CLIPS = 30
_TAIL_BATCH = 64  # clips: more bring nothing on a CPU


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedLayer:
    """One layer of a model.

    Attributes:
        rows: outputs of the pool's clips.
        kernel: inner products of these.
        outputs: of the clips that are edited: those of each class one behind the other, then the random clips.
        gradients: mean gradient of each class, at clips of the class and at random clips.
    """

    rows: LayerRows
    kernel: Kernel
    outputs: Float[Tensor, "clip ..."]
    gradients: Mapping[At, Float[Tensor, "class feature"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedWorld:
    """All layers of one model on one world.

    Attributes:
        world: the clips.
        targets: log-odds of each class.
        layers: by name.
        pool_odds: log-odds of each class for the pool's clips.
    """

    world: World
    targets: tuple[Target, ...]
    layers: Mapping[str, RecordedLayer]
    pool_odds: Float[Tensor, "class clip"]


def log_odds(targets: Sequence[Target], logits: Float[Tensor, "clip class"]) -> Float[Tensor, "class clip"]:
    """The log-odds of every class from logits."""
    return torch.stack([target(logits) for target in targets]).double()


def tail_odds(tail: Tail, targets: Sequence[Target], outputs: Float[Tensor, "clip ..."]) -> Float[Tensor, "class clip"]:
    """Log-odds of clips whose output at the tail's layer is this one; inside `tail.running`."""
    with torch.no_grad():
        logits = [tail.logits(outputs[start : start + _TAIL_BATCH]) for start in range(0, len(outputs), _TAIL_BATCH)]
        return log_odds(targets, torch.cat(logits))


@contextmanager
def recorded_world(model: VideoModel, world: World, *, seed: int) -> Iterator[RecordedWorld]:
    """Record a model on a world; its rows may lie in a scratch folder inside."""
    targets = tuple(parse_target(model, name, "log_odds") for name in world.targets)
    edited = [clip for clips in world.class_clips for clip in clips]
    others = random_clips(world.rule, RANDOM_CLIPS, seed=seed)
    with scratch_folder() as spill:
        stores = pool_rows(model, world, SpillSpace(_MEMORY_BYTES, spill), world.layers)
        outputs = rendered_outputs(model, world.layers, [*edited, *others])
        gradients: dict[At, list[dict[str, Tensor]]] = {"class": [], "random": []}
        for target, clips in zip(targets, world.class_clips, strict=True):
            gradients["class"].append(_mean_gradients(model, world.layers, clips, target))
            gradients["random"].append(_mean_gradients(model, world.layers, others, target))
        layers = {
            layer: RecordedLayer(
                rows=LayerRows.of(store),
                kernel=gram(store, None, range(store.rows)).kernel,
                outputs=outputs[layer],
                gradients={at: torch.stack([mean[layer] for mean in means]) for at, means in gradients.items()},
            )
            for layer, store in stores.items()
        }
        yield RecordedWorld(
            world=world, targets=targets, layers=layers, pool_odds=_pool_odds(model, world, targets, stores)
        )


def pool_rows(model: VideoModel, world: World, space: SpillSpace, layers: Sequence[str]) -> dict[str, RowStore]:
    """Outputs of some layers for the pool's clips."""
    stores = {layer: RowStore(space) for layer in layers}
    for inputs in rendered_inputs(world.pool):
        for layer, values in record_activations(model, layers, inputs, last=layers[-1]).items():
            stores[layer].append(values.flatten(1))
    return stores


def rendered_outputs(
    model: VideoModel, layers: Sequence[str], clips: Sequence[Factors], twin: Twin | None = None
) -> dict[str, Float[Tensor, "clip ..."]]:
    """Outputs of some layers for clips, or for twins of them."""
    batches = [
        record_activations(
            model, layers, inputs if twin is None else twin_clip(inputs, twin, time_dim=2), last=layers[-1]
        )
        for inputs in rendered_inputs(clips)
    ]
    return {layer: torch.cat([batch[layer] for batch in batches]) for layer in layers}


def _mean_gradients(
    model: VideoModel, layers: Sequence[str], clips: Sequence[Factors], target: Target
) -> dict[str, Float[Tensor, " feature"]]:
    totals = dict.fromkeys(layers, torch.zeros(()))
    for inputs in rendered_inputs(clips):
        for layer, values in record_gradients(model, layers, inputs, target).layers.items():
            totals[layer] = totals[layer] + values.flatten(1).double().sum(0)
    return {layer: total / len(clips) for layer, total in totals.items()}


def _pool_odds(
    model: VideoModel, world: World, targets: Sequence[Target], stores: Mapping[str, RowStore]
) -> Float[Tensor, "class clip"]:
    """From the deepest layer's rows, so that no clip is passed again."""
    tail, store = Tail(model, world.deepest), stores[world.deepest]
    (rows,) = store.column_blocks(range(store.rows), store.width)
    with tail.running():
        return tail_odds(tail, targets, rows.reshape(-1, *tail.shape[1:]))
