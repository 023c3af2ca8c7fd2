"""Gram space: `K = A Aᵀ` and `C = G Aᵀ`, inner products of one layer's activations and gradients."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from video_tcav.gram.kernel import Kernel, kernel_of


@dataclass(frozen=True, kw_only=True)
class Gram:
    """Inner products of one layer's activations and gradients, in float64.

    Activations are taken from their mean row. Every CAV here has coefficients α that sum to zero, so the origin changes
    neither CAV nor derivative, and differences of large numbers keep their digits.

    Attributes:
        kernel: K, `(row, row)`, inner products of the clips' activations.
        cross: C, `(class clip, row)`, inner products of gradients and activations.
    """

    kernel: Kernel
    cross: Float[np.ndarray, "class_clip row"]

    @cached_property
    def mean_cross(self) -> Float[np.ndarray, " row"]:
        """Each clip's activation along the mean gradient of the class clips; effects are linear in the gradient."""
        return self.cross.mean(0)

    def of_rows(self, rows: Int[np.ndarray, " row"]) -> "Gram":
        """K and C of some clips alone, in that order."""
        return Gram(kernel=kernel_of(self.kernel, rows), cross=self.cross[:, rows])
