"""One attribution method on one model of the rendered world: where its maps lie, what they tell, what they depend on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Clips, Method
from video_tcav.attribution.metrics.explained_clips import Explain, Explained, explain_each
from video_tcav.attribution.metrics.faithfulness import faithfulness
from video_tcav.attribution.metrics.localisation import Mask, dilated, energy_inside, pointing
from video_tcav.attribution.metrics.random_weights import random_copies
from video_tcav.attribution.metrics.sanity import order_similarity, randomisation, shift_stability
from video_tcav.attribution.perturbation import Baseline
from video_tcav.core.errors import MethodError
from video_tcav.models import VideoModel, load_model
from video_tcav.models.outputs import layer_tensor
from video_tcav.rendered import RenderedClip, Rule, render, rule_of
from video_tcav.rendered.training import normalised

TRUTH = "truth"
"""What the true cause itself is called in the place of a method."""
BASELINES: dict[str, Baseline] = {"motion": "blur", "order": "blur", "object": "grey", "scene": "grey"}
"""What takes the cause away: a blurred scene is still that scene, and grey that comes and goes is itself a motion."""
DILATION_PX = 2
"""Half the stride of the networks' first layer: an object is found if the right stride is."""
_NAN = float("nan")
_BACKWARD = 3
"""A forward pass with a backward pass behind it costs as much as so many without."""
_MAPS, _COPIES, _TWINS = (1000, 5), (400, 4), (200, 2)
"""Passes that a method may take for its maps, for those of random networks, and for those of reversed and of moved clips; and
clips that it gets whatever they take."""
_FAITHFUL_CLIPS = 12


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """What became of one method on one model; NaN is what could not be measured.

    Attributes:
        model: name of the model.
        rule: how it was trained.
        method: name of the method, or `truth`: a map of the true cause itself, as the limit of what can be reached.
        clips: that were explained, each for its own class.
        empty: clips of them for whose class nothing spoke; they are left out.
        energy: share of what speaks for the class that lies inside the true cause.
        area: share of all voxels that do, which is what a map gets that knows nothing.
        lift: energy by area.
        pointing: how often the largest value lies inside the true cause.
        deletion: area under the probability as the most important voxels go; low is good.
        deletion_elsewhere: the same for maps as smooth in another place.
        insertion: area under the probability as the most important voxels come back; high is good.
        insertion_elsewhere: the same for maps as smooth in another place.
        checked: clips of them for the checks that follow.
        randomisation: rank correlation with maps of networks that have learned nothing.
        chance: the same for maps of different clips.
        excess_low: lower end of the 95 % interval of the first minus the second.
        fails: whether the maps depend too little on what was learned, see `Randomisation.fails`.
        order_similarity: rank correlation with maps of the clips played backwards; 1 does not notice the order of frames.
        shift_stability: rank correlation with maps of the clips moved by some pixels, moved back.
        passes_per_clip: what a map costs, in forward passes of one clip.
        seconds_per_clip: what it took here.
        note: why something is missing; empty otherwise.
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
    insertion: float = _NAN
    insertion_elsewhere: float = _NAN
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
    """Clips of a model's classes, as it takes them, with the place of what it goes by; for each a copy that knows nothing."""

    model: VideoModel
    rule: Rule
    copies: tuple[VideoModel, ...]
    clips: Clips
    targets: tuple[int, ...]
    cause: Mask

    def part(self, kept: Tensor) -> "_World":
        """Some of the clips."""
        rows = kept.tolist()
        return replace(
            self,
            copies=tuple(self.copies[row] for row in rows),
            clips=self.clips[rows],
            targets=tuple(self.targets[row] for row in rows),
            cause=self.cause[rows],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Maps:
    """Maps of the first clips by one method, and what each of them cost."""

    explain: Explain
    found: Map
    passes: float
    seconds: float


def true_cause(rule: Rule, rendered: RenderedClip) -> Bool[Tensor, "time height width"]:
    """Where the cause of a rule is in a clip.

    Args:
        rule: its cause.
        rendered: a clip with its truth.

    Returns:
        For motion, and its order, all that moves: the figure and what it holds. For an object, the object and two pixels
        around it, as the networks see four at a time. For a scene, all that is neither.
    """
    moving = rendered.mask("figure") | rendered.mask("object")
    if rule.cause == "object":
        return dilated(rendered.mask("object")[None], DILATION_PX)[0]
    return ~moving if rule.cause == "scene" else moving


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
    fields: dict[str, Any] = {"model": model, "rule": world.rule.name, "method": name}
    try:
        maps = _explained(world, partial(explain_each, method))
    except MethodError as reason:
        return MethodResult(**fields, note=str(reason))
    fields |= {"clips": len(maps.found), "passes_per_clip": maps.passes, "seconds_per_clip": maps.seconds}
    empty = len(maps.found) - int((maps.found > 0).flatten(1).any(1).sum())
    if empty:
        fields |= {"empty": empty, "note": f"nothing spoke for the class in {empty} of {len(maps.found)} clips"}
    there = maps.found.isfinite().flatten(1).all(1).nonzero().ravel()
    if not len(there):
        return MethodResult(**fields)
    kept, own = world.part(there), maps.found[there]
    return MethodResult(**fields, **_told(kept, own, seed), **_depends(kept, own, maps))


def check_truth(model: str, *, clips: int, seed: int) -> MethodResult:
    """The same for a map of the true cause itself: what the best of all methods could reach."""
    world = _world(model, clips, seed)
    near = F.avg_pool2d(world.cause.float(), 9, stride=1, padding=4)
    own = torch.where(world.cause, near, near - 1)  # the middle of the cause first, the far away last
    return MethodResult(model=model, rule=world.rule.name, method=TRUTH, clips=len(own), **_told(world, own, seed))


@lru_cache(maxsize=1)
def _world(name: str, clips: int, seed: int) -> _World:
    """Clips that no network was trained on; those whose cause is nowhere to be seen (no object) are left out."""
    model, rule = load_model(name, device="cpu"), rule_of(name.rpartition("-")[2])
    factors, labels = rule.sample(2 * clips, seed=seed)
    rendered = [render(one) for one in factors]
    cause = torch.stack([true_cause(rule, one) for one in rendered])
    seen = cause.flatten(1).any(1).nonzero().ravel()[:clips]
    pixels = torch.stack([rendered[row].clip for row in seen.tolist()])
    targets = tuple(model.class_index(rule.labels[labels[row]]) for row in seen.tolist())
    clips_seen = normalised(pixels)
    return _World(
        model=model,
        rule=rule,
        copies=tuple(random_copies(model, clips_seen, seed=seed)),
        clips=clips_seen,
        targets=targets,
        cause=cause[seen],
    )


def _told(world: _World, own: Map, seed: int) -> dict[str, Any]:
    """Where maps lie, and what becomes of the probability in their order."""
    few = slice(0, _FAITHFUL_CLIPS)
    curves = faithfulness(
        world.model,
        world.clips[few],
        own[few],
        world.targets[few],
        baseline=BASELINES[world.rule.name],
        draws=1,
        seed=seed,
    )
    energy, area = _mean(energy_inside(own, world.cause)), _mean(world.cause.float())
    return {
        "energy": energy,
        "area": area,
        "lift": energy / area,
        "pointing": _mean(pointing(own, world.cause)),
        "deletion": _mean(curves.deletion),
        "deletion_elsewhere": _mean(curves.deletion_elsewhere),
        "insertion": _mean(curves.insertion),
        "insertion_elsewhere": _mean(curves.insertion_elsewhere),
    }


def _depends(world: _World, own: Map, maps: _Maps) -> dict[str, Any]:
    """What maps depend on: what was learned, the order of frames, where things are."""
    many, few = (_affordable(len(own), maps.passes, *budget) for budget in (_COPIES, _TWINS))
    copies = randomisation(_first(world, own, maps, many), copies=world.copies[:many])
    moved = _first(world, own, maps, few)
    return {
        "checked": many,
        "randomisation": _mean(copies.similarity),
        "chance": _mean(copies.chance),
        "excess_low": copies.excess_low,
        "fails": copies.fails,
        "order_similarity": _mean(order_similarity(moved)),
        "shift_stability": _mean(shift_stability(moved)),
    }


def _first(world: _World, own: Map, maps: _Maps, count: int) -> Explained:
    """The first clips with their maps."""
    few = slice(0, count)
    return Explained(
        explain=maps.explain, model=world.model, clips=world.clips[few], targets=world.targets[few], known=own[few]
    )


def _affordable(wanted: int, cost: float, passes: int, least: int) -> int:
    """How many clips so many passes allow; counted, not timed, so that every machine explains the same clips."""
    return min(wanted, max(least, int(passes / max(cost, 1))))


def _explained(world: _World, explain: Explain) -> _Maps:
    """Maps of the first clip, and then of as many more as its cost allows."""
    start = perf_counter()
    with _counted(world.model) as passes:
        first = explain(world.model, world.clips[:1], world.targets[:1])
        rest = slice(1, _affordable(len(world.clips), sum(passes), *_MAPS))
        more = [explain(world.model, world.clips[rest], world.targets[rest])] if rest.stop > 1 else []
    found = torch.cat([first, *more])
    seconds = perf_counter() - start
    return _Maps(explain=explain, found=found, passes=sum(passes) / len(found), seconds=seconds / len(found))


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
