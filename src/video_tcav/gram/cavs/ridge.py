"""CAV by kernel ridge regression on the labels."""

import numpy as np
from jaxtyping import Float

from video_tcav.gram.cavs.fitter import CavFitter, Labelling, Weights
from video_tcav.gram.kernel import FactoredKernel, Kernel, centred, kernel_of, kernel_scale

RIDGE_LAMBDA = 1.0
"""In units of the clips' mean squared distance from their centroid."""


class Ridge(CavFitter):
    """Ridge regression with a free intercept: `α = (K + λ)⁻¹ y` with K centred."""

    name = "ridge"
    help = "ridge regression"
    methods_text = "ridge regression"
    closed_form = True

    def fit(self, kernel: Kernel, labelling: Labelling) -> Weights:
        scaled = kernel / kernel_scale(kernel)
        if labelling.weights is None:  # all draws have the same K, and so one factorisation
            return _solution(scaled, labelling.contrast.T).T
        draws = zip(labelling.contrast, labelling.weights, strict=True)
        return np.stack([_weighted_solution(scaled, contrast, weights) for contrast, weights in draws])


def _weighted_solution(scaled: Kernel, contrast: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ridge on a weighting: a clip of weight 2 counts as two copies of it do, whose α are added up."""
    used = np.flatnonzero(weights)
    roots = np.sqrt(weights[used])
    alpha = np.zeros(len(weights))
    # Σ wᵢ(yᵢ − f(aᵢ))² is a ridge on rows and right-hand sides times √wᵢ, centred by the weighted mean
    alpha[used] = roots * _solution(kernel_of(scaled, used), contrast[used] / roots, roots)
    return alpha


def _solution(
    scaled: Kernel, right: Float[np.ndarray, "clip ..."], roots: Float[np.ndarray, " clip"] | None = None
) -> Float[np.ndarray, "clip ..."]:
    weights = None if roots is None else roots**2
    if isinstance(scaled, FactoredKernel):
        # Woodbury: for K = Z Zᵀ it takes the inverse of Zᵀ Z + λ alone, which does not grow with the clips
        factor = scaled.centred(weights)
        factor = factor if roots is None else factor * roots[:, None]
        inner = factor.T @ factor + RIDGE_LAMBDA * np.eye(factor.shape[1])
        return (right - factor @ np.linalg.solve(inner, factor.T @ right)) / RIDGE_LAMBDA
    kernel = centred(scaled, weights)
    kernel = kernel if roots is None else kernel * np.outer(roots, roots)
    return np.linalg.solve(kernel + RIDGE_LAMBDA * np.eye(len(kernel)), right)
