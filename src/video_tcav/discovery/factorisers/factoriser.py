"""What a factorisation is: an object that finds directions in activations, and says how much of each a position has."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Float

Positions = Float[np.ndarray, "position channel"]
Directions = Float[np.ndarray, "component channel"]
Codes = Float[np.ndarray, "position component"]


class Factoriser(ABC):
    """A factorisation `X ≈ W H` with W ≥ 0. Subclass it, and register the class by an entry point of `video_tcav.factorisers`.

    Attributes:
        name: what users write, as in `method="nmf"`.
        help: one line for the command line.
        centred: whether activations are taken from the mean of each position, so that what the layer says of every clip is no
            component; not for factorisations that need them to be 0 or more.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    centred: ClassVar[bool] = True

    @abstractmethod
    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        """Directions H, of length one, of activations whose root mean square length is one.

        Args:
            positions: a sample of X.
            components: how many.
            seed: of every random draw.
        """

    @abstractmethod
    def codes(self, positions: Positions, directions: Directions) -> Codes:
        """W: how much of each component every position has, never below 0."""


def of_length_one(directions: Directions) -> Directions:
    """Each direction scaled to length one; one of zeros stays so."""
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return directions / np.where(lengths > 0, lengths, 1.0)
