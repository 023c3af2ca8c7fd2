"""Class × value cells of rendered models: what each estimator says of a factor's value, beside the intervention on pixels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from benchmarks.calibration.interventions import interventional_effects
from benchmarks.calibration.world import World, sample_world
from benchmarks.interventions.rendered_layers import (
    RANDOM_CLIPS,
    RecordedLayer,
    RecordedWorld,
    recorded_world,
    tail_odds,
)
from jaxtyping import Bool, Float

from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.models import VideoModel
from video_tcav.models.tail import Tail
from video_tcav.rendered import Rule
from video_tcav.tcav.interventions.directions import Directions
from video_tcav.tcav.interventions.operations import CLAMP, STEP, Operation
from video_tcav.tcav.settings import PLACES

BASELINE = "baseline"
ESTIMATORS = (BASELINE, *(f"{name}_{at}" for name in ("slope", STEP.name, CLAMP.name) for at in PLACES))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value of one factor, and one class, at one layer.

    Attributes:
        model: its name.
        layer: dotted module name.
        behind: stages that follow this one; 0 at the deepest.
        drawing: seed of all clips.
        correlation: share of the pool's clips whose object and scene follow their motion.
        cav: kind of CAV.
        target: class.
        factor: of the world.
        value: the concept.
        is_cause: whether the factor decides the class.
        truth: the interventional effect on pixels, in log-odds.
        truth_error: its standard error.
        nil: whether its 95 % interval holds zero.
        effects: in log-odds, by estimator.
    """

    model: str
    layer: str
    behind: int
    drawing: int
    correlation: float
    cav: str
    target: str
    factor: str
    value: str
    is_cause: bool
    truth: float
    truth_error: float
    nil: bool
    effects: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """Of a table: a column an estimator."""
        fields = asdict(self)
        return fields | fields.pop("effects")


def cells(
    model: VideoModel,
    rule: Rule,
    fitter: CavFitter,
    *,
    pool_clips: int,
    class_clips: int,
    drawing: int,
    correlation: float = 0.0,
) -> Iterator[Cell]:
    """All cells of one model and drawing, at every stage.

    Args:
        model: a rendered model.
        rule: how it was trained.
        fitter: how CAVs are learned, from the whole pool.
        pool_clips: at least so many clips in it.
        class_clips: of each class: they are edited, as pixels and at layers.
        drawing: seed of all clips.
        correlation: above 0 the pool is confounded, see `sample_world`.
    """
    world = sample_world(
        model, rule, pool_clips=pool_clips, class_clips=class_clips, seed=drawing, correlation=correlation
    )
    truth = {
        (each.target, each.factor, each.value): each for each in interventional_effects(model, world, clips=class_clips)
    }
    labels = np.array([np.isin(np.arange(len(world.pool)), world.rows(*value)) for value in world.values()])
    with recorded_world(model, world, seed=drawing) as recorded:
        baseline = _baseline(recorded, labels)
        for behind, layer in enumerate(reversed(world.layers)):
            estimates = {
                BASELINE: baseline,
                **_estimates(Tail(model, layer), recorded, recorded.layers[layer], labels, fitter),
            }
            for number, target in enumerate(world.targets):
                for row, (factor, value) in enumerate(world.values()):
                    intervention = truth[target, factor, value]
                    yield Cell(
                        model=world.name,
                        layer=layer,
                        behind=behind,
                        drawing=drawing,
                        correlation=correlation,
                        cav=fitter.name,
                        target=target,
                        factor=factor,
                        value=value,
                        is_cause=factor == rule.cause,
                        truth=intervention.effect,
                        truth_error=intervention.error,
                        nil=intervention.nil,
                        effects={name: float(effects[row, number]) for name, effects in estimates.items()},
                    )


Effects = Float[np.ndarray, "value class"]


def _baseline(recorded: RecordedWorld, labels: Bool[np.ndarray, "value clip"]) -> Effects:
    """Mean log-odds of concept clips less those of random clips: no CAV, no layer."""
    return Labelling(labels=labels).contrast @ recorded.pool_odds.numpy().T


def _estimates(
    tail: Tail,
    recorded: RecordedWorld,
    layer: RecordedLayer,
    labels: Bool[np.ndarray, "value clip"],
    fitter: CavFitter,
) -> dict[str, Effects]:
    everyone = np.arange(labels.shape[1])
    along = layer.rows.directions(fitter, layer.kernel, everyone, Labelling(labels=labels))
    vectors = layer.rows.vectors(everyone, along.units)
    distance = (along.concept - along.random)[:, None]
    estimates = {f"slope_{at}": distance * (vectors.double() @ layer.gradients[at].T).numpy() for at in PLACES}
    with tail.running():
        for operation in (STEP, CLAMP):
            by_clip = np.stack(
                [
                    _edited(tail, recorded, layer.outputs, operation, _only(along, row), vectors[row])
                    for row in range(len(labels))
                ]
            )
            for at, clips in _clips_of(recorded.world).items():
                means = [by_clip[:, number, chosen].mean(1) for number, chosen in enumerate(clips)]
                estimates[f"{operation.name}_{at}"] = np.stack(means, axis=1)
    return estimates


def _only(along: Directions, row: int) -> Directions:
    chosen = slice(row, row + 1)
    return Directions(units=along.units[chosen], concept=along.concept[chosen], random=along.random[chosen])


def _edited(
    tail: Tail,
    recorded: RecordedWorld,
    outputs: Float[torch.Tensor, "clip ..."],
    operation: Operation,
    along: Directions,
    vector: Float[torch.Tensor, " feature"],
) -> Float[np.ndarray, "class clip"]:
    """An operation's effect on every class at every clip."""
    coordinates = (outputs.flatten(1) @ vector)[None].double().numpy()
    total = np.zeros((len(recorded.targets), len(outputs)))
    for point in operation.points:
        shifts = torch.from_numpy(along.shifts(point, coordinates, coordinates)[0]).float()
        edited = outputs + (shifts[:, None] * vector).reshape(outputs.shape)
        total += point.weight * tail_odds(tail, recorded.targets, edited).numpy()
    return total


def _clips_of(world: World) -> dict[str, Sequence[slice]]:
    """Where the clips of each class lie among the edited ones, and where the random clips do."""
    size = len(world.class_clips[0])
    classes = [slice(number * size, (number + 1) * size) for number in range(len(world.targets))]
    last = len(classes) * size
    return {"class": classes, "random": [slice(last, last + RANDOM_CLIPS)] * len(classes)}
