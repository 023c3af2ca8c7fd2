"""CAV by logistic regression: Newton's method for many labellings at once."""

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from video_tcav.core.errors import ConvergenceError
from video_tcav.gram.cavs.fitter import CavFitter, Labelling, Weights
from video_tcav.gram.kernel import Kernel, gram_basis, kernel_scale

LOGISTIC_C = 1.0
"""Inverse penalty, as in scikit-learn, in units of the clips' mean squared distance from their centroid."""
TOLERANCE = 1e-8
"""Largest component of the gradient at the solution, in units of the largest pull of a clip."""
_NEWTON_STEPS, _HALVINGS = 100, 40
_DRAWS_AT_ONCE = 32
"""Draws that are fitted together: enough to be fast, few enough for their matrices to stay small."""
_VALUES_AT_ONCE = 2**25
"""Of the basis times draws: a quarter of a gigabyte in float64."""


class Logistic(CavFitter):
    """Logistic regression, both classes weighted equally: scikit-learn's solution, some ten times sooner for dozens of clips."""

    name = "logistic"
    help = "logistic regression"
    methods_text = "logistic regression"

    def fit(self, kernel: Kernel, labelling: Labelling) -> Weights:
        basis = gram_basis(kernel / kernel_scale(kernel))
        labels, counts, weights = labelling.labels, labelling.counts, labelling.balanced_weights
        size = max(1, min(_DRAWS_AT_ONCE, _VALUES_AT_ONCE // max(1, basis.size)))
        slices = [slice(start, start + size) for start in range(0, len(labels), size)]
        return np.concatenate([_newton(basis, labels[chunk], counts[chunk], weights[chunk]) for chunk in slices])


def _newton(basis: Float[np.ndarray, "row rank"], labels: np.ndarray, counts: Weights, balanced: Weights) -> Weights:
    signs = np.where(labels, 1.0, -1.0)
    weights = LOGISTIC_C * balanced
    inputs = np.concatenate([basis, np.ones((len(basis), 1))], axis=1)
    penalty = np.append(np.ones(basis.shape[1]), 0.0)  # the intercept is free
    solution = np.zeros((len(labels), inputs.shape[1]))

    def loss(at: np.ndarray) -> np.ndarray:
        return (weights * np.logaddexp(0, -signs * (at @ inputs.T))).sum(1) + (penalty * at**2).sum(1) / 2

    # all draws take their steps together, until the last one has converged
    for _ in range(_NEWTON_STEPS):
        # probability of the wrong class, which is how strongly each clip pulls
        doubt = expit(-signs * (solution @ inputs.T))
        pulls = weights * signs * doubt
        slope = pulls @ inputs - penalty * solution
        if np.abs(slope).max() <= TOLERANCE * max(1.0, np.abs(pulls).max()):
            used = counts > 0  # the pulls are the α: at the solution w = Σ α z
            return pulls - pulls.sum(1, keepdims=True) * used / used.sum(1, keepdims=True)
        curvature = (weights * doubt * (1 - doubt))[:, None] * inputs.T @ inputs + np.diag(penalty)
        step, before = np.linalg.solve(curvature, slope[..., None])[..., 0], loss(solution)
        for _ in range(_HALVINGS):  # a full step may overshoot: halve it where the loss rises by more than rounding
            worse = loss(solution + step) > before + 1e-12 * np.abs(before)
            if not worse.any():
                break
            step[worse] /= 2
        solution = solution + step
    raise ConvergenceError(
        f"`cav` must converge. Got a logistic classifier that did not in {_NEWTON_STEPS} steps. Use --cav mean or ridge."
    )
