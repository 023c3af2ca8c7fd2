"""Concept effects and TCAV scores in Gram space, for any labelling of the clips."""

import numpy as np
from jaxtyping import Float

from video_tcav.gram.cavs.fitter import CavFitter, Labelling, Labels, Weights
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.kernel import Kernel


def fit_cavs(cav: str | CavFitter, kernel: Kernel, labels: Labels, weights: Weights | None = None) -> Weights:
    """Coefficients α of one CAV `w = Aᵀα` for each row of `labels`.

    Args:
        cav: `mean`, `ridge`, `logistic`, `svm`, another registered kind, or a `CavFitter`.
        kernel: inner products of the clips' activations.
        labels: which clips show the concept, one labelling a row.
        weights: how often each clip counts, one weighting a row, as in a bootstrap; once each if not given.

    Returns:
        One α a row. `kernel`-norm and scale are left as they come; see `unit_coefficients`.

    Raises:
        InputError: if a labelling has only one class.
        ConvergenceError: if a classifier did not converge.
    """
    return cav_fitter(cav).fit(kernel, Labelling(labels=labels, weights=weights))


def clip_effects(
    cav: str | CavFitter,
    kernel: Kernel,
    cross: Float[np.ndarray, "class_clip row"],
    labels: Labels,
    weights: Weights | None = None,
) -> Float[np.ndarray, "draw class_clip"]:
    """First-order change of each class clip's target from the average random to the average concept clip, along the CAV.

    With unit CAV v, gradient g and difference of the means Δμ this is `(g·v)(v·Δμ)`; for the mean-difference CAV it is
    `g·Δμ`. Its average over class clips is the effect.

    Args:
        cav: how the CAV is learned; it is learned anew for each labelling. See `fit_cavs`.
        kernel: K, inner products of the activations.
        cross: C, inner products of gradients and activations.
        labels: which clips show the concept, one labelling a row.
        weights: how often each clip counts, as in a bootstrap.
    """
    return cav_fitter(cav).clip_effects(kernel, cross, Labelling(labels=labels, weights=weights))


def effects(
    cav: str | CavFitter,
    kernel: Kernel,
    mean_cross: Float[np.ndarray, " row"],
    labels: Labels,
    weights: Weights | None = None,
) -> Float[np.ndarray, " draw"]:
    """The effect for each labelling, given the class clips' average row of C; the statistic of the permutation test."""
    return clip_effects(cav, kernel, mean_cross[None], labels, weights)[:, 0]


def tcav_score(derivatives: Float[np.ndarray, "*draw class_clip"]) -> Float[np.ndarray, "*draw"]:
    """Fraction of class clips whose target rises along the concept (Kim et al. 2018, arXiv:1711.11279, equation 3)."""
    # strictly: where the layer does not tell concept from random clips, derivatives are zero and raise nothing
    return np.asarray((derivatives > 0).mean(-1))


def tcav_magnitude(derivatives: Float[np.ndarray, "*draw class_clip"]) -> Float[np.ndarray, "*draw"]:
    """Average directional derivative over class clips, in target units per unit of activation (Captum's "magnitude")."""
    return np.asarray(derivatives.mean(-1))
