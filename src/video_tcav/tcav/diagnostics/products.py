"""Inner products of one comparison, and what is made of them: correlations and cosines."""

import numpy as np
from jaxtyping import Float

from video_tcav.gram.cavs import unit_coefficients
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import Kernel
from video_tcav.gram.significance import Inner, inner_of
from video_tcav.tcav.comparison import Comparison


def inner_products(comparison: Comparison, gram: Gram) -> Inner:
    """K and C of the comparison's own clips, not their twins, in the design's order."""
    return inner_of(gram, comparison.rows["none"])


def pearson(
    one: Float[np.ndarray, "*draw value"], other: Float[np.ndarray, "*draw value"]
) -> Float[np.ndarray, "*draw"]:
    """Pearson correlation along the last axis; NaN where either does not vary."""
    return uncentred(one - one.mean(-1, keepdims=True), other - other.mean(-1, keepdims=True))


def uncentred(
    one: Float[np.ndarray, "*draw value"], other: Float[np.ndarray, "*draw value"]
) -> Float[np.ndarray, "*draw"]:
    """Correlation of values that are centred already."""
    product = (one * other).sum(-1)
    length = np.sqrt(np.square(one).sum(-1) * np.square(other).sum(-1))
    return np.where(length > 0, product / np.where(length > 0, length, 1), np.nan)


def cosines(
    kernel: Kernel, alphas: Float[np.ndarray, "draw row"], betas: Float[np.ndarray, "draw row"]
) -> Float[np.ndarray, " draw"]:
    """Cosine of two CAVs a draw, `αᵀKβ` over their lengths; 0 where one has no direction."""
    ours, theirs = unit_coefficients(kernel, alphas), unit_coefficients(kernel, betas)
    return np.einsum("dr,dr->d", ours @ kernel, theirs)


def central_range(draws: Float[np.ndarray, " draw"], level: float) -> tuple[float, float]:
    """The central `level` of the draws."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
