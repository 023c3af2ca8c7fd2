"""The effect of a concept on a target: in Gram space, for any labelling of the clips (METHOD: words, significance)."""

import numpy as np
from jaxtyping import Bool, Float

from video_tcav.gram.cavs import CavKind, fit_cavs, label_contrast, unit_coefficients
from video_tcav.gram.kernel import Kernel

Labels = Bool[np.ndarray, "draw row"]
Weights = Float[np.ndarray, "draw row"]


def clip_effects(
    kind: CavKind,
    kernel: Kernel,
    cross: Float[np.ndarray, "class_clip row"],
    labels: Labels,
    weights: Weights | None = None,
) -> Float[np.ndarray, "draw class_clip"]:
    """First-order change of each class clip's target from the average random to the average concept clip, along the CAV.

    With unit CAV v, gradient g and difference of the means Δμ this is `(g·v)(v·Δμ)`; for the mean-difference CAV it is
    `g·Δμ`. Its average over class clips is the effect.

    Args:
        kind: how the CAV is learned; it is learned anew for each labelling.
        kernel: K, inner products of the activations.
        cross: C, inner products of gradients and activations.
        labels: which clips show the concept, one labelling a row.
        weights: how often each clip counts, as in a bootstrap.
    """
    alphas = fit_cavs(kind, kernel, labels, weights)
    if kind == "mean":
        return alphas @ cross.T
    units = unit_coefficients(kernel, alphas)
    contrast = label_contrast(labels, weights)
    along = np.einsum("dr,dr->d", units @ kernel, contrast)
    return (units @ cross.T) * along[:, None]


def effects(
    kind: CavKind,
    kernel: Kernel,
    mean_cross: Float[np.ndarray, " row"],
    labels: Labels,
    weights: Weights | None = None,
) -> Float[np.ndarray, " draw"]:
    """The effect for each labelling, given the class clips' average row of C; the statistic of the permutation test."""
    return clip_effects(kind, kernel, mean_cross[None], labels, weights)[:, 0]


def tcav_score(derivatives: Float[np.ndarray, "*draw class_clip"]) -> Float[np.ndarray, "*draw"]:
    """Fraction of class clips whose target rises along the concept (Kim et al. 2018, arXiv:1711.11279, equation 3)."""
    return np.asarray((derivatives > 0).mean(-1))


def tcav_magnitude(derivatives: Float[np.ndarray, "*draw class_clip"]) -> Float[np.ndarray, "*draw"]:
    """Average directional derivative over class clips, in target units per unit of activation (Captum's "magnitude")."""
    return np.asarray(derivatives.mean(-1))
