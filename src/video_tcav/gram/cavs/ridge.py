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
        return np.stack([_weighted_solution(scaled, contrast, counts) for contrast, counts in draws])


def _weighted_solution(scaled: Kernel, contrast: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ridge on a bootstrap draw: each clip enters as often as it was drawn."""
    # listing a clip as often as it was drawn keeps the penalty's unit, which weights in the loss would not
    drawn = np.repeat(np.arange(len(counts)), counts.astype(int))
    solution = _solution(kernel_of(scaled, drawn), contrast[drawn] / counts[drawn])
    # copies of a clip share one coefficient: that of their sum
    return np.bincount(drawn, weights=solution, minlength=len(counts))


def _solution(scaled: Kernel, right: Float[np.ndarray, "clip ..."]) -> Float[np.ndarray, "clip ..."]:
    if isinstance(scaled, FactoredKernel):
        # Woodbury: for K = Z Zᵀ it takes the inverse of Zᵀ Z + λ alone, which does not grow with the clips
        factor = scaled.centred()
        inner = factor.T @ factor + RIDGE_LAMBDA * np.eye(factor.shape[1])
        return (right - factor @ np.linalg.solve(inner, factor.T @ right)) / RIDGE_LAMBDA
    return np.linalg.solve(centred(scaled) + RIDGE_LAMBDA * np.eye(len(scaled)), right)
