"""Completeness: how much of a target's value over held-out clips some concepts explain together, and each one's share.

A clip's *presence* of a concept is its projection on the concept's CAV, learned without the clip's group. The values are
regressed on the presences, out of fold by groups. `R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²`, where ȳ, too, is the mean of the other
folds: R² is 0 for concepts that say nothing, and below 0 where they mislead.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from video_tcav.core import random_streams
from video_tcav.core.checks import at_least, require
from video_tcav.core.errors import InputError, ShapeError
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import FOLDS, Design, bootstrap_weights, check_design, numbering
from video_tcav.gram.group_ridge import GroupRidge, entries_of, kernel_predictions
from video_tcav.gram.kernel import FactoredKernel, Kernel, kernel_of
from video_tcav.gram.presences import ComparedClips, presences_of, relabelled_presences
from video_tcav.gram.resampling import BootstrapT
from video_tcav.gram.shapley import shapley_values

MOST_RELABELLED = 0.95
"""Quantile of what relabelled concepts explain."""
FEWEST_CLIPS = 20
FEWEST_GROUPS = FOLDS
"""With fewer, a regression that is learned on some and looked at on others says nothing."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A share of the variance, with its 95 % interval over groups."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ConceptShare(Explained):
    """The Shapley share of one concept: what it adds, on average over all orders in which concepts could be added.

    Attributes:
        sampling_error: standard error from drawing some of the orders; 0 where all were used.
    """

    sampling_error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Completeness:
    """How much of the target's variance over held-out clips is explained.

    Attributes:
        concepts: by the presences of all concepts, R².
        shares: of each concept, by its name; they add up to that R².
        relabelled: R² of concepts whose labels were permuted, on average.
        relabelled_high: 95th percentile of it.
        all_directions: R² of a kernel ridge on all directions of the layer, as far as so many clips tell them.
        predicted: each clip's value as the other folds' regression on presences predicts it; NaN where no value was given.
        n_clips: clips with a value.
        n_groups: independent groups of them.
    """

    concepts: Explained
    shares: Mapping[str, ConceptShare]
    relabelled: float
    relabelled_high: float
    all_directions: float
    predicted: Float[np.ndarray, " clip"]
    n_clips: int
    n_groups: int


def measure_completeness(
    kernel: Kernel,
    values: ArrayLike,
    labels: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | None = None,
    cav: str | CavFitter = "mean",
    relabellings: int = 40,
    bootstraps: int = 200,
    seed: int = 0,
) -> Completeness:
    """How much of a value over held-out clips some concepts explain, from inner products alone.

    Args:
        kernel: K, inner products of the activations of all clips at a layer, such as `gram_matrices(…).kernel`.
        values: the target's value of each clip, such as the log-odds that the model gives it; NaN where it is not known.
        labels: by name of the concept, for each clip 1 where it shows the concept, 0 where it is one of its random clips, and
            −1 where it is neither.
        groups: what is independent, such as the video of each clip; each clip by itself if not given.
        cav: how CAVs are learned, as for `measure_concept`.
        relabellings: how often the labels of all concepts are permuted, to see what meaningless concepts explain.
        bootstraps: resamples of groups for the intervals; regressions are learned anew in each, CAVs are not.
        seed: of every random draw.

    Raises:
        ShapeError: if shapes do not fit each other.
        InputError: if there are fewer than 20 clips with a value or 5 groups of them, their values are all the same, or a
            concept has too few clips.
        ConvergenceError: if a classifier did not converge.

    Source:
        Yeh et al. 2020, arXiv:1910.07969, for completeness and Shapley shares of concepts; there of accuracy.
    """
    clip_values = np.asarray(values, dtype=float)
    clips = len(kernel)
    if clip_values.shape != (clips,) or (groups is not None and len(groups) != clips):
        raise ShapeError(
            f"`values` and `groups` must have one a clip, of {clips} clips. Got {clip_values.shape} and "
            f"{clips if groups is None else len(groups)}. Give as many, NaN where a value is not known."
        )
    numbers = numbering(range(clips) if groups is None else groups)
    group_of = np.asarray([numbers[group] for group in (range(clips) if groups is None else groups)], dtype=int)
    require(len(labels) > 0, "labels", "name a concept", "none", "Give the labels of one at least.")
    compared = {name: _compared(name, np.asarray(each), group_of) for name, each in labels.items()}
    return completeness(
        kernel,
        clip_values,
        group_of,
        compared,
        cav=cav,
        relabellings=at_least("relabellings", relabellings, 2),
        bootstraps=at_least("bootstraps", bootstraps, 2),
        seed=at_least("seed", seed, 0),
    )


def _compared(name: str, labels: np.ndarray, group_of: Int[np.ndarray, " clip"]) -> ComparedClips:
    if labels.shape != group_of.shape or not np.isin(labels, (-1, 0, 1)).all():
        raise ShapeError(
            f"`labels` must give 1, 0 or −1 for each of {len(group_of)} clips. Got others for {name}. See the documentation."
        )
    rows = np.flatnonzero(labels >= 0)
    design = Design(
        labels=labels[rows] == 1,
        units=rows,
        groups=group_of[rows],
        n_units=len(labels),
        n_groups_total=int(group_of.max()) + 1,
    )
    check_design(design, name, "random clips")
    return ComparedClips(design=design, rows=rows)


def completeness(
    kernel: Kernel,
    values: Float[np.ndarray, " clip"],
    groups: Int[np.ndarray, " clip"],
    concepts: Mapping[str, ComparedClips],
    *,
    cav: str | CavFitter,
    relabellings: int = 40,
    bootstraps: int = 200,
    seed: int,
) -> Completeness:
    """As `measure_completeness`, of comparisons that are laid out already; `groups` are numbers."""
    regressand = _Regressand.of(values, groups, bootstraps, seed)
    labellings = [(each.design.labels, each.design.folds(seed)) for each in concepts.values()]
    presences = presences_of(cav, kernel, groups, concepts, labellings)
    ridge, everything = regressand.ridge(presences), range(len(concepts))
    shares, errors = shapley_values(
        lambda team: regressand.shares(ridge.squared_errors(team)), len(concepts), seed=seed
    )
    # one draw is enough: it is their spread over labels that counts
    clips_alone = replace(regressand, weights=regressand.weights[:1])
    meaningless = [
        clips_alone.shares(clips_alone.ridge(drawn).squared_errors(everything))[0]
        for drawn in relabelled_presences(cav, kernel, groups, concepts, relabellings, seed)
    ]
    return Completeness(
        concepts=regressand.explained(regressand.shares(ridge.squared_errors_in_full(everything))),
        shares={
            name: ConceptShare(**vars(regressand.explained(share)), sampling_error=float(error))
            for name, share, error in zip(concepts, shares, errors, strict=True)
        },
        relabelled=float(np.mean(meaningless)),
        relabelled_high=float(np.quantile(meaningless, MOST_RELABELLED)),
        all_directions=float(clips_alone.shares(regressand.kernel_errors(kernel))[0]),
        predicted=regressand.predictions(ridge, presences),
        n_clips=len(regressand.clips),
        n_groups=len(regressand.names),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Regressand:
    """Values to be explained out of fold, standardised.

    Attributes:
        clips: those of all clips that have a value.
        values: theirs, from their mean, in standard deviations.
        scale: the standard deviation.
        mean: the mean.
        names: numbers of their groups.
        group_of: the place of each clip's group in `names`.
        folds: of each group.
        weights: of each group, in the clips as they are and then in every bootstrap draw.
    """

    clips: Int[np.ndarray, " known"]
    values: Float[np.ndarray, " known"]
    scale: float
    mean: float
    names: Int[np.ndarray, " group"]
    group_of: Int[np.ndarray, " known"]
    folds: Int[np.ndarray, " group"]
    weights: Float[np.ndarray, "draw group"]

    @classmethod
    def of(
        cls, values: Float[np.ndarray, " clip"], groups: Int[np.ndarray, " clip"], bootstraps: int, seed: int
    ) -> Self:
        """Of the clips whose value is finite.

        Raises:
            InputError: if there are too few of them, or too few groups, or the values are all the same.
        """
        clips = np.flatnonzero(np.isfinite(values))
        names, group_of = np.unique(groups[clips], return_inverse=True)
        clip_values = values[clips]
        if (problem := too_few(clip_values, len(names))) is not None:
            raise InputError(problem)
        generator = np.random.default_rng([seed, random_streams.COMPLETENESS_FOLDS])
        drawn = bootstrap_weights(names, bootstraps, seed, random_streams.GROUP_BOOTSTRAP)
        return cls(
            clips=clips,
            values=_standardised(clip_values),
            scale=float(clip_values.std()),
            mean=float(clip_values.mean()),
            names=names,
            group_of=group_of,
            folds=generator.permutation(np.arange(len(names)) % FOLDS),
            weights=np.concatenate([np.ones((1, len(names))), *drawn]),
        )

    def ridge(self, presences: Float[np.ndarray, "clip concept"]) -> GroupRidge:
        """The regressions of the values on presences of all clips."""
        return GroupRidge.of(self._entries(presences), self.group_of, self.folds, self.weights)

    def predictions(
        self, ridge: GroupRidge, presences: Float[np.ndarray, "clip concept"]
    ) -> Float[np.ndarray, " clip"]:
        """What the regression on all presences says of each clip that it was not learned on."""
        weights = ridge.residual_weights(range(presences.shape[1]))[self.folds[self.group_of]]
        residuals = np.einsum("ce,ce->c", weights, self._entries(presences))
        predicted = np.full(len(presences), np.nan)
        predicted[self.clips] = self.mean + self.scale * (self.values - residuals)
        return predicted

    def kernel_errors(self, kernel: Kernel) -> float:
        """Sum of the squared errors where all directions of the layer predict."""
        inner = kernel_of(kernel, self.clips)
        if isinstance(inner, FactoredKernel):
            factor = inner.factor.astype(np.float64)
            inner = factor @ factor.T
        return float(np.square(self.values - kernel_predictions(inner, self.values, self.folds[self.group_of])).sum())

    def shares(self, errors: Float[np.ndarray, " draw"] | float) -> Float[np.ndarray, " draw"]:
        """R² of predictions with these squared errors, in each draw of groups."""
        return 1 - errors / self._errors_of_means

    def explained(self, shares: Float[np.ndarray, " draw"]) -> Explained:
        """R², or a share of it, with the interval of its draws."""
        low, high = BootstrapT.of_draws(float(shares[0]), shares[1:], len(self.names)).interval()
        return Explained(share=float(shares[0]), low=low, high=min(high, 1.0))

    @cached_property
    def _errors_of_means(self) -> Float[np.ndarray, " draw"]:
        # a regression on nothing predicts the mean of the other folds
        return self.ridge(np.empty((int(self.clips.max()) + 1, 0))).squared_errors([])

    def _entries(self, presences: Float[np.ndarray, "clip concept"]) -> Float[np.ndarray, "known entry"]:
        return entries_of(_standardised(presences[self.clips]), self.values)


def too_few(values: Float[np.ndarray, " clip"], groups: int) -> str | None:
    """Why nothing can be said about explaining these values, one a clip, of so many groups; `None` if something can."""
    if len(values) < FEWEST_CLIPS or groups < FEWEST_GROUPS:
        return (
            f"`values` must be known of at least {FEWEST_CLIPS} clips in {FEWEST_GROUPS} groups. Got {len(values)} clips in "
            f"{groups}. Add clips."
        )
    if np.ptp(values) == 0:
        return f"`values` must differ between clips. Got {values[0]:g} for all {len(values)} clips. Add other clips."
    return None


def _standardised(columns: Float[np.ndarray, "clip ..."]) -> Float[np.ndarray, "clip ..."]:
    spread = columns.std(0)
    return (columns - columns.mean(0)) / np.where(spread > 0, spread, 1.0)
