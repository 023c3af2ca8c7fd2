"""What a kind of CAV is: an object that turns inner products and labels into coefficients α, with `Σα = 0`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from video_tcav.core.errors import InputError
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import Kernel, unit_coefficients

Labels = Bool[np.ndarray, "draw row"]
Weights = Float[np.ndarray, "draw row"]


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Which clips show the concept and how often each clip counts, in several draws.

    What follows from labels alone is computed once, however many layers share them.

    Attributes:
        labels: one draw a row; true for concept clips.
        weights: how often each clip counts, as in a bootstrap or a training fold; once each if `None`.
    """

    labels: Labels
    weights: Weights | None = None

    @cached_property
    def counts(self) -> Weights:
        """`weights`, written out."""
        return np.ones(self.labels.shape) if self.weights is None else self.weights

    @cached_property
    def class_counts(self) -> tuple[Float[np.ndarray, "draw 1"], Float[np.ndarray, "draw 1"]]:
        """Concept and random clips in each draw.

        Raises:
            InputError: if a draw has only one class.
        """
        n_concept = (self.counts * self.labels).sum(1, keepdims=True)
        n_random = self.counts.sum(1, keepdims=True) - n_concept
        if (n_concept == 0).any() or (n_random == 0).any():
            raise InputError(
                "`labels` must hold both concept and random clips. Got one kind only. Add clips of the other kind."
            )
        return n_concept, n_random

    @cached_property
    def contrast(self) -> Weights:
        """`1/n₊` on concept clips and `−1/n₋` on the others: the coefficients of the difference of the means."""
        n_concept, n_random = self.class_counts
        return np.where(self.labels, self.counts / n_concept, -self.counts / n_random)

    @cached_property
    def balanced_weights(self) -> Weights:
        """How much each clip weighs, so that concept and random clips weigh the same together."""
        n_concept, n_random = self.class_counts
        total = n_concept + n_random
        return self.counts * np.where(self.labels, total / (2 * n_concept), total / (2 * n_random))


class CavFitter(ABC):
    """A kind of CAV. Subclass it, implement `fit`, and register the class by an entry point of `video_tcav.cavs`.

    Attributes:
        name: what users write, as in `cav="ridge"`.
        help: one line for the command line.
        methods_text: what a report's methods section says CAVs were learned by, such as "ridge regression".
        closed_form: whether a fit takes about as long as a product of matrices; slow kinds get fewer draws in benchmarks.
        parallel_to_means: whether the CAV points from the mean of the random to that of the concept clips, so that a map of
            it, times their distance, adds up to the effect.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    methods_text: ClassVar[str]
    closed_form: ClassVar[bool] = False
    parallel_to_means: ClassVar[bool] = False

    @abstractmethod
    def fit(self, kernel: Kernel, labelling: Labelling) -> Weights:
        """The coefficients α of one CAV for each draw of the labelling, of any length.

        Args:
            kernel: K, inner products of the clips' activations, as a matrix or as a `FactoredKernel` (`--sketch`).
            labelling: which clips show the concept; see `Labelling`.
        """

    def clip_effects(
        self, kernel: Kernel, cross: Float[np.ndarray, "class_clip row"], labelling: Labelling
    ) -> Float[np.ndarray, "draw class_clip"]:
        """`(g·v)(v·Δμ)` for each draw and class clip; see `video_tcav.gram.clip_effects`."""
        units = unit_coefficients(kernel, self.fit(kernel, labelling))
        along = np.einsum("dr,dr->d", units @ kernel, labelling.contrast)
        return (units @ cross.T) * along[:, None]

    def effects(self, gram: Gram, labelling: Labelling) -> Float[np.ndarray, " draw"]:
        """The effect for each draw: the average over class clips."""
        return self.clip_effects(gram.kernel, gram.mean_cross[None], labelling)[:, 0]
