"""Operations along the CAV of one concept at one layer: effects, bootstrap draws, null, and directions of the manifold."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from video_tcav.core import random_streams
from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import Labelling
from video_tcav.gram.design import Design
from video_tcav.gram.grouped_share import UNKNOWN_SHARE, GroupedShare
from video_tcav.gram.kernel import Kernel, unit_coefficients
from video_tcav.gram.resampling import Resamples
from video_tcav.gram.studentised import contrast
from video_tcav.tcav.interventions.directions import Directions
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.effects import NO_CAVS, OperationAlong, OperationDraws, Sides
from video_tcav.tcav.interventions.layer_clips import LayerClips
from video_tcav.tcav.interventions.manifold import NearestNeighbours, leading_components
from video_tcav.tcav.interventions.operations import UNEDITED, Operation, Point
from video_tcav.tcav.interventions.rerun import Reruns

MANIFOLD_DIRECTIONS = 20
_DRAWS_AT_ONCE = 16  # CAVs of permuted labels whose vectors are held together


class ConceptEdits:
    """One concept's CAV at one layer; use it inside `rerun.running`.

    Args:
        clips: what is edited.
        design: labels and groups of the comparison's clips.
        rows: where these lie among the recorded rows.
        kernel: their inner products.
        settings: see there.
    """

    def __init__(
        self,
        clips: LayerClips,
        design: Design,
        rows: Int[np.ndarray, " row"],
        kernel: Kernel,
        settings: EditSettings,
    ) -> None:
        assert isinstance(kernel, np.ndarray)  # rows were kept whole
        self._clips, self._design, self._rows, self._kernel, self._settings = clips, design, rows, kernel, settings
        self._observed = self._directions(Labelling(labels=design.labels[None]))
        self._vector = clips.rows.vectors(rows, self._observed.units)
        self._products = clips.products[rows]
        self._clean_products = self._products if clips.clean is None else clips.clean.products[rows]
        self._reached: dict[Point, tuple[Reruns, Float[np.ndarray, "row clip"]]] = {}

    def draws(
        self, operation: Operation, null: OperationAlong = NO_CAVS, manifold: OperationAlong = NO_CAVS
    ) -> OperationDraws:
        """An operation's effect with its bootstrap draws; what it is compared with comes from `null_effects` and others."""
        by_clip = self.by_clip(operation)
        return OperationDraws(
            resamples=self._resamples(operation, by_clip),
            sides=self.sides(operation),
            class_groups=len(set(self._clips.class_groups)),
            null=null.effects,
            manifold=manifold.effects,
            changed=self._changed(operation),
            null_changed=null.changed,
            far=self._far(operation),
            reruns={UNEDITED: self._clips.unedited}
            | {replace(point, weight=1.0): self._at(point)[0] for point in operation.points},
        )

    def by_clip(self, operation: Operation) -> Float[np.ndarray, " clip"]:
        """The effect at each class clip."""
        values = np.sum([point.weight * self._at(point)[0].targets for point in operation.points], axis=0)
        return values / self._clips.unit.mean()

    def null_effects(
        self, operations: Sequence[Operation], advance: Advance = no_progress
    ) -> dict[str, OperationAlong]:
        """Operations along CAVs of permuted labels, the first ones of the test."""
        left, effects = self._settings.relabellings, []
        for labels in self._design.label_permutations(self._settings.permutations, self._settings.seed):
            for start in range(0, min(left, len(labels)), _DRAWS_AT_ONCE):
                chosen = labels[start : min(left, start + _DRAWS_AT_ONCE)]
                effects.append(self._effects_along(self._directions(Labelling(labels=chosen)), operations, advance))
            left -= min(left, len(labels))
            if not left:
                break
        return {
            operation.name: OperationAlong.joined([part[operation.name] for part in effects])
            for operation in operations
        }

    def manifold_effects(
        self, operations: Sequence[Operation], advance: Advance = no_progress
    ) -> dict[str, OperationAlong]:
        """Operations along random directions that the recorded clips themselves vary in, as far apart."""
        components = leading_components(self._kernel)
        generator = np.random.default_rng([self._settings.seed, random_streams.MANIFOLD_DIRECTIONS])
        mixed = generator.standard_normal((MANIFOLD_DIRECTIONS, len(components))) @ components
        units = unit_coefficients(self._kernel, mixed)
        middle = (units @ self._kernel).mean(1) + units @ self._clips.rows.centre[self._rows]
        half = (self._observed.concept - self._observed.random) / 2
        along = Directions(units=units, concept=middle + half, random=middle - half)
        return self._effects_along(along, operations, advance)

    def sides(self, operation: Operation) -> Sides:
        """How the variance of an operation's effect divides between concept and random groups."""
        return sides_of(self._design, self.responses(operation))

    def responses(self, operation: Operation) -> Float[np.ndarray, " row"]:
        """What each recorded clip does to the effect, to first order, if it counts as a concept clip."""
        edited = [point for point in operation.points if not point.is_unedited]
        return np.sum([abs(point.weight) * self._at(point)[1].mean(1) for point in edited], axis=0)

    def _directions(self, labelling: Labelling) -> Directions:
        return self._clips.rows.directions(self._settings.fitter, self._kernel, self._rows, labelling)

    def _at(self, point: Point) -> tuple[Reruns, Float[np.ndarray, "row clip"]]:
        """The class clips at a point, and the gradients there times each of the comparison's rows."""
        where = replace(point, weight=1.0)
        if where not in self._reached:
            if point.is_unedited:
                self._reached[where] = (self._clips.unedited, np.zeros_like(self._products))
            elif self._clips.compared:
                along, shifts = self._others, np.diagonal(self._shifts(self._others, point))
                self._reached[where] = self._clips.with_slopes(
                    lambda clips: (shifts[clips], self._clips.rows.vectors(self._rows, along.units[clips])), self._rows
                )
            else:
                shifts = self._shifts(self._observed, point)[0]
                self._reached[where] = self._clips.with_slopes(lambda clips: (shifts[clips], self._vector), self._rows)
        return self._reached[where]

    @cached_property
    def _others(self) -> Directions:
        """For each clip the CAV without its own group, which would pull the CAV towards that clip's own activation."""
        groups, group_of = np.unique(np.asarray(self._clips.class_groups), return_inverse=True)
        weights = (self._design.groups != groups[:, None]).astype(float)
        weights /= weights.mean(1, keepdims=True)
        labels = np.broadcast_to(self._design.labels, weights.shape)
        return self._directions(Labelling(labels=labels, weights=weights)).take(group_of)

    def _first_order(self, operation: Operation, along: Directions) -> Float[np.ndarray, "draw clip"]:
        """Σ over points of weight × δ × gradient · u, with the gradients at the points of the observed CAV."""
        total = np.zeros((len(along.units), self._clips.rerun.clips))
        for point in operation.points:
            if not point.is_unedited:
                total += point.weight * self._shifts(along, point) * (along.units @ self._at(point)[1])
        return total / self._clips.unit.mean()

    def _shifts(self, along: Directions, point: Point) -> Float[np.ndarray, "draw clip"]:
        return along.shifts(point, along.units @ self._products, along.units @ self._clean_products)

    def _resamples(self, operation: Operation, by_clip: Float[np.ndarray, " clip"]) -> Resamples:
        # To run the network for every draw would take a thousand times as long: between the observed CAV and that of a
        # draw the target is taken as straight. The points themselves are run.
        observed = self._first_order(operation, self._observed)[0]
        first_orders = [self._first_order(operation, along) for along in self._resampled]
        drawn = by_clip + np.concatenate(first_orders) - observed
        unit = self._clips.unit / self._clips.unit.mean()
        independent = np.concatenate(list(self._clips.class_weights(self._settings)))
        lost = independent @ unit
        resamples = Resamples(
            by_clip=by_clip,
            clips=drawn.mean(1),
            class_clips=independent @ by_clip / lost,
            joint=np.einsum("dc,dc->d", drawn, independent) / lost,
        )
        if not self._clips.compared:
            return resamples
        weights = np.concatenate(list(self._clips.class_weights(self._settings, random_streams.GROUP_BOOTSTRAP)))
        return resamples.in_same_groups(np.einsum("dc,dc->d", drawn, weights))

    @cached_property
    def _resampled(self) -> list[Directions]:
        """The CAV in bootstrap draws of the groups: learned once, for all operations."""
        weights = self._design.bootstrap(self._settings.bootstraps, self._settings.seed)
        return [
            self._directions(Labelling(labels=np.broadcast_to(self._design.labels, drawn.shape), weights=drawn))
            for drawn in weights
        ]

    def _effects_along(
        self, along: Directions, operations: Sequence[Operation], advance: Advance
    ) -> dict[str, OperationAlong]:
        vectors = self._clips.rows.vectors(self._rows, along.units)
        points = {replace(point, weight=1.0) for operation in operations for point in operation.points}
        means: dict[Point, np.ndarray] = {}
        changed: dict[Point, np.ndarray] = {}
        for point in sorted(points, key=str):
            if point.is_unedited:
                means[point] = np.full(len(along.units), self._clips.unedited.targets.mean())
            else:
                reruns = self._clips.rerun.edited_along(self._shifts(along, point), vectors)
                means[point] = reruns.targets.reshape(len(vectors), -1).mean(1)
                predicted = reruns.predicted.reshape(len(vectors), -1)
                changed[point] = (predicted != self._clips.unedited.predicted).mean(1)
        advance(len(along.units))
        return {
            operation.name: OperationAlong(
                effects=np.sum([point.weight * means[replace(point, weight=1.0)] for point in operation.points], axis=0)
                / self._clips.unit.mean(),
                changed=changed[replace(operation.points[1], weight=1.0)]
                if operation.begins_unedited and self._clips.has_classes
                else np.zeros(0),
            )
            for operation in operations
        }

    def _changed(self, operation: Operation) -> GroupedShare:
        """The class clips that get another first class; of operations that begin with the clip as it is."""
        if not operation.begins_unedited or not self._clips.has_classes:
            return UNKNOWN_SHARE
        return self._clips.changed_share(self._at(operation.points[1])[0])

    def _far(self, operation: Operation) -> float:
        neighbours = self._neighbours
        own = (self._observed.units @ self._products)[0]
        shares = [
            neighbours.share_far(self._shifts(self._observed, point).T, own[:, None], self._along[:, None])
            for point in operation.points
            if not point.is_unedited
        ]
        return max(shares, default=0.0)

    @cached_property
    def _along(self) -> Float[np.ndarray, " row"]:
        """Coordinate of each of the comparison's clips along the CAV."""
        return (self._observed.units @ self._kernel)[0] + float(
            self._observed.units[0] @ self._clips.rows.centre[self._rows]
        )

    @cached_property
    def _neighbours(self) -> NearestNeighbours:
        return NearestNeighbours.of(
            kernel=self._kernel,
            centre=self._clips.rows.centre[self._rows],
            centre_length=self._clips.rows.centre_length,
            products=self._products,
            clips=self._clips.own_products,
        )


def sides_of(design: Design, responses: Float[np.ndarray, " row"]) -> Sides:
    """Variance of responses by kind of group; see `Contrast.sides`."""
    return contrast(design, responses[:, None], design.labels[None]).variances(0)


def both_sides(design: Design, first: ConceptEdits, second: ConceptEdits, operation: Operation) -> Sides:
    """The sides of the difference of an operation along two CAVs, as behind motion and order effects."""
    return sides_of(design, first.responses(operation) - second.responses(operation))
