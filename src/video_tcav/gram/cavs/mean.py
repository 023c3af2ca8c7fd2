"""CAV by the difference of the means of concept and random activations."""

import numpy as np
from jaxtyping import Float

from video_tcav.gram.cavs.fitter import CavFitter, Labelling, Weights
from video_tcav.gram.kernel import Kernel


class MeanDifference(CavFitter):
    """Difference of the means (Schmalwasser et al. 2025, FastCAV, arXiv:2505.17883): the same α whatever the kernel."""

    name = "mean"
    help = "difference of the means"
    methods_text = "the difference of the means of concept and random activations"
    closed_form = True
    parallel_to_means = True

    def fit(self, kernel: Kernel, labelling: Labelling) -> Weights:
        return labelling.contrast

    def clip_effects(
        self, kernel: Kernel, cross: Float[np.ndarray, "class_clip row"], labelling: Labelling
    ) -> Float[np.ndarray, "draw class_clip"]:
        # v is parallel to Δμ, so (g·v)(v·Δμ) = g·Δμ: no product with K, and exact where K is a sketch
        return labelling.contrast @ cross.T
