"""Concept activation vectors as coefficients in Gram space: `w = Aᵀα` (METHOD: Gram space).

Each function takes the kernel of the clips at hand, exact or sketched, and gives α with `Σα = 0`; nothing here knows how
wide a layer is.
The kernel is first scaled to a mean squared distance of one from the centroid, so that penalties mean the same at every
layer: `ridge` has λ = 1, `logistic` and `svm` have C = 1 in these units, with both classes weighted equally.
"""

import warnings
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from video_tcav.core.errors import ConvergenceError, InputError
from video_tcav.gram.kernel import FactoredKernel, Kernel, kernel_of, squared_lengths

CavKind = Literal["mean", "ridge", "logistic", "svm"]
CAV_KINDS: tuple[CavKind, ...] = get_args(CavKind)
RIDGE_LAMBDA = 1.0
INVERSE_PENALTY = 1.0
TOLERANCE = 1e-8
_NEWTON_STEPS, _HALVINGS = 100, 40
_TOGETHER = 32
"""Labellings that are fitted at once: enough to be fast, few enough to stay small."""
_TOGETHER_VALUES = 2**25

Labels = Bool[np.ndarray, "draw row"]
Weights = Float[np.ndarray, "draw row"]


def fit_cavs(kind: CavKind, kernel: Kernel, labels: Labels, weights: Weights | None = None) -> Weights:
    """Coefficients α of one CAV for each row of `labels`.

    Args:
        kind: `mean` (difference of the means; Schmalwasser et al. 2025, FastCAV, arXiv:2505.17883), `ridge`, `logistic`
            or `svm` (linear, soft margin).
        kernel: inner products of the clips' activations.
        labels: which clips show the concept, one labelling a row.
        weights: how often each clip counts, one weighting a row, as in a bootstrap; once each if not given.

    Returns:
        One α a row. `kernel`-norm and scale are left as they come; see `unit_coefficients`.

    Raises:
        InputError: if a labelling has only one class.
        ConvergenceError: if a classifier did not converge.
    """
    contrast = label_contrast(labels, weights)
    if kind == "mean":
        return contrast
    scaled = kernel / kernel_scale(kernel)
    if kind == "ridge":
        return _ridge(scaled, contrast, weights)
    counts = np.ones(labels.shape) if weights is None else weights
    if kind == "logistic":
        basis = gram_basis(scaled)
        size = max(1, min(_TOGETHER, _TOGETHER_VALUES // max(1, basis.size)))
        parts = range(0, len(labels), size)
        return np.concatenate(
            [_logistic(basis, labels[start : start + size], counts[start : start + size]) for start in parts]
        )
    with config_context(assume_finite=True, skip_parameter_validation=True):  # checks that take longer than the fits
        return np.stack([_svm(scaled, one, count) for one, count in zip(labels, counts, strict=True)])


def label_contrast(labels: Labels, weights: Weights | None = None) -> Weights:
    """`1/n₊` on concept clips and `−1/n₋` on the others, weighted: the coefficients of the difference of the means."""
    counts = np.ones(labels.shape) if weights is None else weights
    n_positive = np.einsum("dr,dr->d", counts, labels)[:, None]
    n_negative = counts.sum(1, keepdims=True) - n_positive
    if (n_positive == 0).any() or (n_negative == 0).any():
        raise InputError(
            "`labels` must hold both concept and random clips. Got one kind only. Add clips of the other kind."
        )
    return np.where(labels, counts / n_positive, -counts / n_negative)


def kernel_scale(kernel: Kernel) -> float:
    """Mean squared distance of the clips from their centroid; one where all are the same."""
    scale = float(kernel.trace() / len(kernel) - kernel.mean())
    return scale if scale > 0 else 1.0


def unit_coefficients(kernel: Kernel, alphas: Weights) -> Weights:
    """Scale each α so that its CAV has length one; a CAV without direction becomes zero.

    That happens where concept and random clips are the same to a layer, as frozen twins are to one that reads motion alone.
    """
    squared = squared_lengths(kernel, alphas)
    lost = squared == 0
    return np.where(lost[:, None], 0.0, alphas / np.sqrt(np.where(lost, 1.0, squared))[:, None])


def gram_basis(kernel: Kernel) -> Float[np.ndarray, "row rank"]:
    """A matrix Z with `Z Zᵀ` = centred kernel: the clips in as many dimensions as they span.

    A classifier with a rotation-invariant penalty and a free intercept has the same solution there as in activation space.
    """
    if isinstance(kernel, FactoredKernel):
        return kernel.centred()
    values, vectors = np.linalg.eigh(_centred(kernel))
    kept = values > max(values[-1], 0) * 1e-12
    return vectors[:, kept] * np.sqrt(values[kept])


def _ridge(scaled: Kernel, contrast: Weights, counts: Weights | None) -> Weights:
    if counts is None:
        return _ridge_solution(scaled, contrast.T).T
    return np.stack([_weighted_ridge(scaled, one, count) for one, count in zip(contrast, counts, strict=True)])


def _weighted_ridge(scaled: Kernel, contrast: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Ridge on a bootstrap draw: each clip enters as often as it was drawn."""
    drawn = np.repeat(np.arange(len(count)), count.astype(int))
    solution = _ridge_solution(kernel_of(scaled, drawn), contrast[drawn] / count[drawn])
    return np.bincount(drawn, weights=solution, minlength=len(count))


def _ridge_solution(scaled: Kernel, right: Float[np.ndarray, "clip ..."]) -> Float[np.ndarray, "clip ..."]:
    """`(K + λ)⁻¹ y` with K centred; for `K = Z Zᵀ` by way of the matrix `Zᵀ Z + λ`, which does not grow with the clips."""
    if isinstance(scaled, FactoredKernel):
        factor = scaled.centred()
        inner = factor.T @ factor + RIDGE_LAMBDA * np.eye(factor.shape[1])
        return (right - factor @ np.linalg.solve(inner, factor.T @ right)) / RIDGE_LAMBDA
    return np.linalg.solve(_centred(scaled) + RIDGE_LAMBDA * np.eye(len(scaled)), right)


def _centred(kernel: Float[np.ndarray, "row row"]) -> Float[np.ndarray, "row row"]:
    return kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean()


def _svm(scaled: Kernel, labels: np.ndarray, count: np.ndarray) -> np.ndarray:
    used = count > 0
    weights = _balanced_weights(labels[None], count[None])[0]
    part = kernel_of(scaled, np.flatnonzero(used))
    kind, inputs = ("linear", part.factor.astype(float)) if isinstance(part, FactoredKernel) else ("precomputed", part)
    machine = SVC(kernel=kind, C=INVERSE_PENALTY, tol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            machine.fit(inputs, labels[used], sample_weight=weights[used])
        except ConvergenceWarning as warning:
            raise ConvergenceError(
                f"`cav` must converge. Got a svm classifier that did not ({warning}). Use --cav mean or ridge."
            ) from warning
    alpha = np.zeros(int(used.sum()))
    alpha[machine.support_] = np.asarray(machine.dual_coef_)[0]
    full = np.zeros(len(count))
    full[used] = alpha
    return full


def _logistic(basis: Float[np.ndarray, "row rank"], labels: Labels, counts: Weights) -> Weights:
    """Newton's method for many labellings at once: scikit-learn's solution, some ten times sooner for dozens of clips."""
    signs = np.where(labels, 1.0, -1.0)
    weights = INVERSE_PENALTY * _balanced_weights(labels, counts)
    inputs = np.concatenate([basis, np.ones((len(basis), 1))], axis=1)
    penalty = np.append(np.ones(basis.shape[1]), 0.0)  # the intercept is free
    solution = np.zeros((len(labels), inputs.shape[1]))

    def loss(at: np.ndarray) -> np.ndarray:
        return (weights * np.logaddexp(0, -signs * (at @ inputs.T))).sum(1) + (penalty * at**2).sum(1) / 2

    for _ in range(_NEWTON_STEPS):
        doubt = expit(-signs * (solution @ inputs.T))
        pulls = weights * signs * doubt
        slope = pulls @ inputs - penalty * solution
        if np.abs(slope).max() <= TOLERANCE * max(1.0, np.abs(pulls).max()):
            used = counts > 0  # the pulls are the α: at the solution w = Σ α z
            return pulls - pulls.sum(1, keepdims=True) * used / used.sum(1, keepdims=True)
        curvature = (weights * doubt * (1 - doubt))[:, None] * inputs.T @ inputs + np.diag(penalty)
        step, before = np.linalg.solve(curvature, slope[..., None])[..., 0], loss(solution)
        for _ in range(_HALVINGS):
            worse = loss(solution + step) > before + 1e-12 * np.abs(before)
            if not worse.any():
                break
            step[worse] /= 2
        solution = solution + step
    raise ConvergenceError(
        f"`cav` must converge. Got a logistic classifier that did not in {_NEWTON_STEPS} steps. Use --cav mean or ridge."
    )


def _balanced_weights(labels: Labels, counts: Weights) -> Weights:
    """How much each clip weighs, so that both kinds weigh the same together."""
    total, positive = counts.sum(1, keepdims=True), (counts * labels).sum(1, keepdims=True)
    return counts * np.where(labels, total / (2 * positive), total / (2 * (total - positive)))
