"""Sparse semi-NMF: signed directions, codes that are 0 or more and mostly 0."""

from functools import partial

from video_tcav.discovery.factorisers.alternating import fit_alternating
from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions
from video_tcav.discovery.factorisers.non_negative_codes import non_negative_codes

_PENALTY = 0.2
"""Of activations with root mean square length one: then 10 to 20 % of codes of recorded layers are above 0."""
_SWEEPS = 10
"""Over all coordinates, within each round of the fit."""


class SparseSemiNMF(Factoriser):
    """`X ≈ W H` with W ≥ 0 and a penalty on its sum, by alternating codes and least squares.

    Semi-NMF (Ding et al. 2010, doi:10.1109/TPAMI.2008.277) with the penalty of sparse coding. Signed activations keep their
    signs in H, so that more of a component is more presence of it, and the penalty makes components of small regions.
    """

    name = "sparse"
    help = "sparse semi-NMF: for activations of any sign"

    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        return fit_alternating(
            positions, components, seed, partial(non_negative_codes, penalty=_PENALTY, rounds=_SWEEPS)
        )

    def codes(self, positions: Positions, directions: Directions) -> Codes:
        return non_negative_codes(positions, directions, penalty=_PENALTY)
