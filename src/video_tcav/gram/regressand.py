"""The value that presences are to explain, standardised, with folds and bootstrap draws of its groups."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from video_tcav.core import random_streams
from video_tcav.core.errors import InputError
from video_tcav.gram.design import FOLDS, bootstrap_weights
from video_tcav.gram.group_ridge import GroupRidge, entries_of, kernel_predictions
from video_tcav.gram.kernel import FactoredKernel, Kernel, kernel_of
from video_tcav.gram.resampling import BootstrapT

FEWEST_CLIPS = 20
FEWEST_GROUPS = FOLDS
"""With fewer, a regression that is learned on some and looked at on others says nothing."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A share of the variance, with its 95 % interval over groups."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Regressand:
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
            # whole groups: clips of one video in two folds would explain each other
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
        # values less what is left of them out of fold is what the regression predicts
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
        # R² cannot be more than 1, while an interval around a large one may reach beyond
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
