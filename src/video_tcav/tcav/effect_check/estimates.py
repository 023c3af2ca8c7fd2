"""Estimates of what an edit does, from the shift of activations that it makes at a layer: slope, step and clamp."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.gram.agreement import GroupedClips
from video_tcav.recording.settings import Space
from video_tcav.tcav.interventions.operations import CLAMP, STEP, Operation, Point
from video_tcav.tcav.interventions.rerun import LayerRerun
from video_tcav.tcav.settings import At

Estimator = Literal["slope", "step", "clamp"]
PairEstimator = Literal["paired", "difference"]
PairEnd = Literal["without", "with", "both"]
Place = At | PairEnd
"""Clips that estimates are taken at: of the class or random ones, or those of pairs without the concept, with it, or the mean."""
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
_OPERATIONS: Mapping[Estimator, Operation] = {"step": STEP, "clamp": CLAMP}
_POINTS = tuple(point for operation in _OPERATIONS.values() for point in operation.points)


class EstimateKey(NamedTuple):
    """Which estimate: the layer, the feature space, at which clips it is taken, and how."""

    layer: str
    space: Space
    at: Place
    estimator: Estimator | PairEstimator


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """What one estimator says of one edit: the estimate, and the same in bootstrap draws of the groups of all clips."""

    value: float
    draws: Float[np.ndarray, " draw"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimateSite:
    """Clips at one layer, in one feature space, that estimates are taken at.

    Attributes:
        gradients: of the target at each clip.
        clips: draws of the groups that these come from.
        rerun: the rest of the network for the first of these clips; `None` where slopes alone are wanted.
    """

    gradients: Float[Tensor, "clip feature"]
    clips: GroupedClips
    rerun: LayerRerun | None


@dataclass(frozen=True, kw_only=True, eq=False)
class EditShift:
    """How an edit shifts the activations of the clips that it was made of; these stand for concept and random clips.

    Attributes:
        shifts: edited less plain, one row a clip.
        products: inner products of the shifts with each other.
        plain: of the clips as they are, in rows, with the shifts.
        clips: draws of the groups of these clips.
    """

    shifts: Float[Tensor, "edited feature"]
    products: Float[np.ndarray, "edited edited"]
    plain: Float[np.ndarray, "edited edited"]
    clips: GroupedClips

    @classmethod
    def of(
        cls, plain: Float[Tensor, "edited feature"], edited: Float[Tensor, "edited feature"], clips: GroupedClips
    ) -> "EditShift":
        """From the clips before and after the edit."""
        shifts = edited - plain
        return cls(shifts=shifts, products=_products(shifts, shifts), plain=_products(plain, shifts), clips=clips)

    def estimates(self, site: EstimateSite) -> dict[Estimator, Estimate]:
        """Every estimate of the edit at one site."""
        slopes = _products(site.gradients, self.shifts)
        everyone = self._everyone()
        by_clip, in_draws = (weights @ slopes.T for weights in (everyone, self.clips.weights))
        estimates: dict[Estimator, Estimate] = {"slope": _estimate(by_clip[0], in_draws, site.clips)}
        if site.rerun is not None:
            estimates |= self._operated(site.rerun, site.clips.first(site.rerun.clips))
        return estimates

    def paired(
        self, before: Float[Tensor, "edited feature"], after: Float[Tensor, "edited feature"]
    ) -> dict[PairEnd, Estimate]:
        """The slope of each clip times its own shift, with gradients before the edit, after it, and the mean of both.

        The mean is the trapezoidal rule for the integral of the gradient from one clip to the other.
        """
        slopes, slopes_after = ((rows * self.shifts).sum(1).double().numpy() for rows in (before, after))
        by_end: dict[PairEnd, np.ndarray] = {
            "without": slopes,
            "with": slopes_after,
            "both": (slopes + slopes_after) / 2,
        }
        return {
            end: Estimate(value=float(by_clip.mean()), draws=self.clips.weights @ by_clip)
            for end, by_clip in by_end.items()
        }

    def _everyone(self) -> Float[np.ndarray, "one edited"]:
        return np.full((1, len(self.products)), 1 / len(self.products))

    def _operated(self, rerun: LayerRerun, clips: GroupedClips) -> dict[Estimator, Estimate]:
        with rerun.running():
            parts = [self._at_points(rerun, chunk) for chunk in rerun.chunks()]
        by_clip, in_draws = (np.concatenate(values, axis=-1) for values in zip(*parts, strict=True))
        estimates: dict[Estimator, Estimate] = {}
        for name, operation in _OPERATIONS.items():
            weights = np.asarray([point.weight if point in operation.points else 0.0 for point in _POINTS])
            estimates[name] = _estimate(weights @ by_clip, np.einsum("p,pdc->dc", weights, in_draws), clips)
        return estimates

    def _at_points(
        self, rerun: LayerRerun, clips: Int[np.ndarray, " clip"]
    ) -> tuple[Float[np.ndarray, "point clip"], Float[np.ndarray, "point draw clip"]]:
        """The target of some clips at every point of the operations, and the same in draws."""
        coordinates = _products(rerun.features(clips), self.shifts)
        step = self.shifts.double().mean(0).to(self.shifts.dtype)[None]
        observed = [self._multiples(point, self._everyone(), coordinates) for point in _POINTS]
        # all points at once: a small rest of a network takes as long for one clip as for many
        reruns = rerun.with_gradients(np.concatenate(observed, axis=None), step, np.tile(clips, len(_POINTS)))
        targets = reruns.targets.reshape(len(_POINTS), -1)
        slopes = _products(reruns.gradients, self.shifts).reshape(len(_POINTS), len(clips), -1)
        # To run the network for each draw would take a thousand times as long: from the observed shift to that of a draw the
        # target is taken as straight, by the gradients at the point.
        in_draws = [
            target
            + self._multiples(point, self.clips.weights, coordinates) * (self.clips.weights @ slope.T)
            - multiples * (self._everyone() @ slope.T)
            for point, target, slope, multiples in zip(_POINTS, targets, slopes, observed, strict=True)
        ]
        return targets, np.stack(in_draws)

    def _multiples(
        self, point: Point, weights: Float[np.ndarray, "draw edited"], coordinates: Float[np.ndarray, "clip edited"]
    ) -> Float[np.ndarray, "draw clip"]:
        """How many times the mean shift each clip is moved to a point, if the edited clips have these weights.

        `coordinates` are the inner products of the clips with the shifts.
        """
        length = np.einsum("de,ef,df->d", weights, self.products, weights)
        plain = np.einsum("de,ef,df->d", weights, self.plain, weights)
        means = point.concept * (plain + length) + point.random * plain
        moved = means[:, None] + point.clip * (weights @ coordinates.T)
        # an edit that shifts nothing moves no clip
        return np.divide(moved, length[:, None], out=np.zeros_like(moved), where=length[:, None] > 0)


def _estimate(
    by_clip: Float[np.ndarray, " clip"], in_draws: Float[np.ndarray, "draw clip"], clips: GroupedClips
) -> Estimate:
    return Estimate(value=float(by_clip.mean()), draws=np.einsum("dc,dc->d", clips.weights, in_draws))


def _products(first: Tensor, second: Tensor) -> np.ndarray:
    return (first @ second.T).double().numpy()
