"""Checks of one attribution method on one rendered model: localisation, faithfulness, sanity."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

import torch
from benchmarks.attribution_table.concept_rows import PlantedConceptMap
from benchmarks.attribution_table.model_free import MODEL_FREE
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Clips, Method
from video_tcav.attribution.metrics.faithfulness import CHECKS, Check, Faithfulness, faithfulness, maps_of_other_clips
from video_tcav.attribution.metrics.localisation import Mask, energy_inside, pointing
from video_tcav.attribution.metrics.random_weights import random_copies
from video_tcav.attribution.metrics.sanity import (
    Explain,
    Explained,
    explain_each,
    order_similarity,
    randomisation,
    shift_stability,
)
from video_tcav.benchmark.clips import cause_clips
from video_tcav.benchmark.truth import BASELINES, truth_maps
from video_tcav.core.errors import MethodError
from video_tcav.explanation.verdicts import paired_comparison
from video_tcav.models import VideoModel, load_model
from video_tcav.models.outputs import layer_tensor
from video_tcav.rendered import Rule, rule_of
from video_tcav.rendered.training import normalised

# The name under which a map of the true cause is in the table, in place of a method.
TRUTH = "truth"
_NAN = float("nan")
# A forward and backward pass costs as much as so many forward passes.
_BACKWARD = 3
# Budgets of passes for maps, for maps of random networks, and for maps of reversed and moved clips; each with the number of
# clips that are explained in any case.
_MAPS, _COPIES, _TWINS = (1000, 5), (400, 4), (200, 2)
_FAITHFUL_CLIPS = 12  # for deletion and insertion curves, the slowest check


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """All measures of one method on one model; NaN where one could not be measured.

    Attributes:
        model: name of the model.
        rule: how it was trained.
        method: name of the method, or `truth`: a map of the true cause itself, as the limit of what can be reached.
        clips: that were explained, each for its own class.
        empty: clips of them without a positive value; they are left out.
        energy: share of the positive values that lies inside the true cause.
        area: share of all voxels inside the true cause: the energy of an uninformative map.
        lift: energy by area.
        pointing: how often the largest value lies inside the true cause.
        deletion: area under the probability as the most important voxels go; low is good.
        deletion_elsewhere: the same for maps as smooth in another place.
        deletion_other_clips: the same for the method's maps of other clips.
        insertion: area under the probability as the most important voxels come back; high is good.
        insertion_elsewhere: the same for maps as smooth in another place.
        insertion_other_clips: the same for the method's maps of other clips.
        gain_low: lower end of the 95 % interval of `deletion_elsewhere` minus `deletion`, over clips.
        gain_other_clips_low: the same of `deletion_other_clips` minus `deletion`.
        model_free: which map without a model is best at deletion on these clips; empty for these maps themselves and the truth.
        model_free_deletion: its deletion.
        gain_model_free_low: lower end of the interval of that minus `deletion`.
        checked: clips of them for the checks that follow.
        randomisation: rank correlation with maps of networks with random weights.
        chance: the same for maps of different clips.
        excess_low: lower end of the 95 % interval of the first minus the second.
        fails: whether the maps depend too little on the learned weights, see `Randomisation.fails`.
        order_similarity: rank correlation with maps of the clips played backwards; 1: the map ignores the order of frames.
        shift_stability: rank correlation with maps of the clips moved by some pixels, moved back.
        passes_per_clip: cost of a map, in forward passes of one clip.
        seconds_per_clip: wall time of a map.
        note: why a measure is missing; empty otherwise.
    """

    model: str
    rule: str
    method: str
    clips: int = 0
    empty: int = 0
    energy: float = _NAN
    area: float = _NAN
    lift: float = _NAN
    pointing: float = _NAN
    deletion: float = _NAN
    deletion_elsewhere: float = _NAN
    deletion_other_clips: float = _NAN
    insertion: float = _NAN
    insertion_elsewhere: float = _NAN
    insertion_other_clips: float = _NAN
    gain_low: float = _NAN
    gain_other_clips_low: float = _NAN
    model_free: str = ""
    model_free_deletion: float = _NAN
    gain_model_free_low: float = _NAN
    checked: int = 0
    randomisation: float = _NAN
    chance: float = _NAN
    excess_low: float = _NAN
    fails: bool | None = None
    order_similarity: float = _NAN
    shift_stability: float = _NAN
    passes_per_clip: float = _NAN
    seconds_per_clip: float = _NAN
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class _World:
    """Prepared clips of a model's classes with masks of the true cause, and for each a copy of the model with random weights."""

    model: VideoModel
    rule: Rule
    copies: tuple[VideoModel, ...]
    clips: Clips
    targets: tuple[int, ...]
    cause: Mask

    def part(self, rows: Tensor) -> "_World":
        """A subset of the clips."""
        numbers = rows.tolist()
        return replace(
            self,
            copies=tuple(self.copies[row] for row in numbers),
            clips=self.clips[numbers],
            targets=tuple(self.targets[row] for row in numbers),
            cause=self.cause[numbers],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Maps:
    """Maps of the first clips by one method, and the cost of each."""

    explain: Explain
    values: Map
    passes: float
    seconds: float


def check_method(model: str, name: str, method: Method, *, clips: int, seed: int) -> MethodResult:
    """Measure one method on one model; where it does not apply, the note says why.

    Args:
        model: of the rendered world.
        name: of the method.
        method: with its settings.
        clips: to explain at most.
        seed: of clips, weights and moves.
    """
    world = _world(model, clips, seed)
    if isinstance(method, PlantedConceptMap):
        method.learn(world.model, world.targets)
    fields: dict[str, Any] = {"model": model, "rule": world.rule.name, "method": name}
    try:
        maps = _explain_affordable(world, partial(explain_each, method))
    except MethodError as reason:
        return MethodResult(**fields, note=str(reason))
    fields |= {"clips": len(maps.values), "passes_per_clip": maps.passes, "seconds_per_clip": maps.seconds}
    empty = len(maps.values) - int((maps.values > 0).flatten(1).any(1).sum())
    if empty:
        fields |= {"empty": empty, "note": f"nothing spoke for the class in {empty} of {len(maps.values)} clips"}
    finite = maps.values.isfinite().flatten(1).all(1).nonzero().ravel()
    if not len(finite):
        return MethodResult(**fields)
    explained, maps_of_clips = world.part(finite), maps.values[finite]
    fields |= _localised(explained, maps_of_clips)
    curves = _curves(explained, maps_of_clips, seed)
    fields |= _faithful(curves)
    if name not in MODEL_FREE:
        fields |= _beside_model_free(model, clips, seed, finite, curves.deletion)
    return MethodResult(**fields, **_sanity_checked(explained, maps_of_clips, maps))


def check_truth(model: str, *, clips: int, seed: int) -> MethodResult:
    """The same for a map of the true cause itself: the best that any method could reach."""
    world = _world(model, clips, seed)
    truth = truth_maps(world.cause)
    return MethodResult(
        model=model,
        rule=world.rule.name,
        method=TRUTH,
        clips=len(truth),
        **_localised(world, truth),
        **_faithful(_curves(world, truth, seed)),
    )


@lru_cache(maxsize=1)
def _world(name: str, clips: int, seed: int) -> _World:
    """Clips that no network was trained on; those whose cause is nowhere to be seen (no object) are left out."""
    model, rule = load_model(name, device="cpu"), rule_of(name.rpartition("-")[2])
    visible = cause_clips(rule, clips, seed=seed)
    clips_seen = normalised(visible.pixels)
    return _World(
        model=model,
        rule=rule,
        copies=tuple(random_copies(model, clips_seen, seed=seed)),
        clips=clips_seen,
        targets=tuple(model.class_index(label) for label in visible.labels),
        cause=visible.cause,
    )


def _localised(world: _World, maps: Map) -> dict[str, Any]:
    """Where the maps lie, beside the true cause."""
    energy, area = _mean(energy_inside(maps, world.cause)), _mean(world.cause.float())
    return {"energy": energy, "area": area, "lift": energy / area, "pointing": _mean(pointing(maps, world.cause))}


def _curves(world: _World, maps: Map, seed: int, checks: Sequence[Check] = CHECKS) -> Faithfulness:
    """Deletion and insertion of the first clips, beside one map elsewhere and one of another clip each."""
    few = slice(0, _FAITHFUL_CLIPS)
    return faithfulness(
        world.model,
        world.clips[few],
        maps[few],
        world.targets[few],
        baseline=BASELINES[world.rule.name],
        draws=1,
        seed=seed,
        checks=checks,
        other_clips=maps_of_other_clips(maps[few]),
    )


def _faithful(curves: Faithfulness) -> dict[str, Any]:
    """Averages over clips, and how sure the gains over both opponents are."""
    areas = ("deletion", "insertion")
    names = [f"{area}{opponent}" for area in areas for opponent in ("", "_elsewhere", "_other_clips")]
    return {
        **{name: _mean(getattr(curves, name)) for name in names},
        "gain_low": paired_comparison(curves.deletion_gain.numpy()).low,
        "gain_other_clips_low": paired_comparison(curves.deletion_gain_other_clips.numpy()).low,
    }


def _beside_model_free(
    model: str, clips: int, seed: int, rows: Int[Tensor, " row"], deletion: Float[Tensor, " clip"]
) -> dict[str, Any]:
    """The best of the maps that use no model, on the same clips."""
    checked_rows = rows[: len(deletion)]
    # Clips that a method has no map of are followed by others, whose model-free curves were perhaps not measured.
    measured = checked_rows < _FAITHFUL_CLIPS
    areas = {name: area[checked_rows[measured]] for name, area in _model_free_deletion(model, clips, seed).items()}
    best = min(areas, key=lambda name: _mean(areas[name]))
    return {
        "model_free": best,
        "model_free_deletion": _mean(areas[best]),
        "gain_model_free_low": paired_comparison((areas[best] - deletion[measured]).numpy()).low,
    }


@lru_cache(maxsize=1)
def _model_free_deletion(model: str, clips: int, seed: int) -> dict[str, Float[Tensor, " clip"]]:
    """Deletion of each clip by each map that uses no model."""
    world = _world(model, clips, seed)
    return {
        name: _curves(
            world, explain_each(kind(), world.model, world.clips, world.targets), seed, ("deletion",)
        ).deletion
        for name, kind in MODEL_FREE.items()
    }


def _sanity_checked(world: _World, values: Map, maps: _Maps) -> dict[str, Any]:
    """Sanity checks: dependence on weights, order of frames and position."""
    many, few = (_affordable(len(values), maps.passes, *budget) for budget in (_COPIES, _TWINS))
    copies = randomisation(_first_clips(world, values, maps, many), copies=world.copies[:many])
    moved = _first_clips(world, values, maps, few)
    return {
        "checked": many,
        "randomisation": _mean(copies.similarity),
        "chance": _mean(copies.chance),
        "excess_low": copies.excess_low,
        "fails": copies.fails,
        "order_similarity": _mean(order_similarity(moved)),
        "shift_stability": _mean(shift_stability(moved)),
    }


def _first_clips(world: _World, values: Map, maps: _Maps, count: int) -> Explained:
    """The first clips with their maps."""
    few = slice(0, count)
    return Explained(
        explain=maps.explain,
        model=world.model,
        clips=world.clips[few],
        targets=world.targets[few],
        precomputed=values[few],
    )


def _affordable(wanted: int, cost: float, passes: int, least: int) -> int:
    """How many clips so many passes allow; counted, not timed, so that every machine explains the same clips."""
    return min(wanted, max(least, int(passes / max(cost, 1))))


def _explain_affordable(world: _World, explain: Explain) -> _Maps:
    """Maps of the first clip, and then of as many more as its cost allows."""
    start = perf_counter()
    with _counted(world.model) as passes:
        first = explain(world.model, world.clips[:1], world.targets[:1])
        following = slice(1, _affordable(len(world.clips), sum(passes), *_MAPS))
        more = [explain(world.model, world.clips[following], world.targets[following])] if following.stop > 1 else []
    values = torch.cat([first, *more])
    seconds = perf_counter() - start
    return _Maps(explain=explain, values=values, passes=sum(passes) / len(values), seconds=seconds / len(values))


@contextmanager
def _counted(model: VideoModel) -> Iterator[list[int]]:
    """Clips that pass through the model, those with a backward pass several times."""
    passes: list[int] = []

    def count(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
        logits = layer_tensor(output)
        passes.append(len(logits) * (_BACKWARD if logits.requires_grad else 1))

    handle = model.module.register_forward_hook(count)
    try:
        yield passes
    finally:
        handle.remove()


def _mean(values: Float[Tensor, "..."]) -> float:
    return float(values.nanmean())
