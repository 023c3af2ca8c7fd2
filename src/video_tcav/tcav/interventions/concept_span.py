"""Removing several concepts at once: the span of their CAVs, in which clips get the coordinates of the mean random clip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import Labelling
from video_tcav.gram.design import Design
from video_tcav.gram.grouped_share import UNKNOWN_SHARE
from video_tcav.gram.kernel import Kernel, kernel_of
from video_tcav.gram.resampling import Resamples
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.effects import OperationAlong, OperationDraws
from video_tcav.tcav.interventions.layer_clips import LayerClips
from video_tcav.tcav.interventions.manifold import NearestNeighbours
from video_tcav.tcav.interventions.operations import AT_RANDOM, UNEDITED
from video_tcav.tcav.interventions.rerun import Reruns

_DEPENDENT = 1e-6  # of the largest eigenvalue: rows are float32, so a smaller one is rounding and no axis
_DRAWS_AT_ONCE = 16  # spans of permuted labels whose vectors are held together


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanMember:
    """One concept's clips and its negatives.

    Attributes:
        design: labels and groups.
        rows: where the clips lie among the recorded rows.
    """

    design: Design
    rows: Int[np.ndarray, " row"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Spans:
    """Orthonormal axes of the span of several CAVs, one span a draw.

    Attributes:
        axes: coefficients over all recorded clips; zero for an axis that the span lacks, where CAVs depend on each other.
        random: coordinates of the mean random clip; where the concepts have other random clips each, of the mean of these means.
    """

    axes: Float[np.ndarray, "draw axis row"]
    random: Float[np.ndarray, "draw axis"]

    def shifts(self, clips: Float[np.ndarray, "row clip"]) -> Float[np.ndarray, "draw axis clip"]:
        """How far each clip is moved along each axis, given its inner products with the recorded ones."""
        return self.random[..., None] - self.axes @ clips


def orthonormal_axes(
    units: Float[np.ndarray, "draw cav row"], kernel: Float[np.ndarray, "row row"]
) -> Float[np.ndarray, "draw axis row"]:
    """Coefficients of orthonormal vectors with the same span as some unit CAVs; zero where there are fewer than CAVs.

    Source:
        What a QR decomposition of the vectors gives, but for a rotation, from their inner products alone.
    """
    values, vectors = np.linalg.eigh(np.einsum("dkr,djr->dkj", units @ kernel, units))
    is_axis = values > _DEPENDENT * values[:, -1:]
    scales = np.where(is_axis, 1 / np.sqrt(np.where(is_axis, values, 1.0)), 0.0)
    return np.einsum("dkj,dkr->djr", vectors, units) * scales[:, :, None]


class SpanRemoval:
    """Removal of several concepts at one layer; use it inside `rerun.running`.

    Args:
        clips: what is edited.
        members: the concepts.
        kernel: inner products of all recorded rows.
        settings: as for one concept.
    """

    def __init__(
        self, clips: LayerClips, members: Sequence[SpanMember], kernel: Kernel, settings: EditSettings
    ) -> None:
        assert isinstance(kernel, np.ndarray)  # rows were kept whole
        self._clips, self._members, self._kernel, self._settings = clips, members, kernel, settings
        self._observed = self._spans([Labelling(labels=member.design.labels[None]) for member in members])

    @cached_property
    def edited(self) -> Reruns:
        """The class clips without the concepts."""
        return self._at_observed[0]

    @property
    def by_clip(self) -> Float[np.ndarray, " clip"]:
        """What each class clip loses without the concepts."""
        return self._clips.unedited.targets - self.edited.targets

    def draws(self, null: OperationAlong) -> OperationDraws:
        """The removal with its bootstrap draws; `null` comes from `null_effects`."""
        fewest = min(min(member.design.n_concept_groups, member.design.n_random_groups) for member in self._members)
        return OperationDraws(
            resamples=self._resamples(),
            sides=((1.0, fewest),),  # freedom of the kind of groups that has the fewest
            class_groups=len(set(self._clips.class_groups)),
            null=null.effects,
            manifold=np.zeros(0),
            changed=self._clips.changed_share(self.edited) if self._clips.has_classes else UNKNOWN_SHARE,
            null_changed=null.changed,
            far=self._far(),
            reruns={UNEDITED: self._clips.unedited, replace(AT_RANDOM, weight=1.0): self.edited},
        )

    def null_effects(self, advance: Advance = no_progress) -> OperationAlong:
        """What is lost without the spans of CAVs of permuted labels, the first ones of each concept's test."""
        count, seed = self._settings.relabellings, self._settings.seed
        effects: list[float] = []
        changed: list[float] = []
        permuted = [member.design.label_permutations(self._settings.permutations, seed) for member in self._members]
        for chunk in zip(*permuted, strict=True):  # concepts share the random numbers, as they do in the test
            for start in range(0, min(count - len(effects), len(chunk[0])), _DRAWS_AT_ONCE):
                end = start + min(_DRAWS_AT_ONCE, count - len(effects))
                spans = self._spans([Labelling(labels=labels[start:end]) for labels in chunk])
                for axes, shifts in zip(spans.axes, spans.shifts(self._clips.products), strict=True):
                    rerun = self._rerun(axes, shifts)
                    effects.append(float((self._clips.unedited.targets - rerun.targets).mean()))
                    changed.append(float(self._clips.changed(rerun).mean()))
                    advance(1)
            if len(effects) >= count:
                break
        return OperationAlong(
            effects=np.asarray(effects), changed=np.asarray(changed if self._clips.has_classes else [], dtype=float)
        )

    def _spans(self, labellings: Sequence[Labelling]) -> Spans:
        draws, everyone = len(labellings[0].labels), len(self._kernel)
        units = np.zeros((draws, len(self._members), everyone))
        mean = np.zeros((draws, everyone))  # weights of the mean random clip
        for index, (member, labelling) in enumerate(zip(self._members, labellings, strict=True)):
            kernel = kernel_of(self._kernel, member.rows)
            directions = self._clips.rows.directions(self._settings.fitter, kernel, member.rows, labelling)
            units[:, index, member.rows] = directions.units
            mean[:, member.rows] += np.maximum(-labelling.contrast, 0) / len(self._members)
        axes = orthonormal_axes(units, self._kernel)
        return Spans(axes=axes, random=np.einsum("dkr,dr->dk", axes, mean @ self._kernel + self._clips.rows.centre))

    def _rerun(self, axes: Float[np.ndarray, "axis row"], shifts: Float[np.ndarray, "axis clip"]) -> Reruns:
        edits, rerun = self._edits(axes, shifts), self._clips.rerun
        return Reruns.joined([rerun.edited(*edits(clips), clips) for clips in rerun.chunks()])

    def _edits(
        self, axes: Float[np.ndarray, "axis row"], shifts: Float[np.ndarray, "axis clip"]
    ) -> Callable[[Int[np.ndarray, " clip"]], tuple[np.ndarray, Float[Tensor, "clip feature"]]]:
        """How clips are moved: each once, along a vector of its own."""
        vectors = self._clips.rows.vectors(np.arange(self._clips.rows.store.rows), axes)
        return lambda clips: (np.ones(len(clips)), torch.as_tensor(shifts[:, clips].T, dtype=vectors.dtype) @ vectors)

    @cached_property
    def _at_observed(self) -> tuple[Reruns, Float[np.ndarray, "row clip"]]:
        """The class clips without the concepts, and the gradients there times each recorded row."""
        edits = self._edits(self._observed.axes[0], self._observed_shifts)
        return self._clips.with_slopes(edits, np.arange(self._clips.rows.store.rows))

    @cached_property
    def _observed_shifts(self) -> Float[np.ndarray, "axis clip"]:
        return self._observed.shifts(self._clips.products)[0]

    def _lost_to_first_order(self, spans: Spans) -> Float[np.ndarray, "draw clip"]:
        """−g·δ for the edit δ of each span, with the gradients g where the observed span was removed."""
        _, slopes = self._at_observed
        return -(spans.shifts(self._clips.products) * (spans.axes @ slopes)).sum(1)

    def _resamples(self) -> Resamples:
        # between the observed span and that of a draw the target is taken as straight, as for a single concept
        observed = self._lost_to_first_order(self._observed)[0]
        draws, seed, chunks = self._settings.bootstraps, self._settings.seed, []
        weights = zip(*(member.design.bootstrap(draws, seed) for member in self._members), strict=True)
        for clip_weights, class_weights in zip(weights, self._clips.class_weights(self._settings), strict=True):
            spans = self._spans(
                [
                    Labelling(labels=np.broadcast_to(member.design.labels, drawn.shape), weights=drawn)
                    for member, drawn in zip(self._members, clip_weights, strict=True)
                ]
            )
            drawn = self.by_clip + self._lost_to_first_order(spans) - observed
            joint = np.einsum("dc,dc->d", drawn, class_weights)
            chunks.append(np.stack([drawn.mean(1), class_weights @ self.by_clip, joint]))
        clips, class_clips, joint = np.concatenate(chunks, axis=1)
        return Resamples(by_clip=self.by_clip, clips=clips, class_clips=class_clips, joint=joint)

    def _far(self) -> float:
        rows, axes = self._clips.rows, self._observed.axes[0]
        neighbours = NearestNeighbours.of(
            kernel=self._kernel,
            centre=rows.centre,
            centre_length=rows.centre_length,
            products=self._clips.products,
            clips=self._clips.own_products,
        )
        along = axes @ self._kernel + (axes @ rows.centre)[:, None]
        return neighbours.share_far(self._observed_shifts.T, (axes @ self._clips.products).T, along.T)
