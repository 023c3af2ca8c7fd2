"""TopK sparse dictionary: signed directions, of which each position has a few at most."""

import numpy as np

from video_tcav.discovery.factorisers.alternating import fit_alternating
from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions
from video_tcav.discovery.factorisers.non_negative_codes import non_negative_codes

MOST_AT_ONCE = 2
"""Components of a position: the share of codes above 0 is then near that of `sparse` at ten to fifteen components."""
_SWEEPS = 3
"""Over the coordinates of the support, each time that it grows."""


class TopK(Factoriser):
    """`X ≈ W H` with W ≥ 0, of which each row has two values above 0 at most, by non-negative orthogonal matching pursuit.

    The constraint of TopK sparse autoencoders (Gao et al. 2024, arXiv:2406.04093), fitted by alternating codes and least squares,
    as few positions and components need no autoencoder. The orthogonal matching pursuit of scikit-learn gives codes of any sign,
    and so the wrong sign of presence.
    """

    name = "topk"
    help = "sparse dictionary: each position has two components at most"

    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        return fit_alternating(positions, components, seed, top_k_codes)

    def codes(self, positions: Positions, directions: Directions) -> Codes:
        return top_k_codes(positions, directions)


def top_k_codes(positions: Positions, directions: Directions, *, most: int = MOST_AT_ONCE) -> Codes:
    """W ≥ 0 with so many values above 0 in each row: the direction that gains most joins, then all that joined are fitted again.

    Args:
        positions: X.
        directions: H, of length one.
        most: components of a position.

    Source:
        Bruckstein et al. 2008, doi:10.1109/TIT.2008.929920 (non-negative OMP).
    """
    products, along = directions @ directions.T, positions @ directions.T
    support = np.zeros(along.shape, dtype=bool)
    codes = np.zeros_like(along)
    for _ in range(min(most, len(directions))):
        gains = np.where(support, -np.inf, along - codes @ products)
        best = gains.argmax(1)
        rows = np.flatnonzero(gains[np.arange(len(gains)), best] > 0)
        support[rows, best[rows]] = True
        codes = non_negative_codes(positions, directions, penalty=0.0, rounds=_SWEEPS, support=support)
    return codes
