"""Ridge regression out of fold by groups: on some columns from sums over groups, on all directions of a layer from K."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.kernel import centred

COLUMN_PENALTIES = 10.0 ** np.arange(-4, 3)
"""In units of each column's variance: from next to none up to a hundredth of the slope."""
KERNEL_PENALTIES = 10.0 ** np.arange(-6, 2)
"""In units of the clips' summed squared distance from their centroid."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupRidge:
    """Ridge regressions of one value on any subset of columns, each learned on all folds but one, in bootstrap draws of groups.

    A regression needs sums of products alone: they are kept by draw and fold, and no clip is looked at again. The penalty of a
    fold is chosen among those folds that it is learned on, each left out in turn.

    Attributes:
        sums: in each draw and fold the sum of `z zᵀ`, where z is a clip's (1, columns, value).
    """

    sums: Float[np.ndarray, "draw fold entry entry"]

    @classmethod
    def of(
        cls,
        entries: Float[np.ndarray, "clip entry"],
        group_of: Int[np.ndarray, " clip"],
        folds: Int[np.ndarray, " group"],
        weights: Float[np.ndarray, "draw group"],
    ) -> Self:
        """From the z of each clip, the number of its group, and folds and weights of the groups; see `entries_of`."""
        moments = np.zeros((len(folds), entries.shape[1], entries.shape[1]))
        np.add.at(moments, group_of, entries[:, :, None] * entries[:, None])
        inside = [folds == fold for fold in range(folds.max() + 1)]
        return cls(sums=np.stack([np.tensordot(weights[:, fold], moments[fold], 1) for fold in inside], axis=1))

    def squared_errors(self, columns: Sequence[int]) -> Float[np.ndarray, " draw"]:
        """Sum of the squared residuals of clips that their regression has not seen, learned anew in each draw.

        The penalties are those of the first draw: choosing them in each takes some hundred times as long.
        """
        return self._errors(columns, self._penalties(columns, slice(1)))

    def squared_errors_in_full(self, columns: Sequence[int]) -> Float[np.ndarray, " draw"]:
        """The same, with penalties that are chosen anew in each draw."""
        return self._errors(columns, self._penalties(columns, slice(None)))

    def residual_weights(self, columns: Sequence[int]) -> Float[np.ndarray, "fold entry"]:
        """For each fold the w whose product `w·z` is the residual of a clip in it, in the first draw."""
        return self._weights(columns, self._penalties(columns, slice(1)), slice(1))[0]

    def _errors(self, columns: Sequence[int], penalties: Float[np.ndarray, "draw fold"]) -> Float[np.ndarray, " draw"]:
        weights = self._weights(columns, penalties, slice(None))
        return np.einsum("dfe,dfeg,dfg->d", weights, self.sums, weights)

    def _weights(
        self, columns: Sequence[int], penalties: Float[np.ndarray, "draw fold"], draws: slice
    ) -> Float[np.ndarray, "draw fold entry"]:
        sums = self.sums[draws]
        return _ridge(sums.sum(1, keepdims=True) - sums, columns, penalties[..., None])[:, :, 0]

    def _penalties(self, columns: Sequence[int], draws: slice) -> Float[np.ndarray, "draw fold"]:
        sums, chosen = self.sums[draws], []
        total, numbers = sums.sum(1, keepdims=True), np.arange(self.sums.shape[1])
        for fold in numbers:
            validation = sums[:, numbers != fold]
            weights = _ridge(total - sums[:, [fold]] - validation, columns, COLUMN_PENALTIES)
            errors = np.einsum("dfpe,dfeg,dfpg->dp", weights, validation, weights)
            chosen.append(COLUMN_PENALTIES[errors.argmin(1)])
        return np.stack(chosen, axis=1)


def entries_of(
    columns: Float[np.ndarray, "clip column"], values: Float[np.ndarray, " clip"]
) -> Float[np.ndarray, "clip entry"]:
    """(1, columns, value) of each clip."""
    return np.concatenate([np.ones((len(values), 1)), columns, values[:, None]], axis=1)


def _ridge(
    sums: Float[np.ndarray, "*training entry entry"],
    columns: Sequence[int],
    penalties: Float[np.ndarray, "*#training penalty"],
) -> Float[np.ndarray, "*training penalty entry"]:
    """Residual weights of the ridge on some columns, for each training set and penalty."""
    means = sums[..., 0, 1:] / sums[..., :1, 0]
    covariance = sums[..., 1:, 1:] / sums[..., :1, :1] - means[..., :, None] * means[..., None, :]
    used = np.asarray(columns, dtype=int)
    inner = covariance[..., used[:, None], used]
    spread = np.diagonal(inner, axis1=-2, axis2=-1)
    # columns are penalised as if they were standardised; one that does not vary gets no slope, and any penalty will do
    spread = np.where(spread > 1e-12, spread, 1.0)
    added = penalties[..., None, None] * (spread[..., None, :, None] * np.eye(len(used)))
    slopes = np.linalg.solve(inner[..., None, :, :] + added, covariance[..., None, used, -1][..., None])[..., 0]
    weights = np.zeros((*slopes.shape[:-1], sums.shape[-1]))
    weights[..., -1] = 1.0
    weights[..., used + 1] = -slopes
    weights[..., 0] = (slopes * means[..., None, used]).sum(-1) - means[..., None, -1]
    return weights


def kernel_predictions(
    kernel: Float[np.ndarray, "clip clip"], values: Float[np.ndarray, " clip"], folds: Int[np.ndarray, " clip"]
) -> Float[np.ndarray, " clip"]:
    """Kernel ridge on K: each clip's value as the other folds predict it from all directions of the layer.

    The penalty is chosen as in `GroupRidge`.
    """
    count = int(folds.max()) + 1
    errors = np.zeros((count, len(KERNEL_PENALTIES)))
    # what is learned without two folds serves to choose the penalty of either
    for pair in combinations(range(count), 2):
        first, second = (folds == fold for fold in pair)
        predicted = _kernel_ridge(kernel, values, ~(first | second), KERNEL_PENALTIES)
        squares = np.square(predicted - values)
        errors[pair[0]] += squares[:, second].sum(1)
        errors[pair[1]] += squares[:, first].sum(1)
    predictions = np.empty(len(values))
    for fold, best in enumerate(errors.argmin(1)):
        inside = folds == fold
        predictions[inside] = _kernel_ridge(kernel, values, ~inside, KERNEL_PENALTIES[[best]])[0, inside]
    return predictions


def _kernel_ridge(
    kernel: Float[np.ndarray, "clip clip"],
    values: Float[np.ndarray, " clip"],
    training: Bool[np.ndarray, " clip"],
    penalties: Float[np.ndarray, " penalty"],
) -> Float[np.ndarray, "penalty clip"]:
    """Predictions for all clips, learned on some of them."""
    inner, across = kernel[np.ix_(training, training)], kernel[:, training]
    mean = values[training].mean()
    # from the centroid of the training clips, which is what a free intercept comes to
    across = across - across.mean(1, keepdims=True) - inner.mean(0) + inner.mean()
    lengths, directions = np.linalg.eigh(centred(inner))
    scale = lengths.sum() if lengths[-1] > 0 else 1.0  # clips that are all the same predict nothing
    along = directions.T @ (values[training] - mean)
    shrunk = along / (np.maximum(lengths, 0) + penalties[:, None] * scale)
    return mean + shrunk @ (across @ directions).T
