"""The recorded clips as a manifold: the directions that they vary in, and how far an edited activation is from all of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_SHARE = 0.9
_MOST = 32
FAR = 0.99
"""Beyond this share of the distances between nearest recorded neighbours."""


def leading_components(kernel: Float[np.ndarray, "row row"]) -> Float[np.ndarray, "component row"]:
    """Coefficients of the leading principal components: `αA` is a component times its standard deviation.

    As many as hold 90 % of the variance, at most 32.
    """
    centring = np.eye(len(kernel)) - 1 / len(kernel)
    values, vectors = np.linalg.eigh(centring @ kernel @ centring)
    values, vectors = values[::-1], vectors[:, ::-1]
    shares = np.cumsum(values) / values.sum()
    count = min(_MOST, len(values) - 1, int(np.searchsorted(shares, _SHARE)) + 1)
    return vectors[:, :count].T


@dataclass(frozen=True, kw_only=True, eq=False)
class NearestNeighbours:
    """Squared distances of class clips to all recorded ones and to each other.

    Attributes:
        to_rows: of each class clip to each recorded clip.
        to_clips: to each class clip.
        limit: squared distance beyond which an activation is far: 99 % of the recorded clips have a nearer neighbour.
    """

    to_rows: Float[np.ndarray, "clip row"]
    to_clips: Float[np.ndarray, "clip clip"]
    limit: float

    @classmethod
    def of(
        cls,
        *,
        kernel: Float[np.ndarray, "row row"],
        centre: Float[np.ndarray, " row"],
        centre_length: float,
        products: Float[np.ndarray, "row clip"],
        clips: Float[np.ndarray, "clip clip"],
    ) -> "NearestNeighbours":
        """From inner products.

        Args:
            kernel: of the recorded clips, measured from the mean of all.
            centre: inner product of each recorded clip with that mean.
            centre_length: the mean's own squared length.
            products: of recorded with class clips.
            clips: of class clips with each other.
        """
        lengths = kernel.diagonal() + 2 * centre - centre_length  # |a|² from |a − m|²
        to_rows = np.diagonal(clips)[:, None] + lengths[None] - 2 * products.T
        to_clips = np.diagonal(clips)[:, None] + np.diagonal(clips)[None] - 2 * clips
        among = kernel.diagonal()[:, None] + kernel.diagonal()[None] - 2 * kernel
        everyone = np.block([[among, to_rows.T], [to_rows, to_clips]])
        np.fill_diagonal(everyone, np.inf)
        return cls(to_rows=to_rows, to_clips=to_clips, limit=float(np.quantile(everyone.min(1).clip(min=0), FAR)))

    def share_far(
        self,
        shifts: Float[np.ndarray, "clip direction"],
        own: Float[np.ndarray, "clip direction"],
        along: Float[np.ndarray, "row direction"],
    ) -> float:
        """Share of class clips that are far from every recorded clip and class clip when moved along orthonormal vectors.

        Args:
            shifts: how far each is moved along each.
            own: coordinates of each along the vectors.
            along: of the recorded clips.
        """

        # |h + δ − a|² = |h − a|² + 2 δ·(h − a) + |δ|², δ within the span of the vectors
        def moved(squared: np.ndarray, others: np.ndarray) -> np.ndarray:
            return (
                squared + 2 * ((shifts * own).sum(1)[:, None] - shifts @ others.T) + np.square(shifts).sum(1)[:, None]
            )

        nearest = np.minimum(moved(self.to_rows, along).min(1), moved(self.to_clips, own).min(1))
        return float((nearest > self.limit * (1 + 1e-9)).mean())
