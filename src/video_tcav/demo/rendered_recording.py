"""Rendered clips as one model sees them: inner products of activations and gradients at its layers, for every target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Int

from video_tcav.concepts import Twin, twin_clip
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import kernel_of
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.targets import Target, parse_target
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.rendered import Factors, Rule, sample_factors
from video_tcav.rendered.factors import FACTORS, ORDERED
from video_tcav.rendered.training import rendered_inputs
from video_tcav.tcav.settings import PLACES, At

Advance = Callable[[int], None]
TWINS: tuple[Twin, ...] = ("frozen", "reversed")
_MEMORY = 4 * 10**9
_SEEDS = 1000
"""Every recording has so many seeds for itself: of its pool, of the clips elsewhere, of each class."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What one model does with a pool of clips.

    Attributes:
        name: of the model.
        rule: how it was trained.
        targets: the classes whose gradients were recorded.
        layers: of the model, the deepest last.
        pool: the clips whose activations were recorded; every combination of factors equally often.
        class_clips: clips of each class.
        grams: by where the gradient was taken (`class`, or `random`: clips that are not in the pool), layer and class. Rows
            of K and columns of C are the pool's clips.
        twin_grams: the same at the deepest layer, with the frozen and then the reversed twins of all clips after them.
    """

    name: str
    rule: Rule
    targets: tuple[str, ...]
    layers: tuple[str, ...]
    pool: tuple[Factors, ...]
    class_clips: tuple[tuple[Factors, ...], ...]
    grams: Mapping[At, Mapping[str, tuple[Gram, ...]]]
    twin_grams: Mapping[At, tuple[Gram, ...]]

    @property
    def deepest(self) -> str:
        return self.layers[-1]

    def rows(self, factor: str, value: str) -> Int[np.ndarray, " row"]:
        """The clips of the pool that have a factor at a value."""
        return np.array([i for i, clip in enumerate(self.pool) if getattr(clip, factor) == value])

    def twin_rows(self, rows: Int[np.ndarray, " row"], twin: Twin) -> Int[np.ndarray, " row"]:
        """The same clips' twins at the deepest layer."""
        return rows + len(self.pool) * (1 + TWINS.index(twin))

    def values(self) -> list[tuple[str, str]]:
        """Every factor with each of its values in the pool."""
        return [
            (factor, value)
            for factor, values in FACTORS.items()
            for value in values
            if any(getattr(clip, factor) == value for clip in self.pool)
        ]


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
        advance: told of every clip that was passed.
    """
    pool = balanced_pool(rule, pool_clips, seed=_SEEDS * seed)
    chosen = tuple(targets or rule.labels)
    classes = [_class_clips(rule, name, class_clips, seed=seed) for name in chosen]
    layers = model.default_layers
    with scratch_folder() as spill:
        space = SpillSpace(_MEMORY, spill)
        stores = {layer: RowStore(space) for layer in layers}
        _record_pool(model, layers, pool, None, stores, advance)
        for twin in TWINS if twins else ():
            _record_pool(model, layers[-1:], pool, twin, stores, advance)
        elsewhere = sample_factors(class_clips, seed=_SEEDS * seed + 1, motion=rule.motions())
        gradients = {layer: RowStore(space) for layer in layers}
        for at in places:
            for name, clips in zip(chosen, classes, strict=True):
                scalar = parse_target(model, name, "log_odds")
                _record_gradients(model, clips if at == "class" else elsewhere, scalar, gradients, advance)
        found = {layer: _split(stores[layer], gradients[layer], class_clips) for layer in layers}
    own: dict[At, slice] = {
        at: slice(len(chosen) * number, len(chosen) * (number + 1)) for number, at in enumerate(places)
    }
    pool_grams = {layer: _first(parts, len(pool)) for layer, parts in found.items()}
    return Recording(
        name=model.name,
        rule=rule,
        targets=chosen,
        layers=layers,
        pool=tuple(pool),
        class_clips=tuple(tuple(clips) for clips in classes),
        grams={at: {layer: parts[which] for layer, parts in pool_grams.items()} for at, which in own.items()},
        twin_grams={at: found[layers[-1]][which] for at, which in own.items()},
    )


def passes(
    rule: Rule, pool_clips: int, class_clips: int, targets: int, *, twins: bool = True, places: Sequence[At] = PLACES
) -> int:
    """How many clips `record_world` passes through the model."""
    versions = 1 + len(TWINS) * twins
    return len(balanced_pool(rule, pool_clips, seed=0)) * versions + class_clips * targets * len(places)


def _class_clips(rule: Rule, name: str, count: int, *, seed: int) -> list[Factors]:
    drawn = sample_factors(count, seed=_SEEDS * seed + 2 + rule.labels.index(name), motion=rule.motions())
    return [clip.with_factor(rule.cause, rule.classes[name]) for clip in drawn]


def balanced_pool(rule: Rule, at_least: int, *, seed: int) -> list[Factors]:
    """Every combination of motion, object and scene equally often, and every clip also played the other way round.

    A concept drawn from it differs from the rest in its own factor alone, and no motion but "sit down" and "stand up" has
    an order of frames, so that a false alarm is one.
    """
    combinations = list(product(rule.motions(), FACTORS["object"], FACTORS["scene"]))
    count = -(-at_least // (2 * len(combinations))) * len(combinations)
    drawn = sample_factors(2 * count, seed=seed)
    places = combinations * (2 * count // len(combinations))
    clips = [
        replace(clip, motion=motion, object=held, scene=scene)  # pyright: ignore[reportArgumentType]
        for clip, (motion, held, scene) in zip(drawn, places, strict=True)
    ]
    once, again = clips[:count], clips[count:]
    return [
        *once,
        *(_other_way(one) if one.motion not in ORDERED else two for one, two in zip(once, again, strict=True)),
    ]


def _other_way(clip: Factors) -> Factors:
    return replace(clip, nuisance=replace(clip.nuisance, backwards=not clip.nuisance.backwards))


def _record_pool(
    model: VideoModel,
    layers: Sequence[str],
    pool: Sequence[Factors],
    twin: Twin | None,
    stores: Mapping[str, RowStore],
    advance: Advance,
) -> None:
    for inputs in rendered_inputs(pool):
        if twin is not None:
            inputs = twin_clip(inputs, twin, time_dim=2)
        for layer, values in record_activations(model, layers, inputs, last=layers[-1]).items():
            stores[layer].append(values.flatten(1))
        advance(len(inputs))


def _record_gradients(
    model: VideoModel,
    clips: Sequence[Factors],
    target: Target,
    stores: Mapping[str, RowStore],
    advance: Advance,
) -> None:
    for inputs in rendered_inputs(clips):
        for layer, values in record_gradients(model, tuple(stores), inputs, target).layers.items():
            stores[layer].append(values.flatten(1))
        advance(len(inputs))


def _split(activations: RowStore, gradients: RowStore, class_clips: int) -> tuple[Gram, ...]:
    """One Gram for each place and class; all share K."""
    found = gram(activations, gradients, range(activations.rows), range(gradients.rows))
    parts = range(0, gradients.rows, class_clips)
    return tuple(Gram(kernel=found.kernel, cross=found.cross[start : start + class_clips]) for start in parts)


def _first(grams: tuple[Gram, ...], rows: int) -> tuple[Gram, ...]:
    """The Grams of the first rows alone, which share one small K."""
    kernel = kernel_of(grams[0].kernel, np.arange(rows))
    return tuple(Gram(kernel=kernel, cross=gram.cross[:, :rows].copy()) for gram in grams)
