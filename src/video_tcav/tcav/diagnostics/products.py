"""Correlations and cosines of CAVs in Gram space."""

import numpy as np
from jaxtyping import Float

from video_tcav.gram.kernel import Kernel, unit_coefficients


def pearson(
    first: Float[np.ndarray, "*draw value"], second: Float[np.ndarray, "*draw value"]
) -> Float[np.ndarray, "*draw"]:
    """Pearson correlation along the last axis; NaN where either does not vary."""
    return uncentred(first - first.mean(-1, keepdims=True), second - second.mean(-1, keepdims=True))


def uncentred(
    first: Float[np.ndarray, "*draw value"], second: Float[np.ndarray, "*draw value"]
) -> Float[np.ndarray, "*draw"]:
    """Correlation of values that are centred already."""
    product = (first * second).sum(-1)
    # constant values have length zero, and no correlation rather than a division by zero
    length = np.sqrt(np.square(first).sum(-1) * np.square(second).sum(-1))
    return np.where(length > 0, product / np.where(length > 0, length, 1), np.nan)


def cosines(
    kernel: Kernel, alphas: Float[np.ndarray, "draw row"], betas: Float[np.ndarray, "draw row"]
) -> Float[np.ndarray, " draw"]:
    """Cosine of two CAVs a draw, `αᵀKβ` over their lengths; 0 where one has no direction."""
    return np.einsum("dr,dr->d", unit_coefficients(kernel, alphas) @ kernel, unit_coefficients(kernel, betas))
