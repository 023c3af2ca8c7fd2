"""Ridge map from embeddings of clips to a layer's activations, in Gram space; directions of the embedding space as CAVs.

With embeddings E (from the clips' mean) and activations A, the map is `W = (EᵀDE + λI)⁻¹ EᵀDA`, D the weights of the clips.
A direction q of the embedding space becomes `q W = α A` with `α = D E (EᵀDE + λI)⁻¹ q`: coefficients over the clips, as every CAV
has. Nothing here is as wide as a layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.group_ridge import KERNEL_PENALTIES
from video_tcav.gram.kernel import Kernel, centred, squared_lengths

Embeddings = Float[np.ndarray, "clip feature"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingMap:
    """A ridge map from embeddings to activations.

    Attributes:
        embeddings: of the clips, one row each.
        penalty: λ, in units of the clips' summed squared distance from their mean embedding.
    """

    embeddings: Embeddings
    penalty: float

    def coefficients(
        self, directions: Float[np.ndarray, "direction feature"], weights: Float[np.ndarray, " clip"] | None = None
    ) -> Float[np.ndarray, "direction clip"]:
        """α of each direction of the embedding space, over the clips; each sums to zero.

        Args:
            directions: one a row.
            weights: how often each clip counts, as in a bootstrap; once each if not given.
        """
        weights = np.ones(len(self.embeddings)) if weights is None else weights
        rows = self.embeddings - np.average(self.embeddings, axis=0, weights=weights)
        weighted = rows * weights[:, None]
        covariance = rows.T @ weighted
        added = self.penalty * (np.trace(covariance) or 1.0)
        return np.linalg.solve(covariance + added * np.eye(len(covariance)), directions.T).T @ weighted.T


@dataclass(frozen=True, kw_only=True, eq=False)
class MapFit:
    """What the map predicts of clips that it has not seen, whole groups left out.

    Attributes:
        penalty: λ for all clips, in the units of `EmbeddingMap`.
        r_squared: share of the activations' variance that is predicted, over all of the layer's directions; may be negative.
        correlations: for each direction, of how much of it is in a clip's embedding and in its activation, along a CAV that
            has not seen the clip.
    """

    penalty: float
    r_squared: float
    correlations: Float[np.ndarray, " direction"]


def spanned(embeddings: Embeddings, directions: Embeddings) -> tuple[Embeddings, Embeddings]:
    """Embeddings and directions in the coordinates that the clips span: the same maps, in at most as many columns as clips.

    What a direction has outside of that span changes no prediction.
    """
    rows = embeddings - embeddings.mean(0)
    _, lengths, axes = np.linalg.svd(rows, full_matrices=False)
    axes = axes[lengths > lengths[0] * 1e-10] if lengths[0] > 0 else axes[:1]
    return rows @ axes.T, directions @ axes.T


def fit_map(kernel: Kernel, embeddings: Embeddings, directions: Embeddings, folds: Int[np.ndarray, " clip"]) -> MapFit:
    """Choose the penalty, and see how well the map predicts clips of groups that it has not seen.

    The penalty of a fold is chosen among those folds that its map is learned on, each left out in turn: no clip bears on the map
    that it is predicted by.

    Args:
        kernel: K of the clips.
        embeddings: of the clips.
        directions: of the embedding space, whose correlations are wanted.
        folds: the fold of each clip; groups stay whole.
    """
    inner = centred(_matrix(kernel))
    count = int(folds.max()) + 1
    errors = np.zeros((count, len(KERNEL_PENALTIES)))
    for pair in combinations(range(count), 2):
        first, second = (folds == fold for fold in pair)
        residuals = _residuals(inner, embeddings, ~(first | second), KERNEL_PENALTIES)
        # what is learned without two folds serves to choose the penalty of either
        errors[pair[0]] += residuals[:, second].sum(1)
        errors[pair[1]] += residuals[:, first].sum(1)
    unexplained = total = 0.0
    in_embedding = np.empty((len(directions), len(folds)))
    in_activation = np.empty((len(directions), len(folds)))
    for fold, best in enumerate(errors.argmin(1)):
        inside = folds == fold
        unexplained += _residuals(inner, embeddings, ~inside, KERNEL_PENALTIES[[best]])[0, inside].sum()
        total += _residuals(inner, embeddings, ~inside, np.array([np.inf]))[0, inside].sum()
        learned = EmbeddingMap(embeddings=embeddings[~inside], penalty=float(KERNEL_PENALTIES[best]))
        alphas = learned.coefficients(directions)
        lengths = np.sqrt(np.maximum(np.einsum("dr,rs,ds->d", alphas, inner[np.ix_(~inside, ~inside)], alphas), 1e-300))
        from_mean = inner[:, inside] - inner[:, ~inside].mean(1, keepdims=True)
        in_activation[:, inside] = (alphas @ from_mean[~inside]) / lengths[:, None]
        in_embedding[:, inside] = directions @ (embeddings[inside] - embeddings[~inside].mean(0)).T
    return MapFit(
        penalty=float(KERNEL_PENALTIES[errors.sum(0).argmin()]),
        r_squared=float(1 - unexplained / total) if total > 0 else 0.0,
        correlations=np.array([_correlation(*pair) for pair in zip(in_embedding, in_activation, strict=True)]),
    )


def group_folds(groups: Sequence[int] | Int[np.ndarray, " clip"], seed: Sequence[int], most: int = 5) -> np.ndarray:
    """A fold for each clip, of at most so many: groups stay whole, and are dealt in turn."""
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = np.empty(len(names), dtype=int)
    fold_of[order] = np.arange(len(names)) % min(most, len(names))
    return fold_of[group_of]


def _residuals(
    inner: Float[np.ndarray, "clip clip"],
    embeddings: Embeddings,
    training: Bool[np.ndarray, " clip"],
    penalties: Float[np.ndarray, " penalty"],
) -> Float[np.ndarray, "penalty clip"]:
    """Squared distance of each clip's activation from its prediction, by maps learned on some clips."""
    mean = embeddings[training].mean(0)
    rows, across = embeddings[training] - mean, embeddings - mean
    _, lengths, axes = np.linalg.svd(rows, full_matrices=False)
    squares = np.square(lengths)
    scale = squares.sum() or 1.0
    # prediction of a clip: the training clips' mean plus `smoother` of their activations (which sums to zero)
    projected, along = across @ axes.T, rows @ axes.T
    centre = np.full(training.sum(), 1 / training.sum())
    squared_lengths_of_clips = np.diag(inner)
    to_training, among = inner[:, training], inner[np.ix_(training, training)]
    residuals = []
    for penalty in penalties:
        shrunk = np.zeros_like(projected) if np.isinf(penalty) else projected / (squares + penalty * scale)
        smoother = shrunk @ along.T + centre
        residuals.append(
            squared_lengths_of_clips - 2 * (smoother * to_training).sum(1) + ((smoother @ among) * smoother).sum(1)
        )
    return np.stack(residuals)


def _correlation(first: Float[np.ndarray, " clip"], second: Float[np.ndarray, " clip"]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / scale) if scale > 0 else 0.0


def _matrix(kernel: Kernel) -> Float[np.ndarray, "clip clip"]:
    return kernel if isinstance(kernel, np.ndarray) else kernel.factor.astype(np.float64) @ kernel.factor.T


def direction_effects(
    kernel: Kernel,
    cross: Float[np.ndarray, "class_clip clip"],
    alphas: Float[np.ndarray, "direction clip"],
    weights: Float[np.ndarray, " clip"] | None = None,
) -> Float[np.ndarray, "direction class_clip"]:
    """First-order change of each class clip's target along each direction, for one standard deviation of the clips along it.

    With unit CAV v, gradient g and standard deviation σ of the clips' projections `a·v` this is `(g·v) σ`: as the effect of a
    clip CAV, with σ where that has the distance of the means of concept and random clips. A direction without
    length has no effect.

    Args:
        kernel: K of the clips.
        cross: C of class clips and clips.
        alphas: coefficients of the directions, each summing to zero; their length does not matter.
        weights: how often each clip counts, as in a bootstrap; once each if not given.
    """
    projected = alphas @ kernel
    squared = squared_lengths(kernel, alphas)
    centre = np.average(projected, axis=1, weights=weights)[:, None]
    spread = np.sqrt(np.average(np.square(projected - centre), axis=1, weights=weights))
    scale = np.where(squared > 0, spread / np.where(squared > 0, squared, 1.0), 0.0)
    return scale[:, None] * (alphas @ cross.T)
