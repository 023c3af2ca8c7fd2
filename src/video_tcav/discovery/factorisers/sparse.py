"""Sparse semi-NMF: signed directions, codes that are 0 or more and mostly 0."""

import numpy as np
from sklearn.cluster import KMeans

from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions, of_length_one
from video_tcav.discovery.factorisers.non_negative_codes import non_negative_codes

_PENALTY = 0.2
"""Of activations with root mean square length one: then 10 to 20 % of codes of recorded layers are above 0."""
_ROUNDS, _SWEEPS = 30, 10
"""Of codes and directions in turn; and of coordinates within each."""
_RIDGE = 1e-6
"""Keeps directions of components that go together apart from rounding."""


class SparseSemiNMF(Factoriser):
    """`X ≈ W H` with W ≥ 0 and a penalty on its sum, by alternating codes and least squares.

    Semi-NMF (Ding et al. 2010, doi:10.1109/TPAMI.2008.277) with the penalty of sparse coding. Signed activations keep their
    signs in H, so that more of a component is more presence of it, and the penalty makes components of small regions.
    """

    name = "sparse"
    help = "sparse semi-NMF: for activations of any sign"

    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        clusters = KMeans(components, n_init=1, random_state=seed).fit(positions)  # pyright: ignore[reportArgumentType]
        generator, directions = (
            np.random.default_rng(seed),
            of_length_one(clusters.cluster_centers_.astype(positions.dtype)),
        )
        ridge = _RIDGE * np.eye(components, dtype=positions.dtype)
        for _ in range(_ROUNDS):
            codes = non_negative_codes(positions, directions, penalty=_PENALTY, rounds=_SWEEPS)
            directions = np.linalg.solve(codes.T @ codes + ridge, codes.T @ positions)
            unused = ~codes.any(0)
            if unused.any():  # a component that no position has starts again at one of them
                directions[unused] = positions[generator.integers(len(positions), size=int(unused.sum()))]
            directions = of_length_one(directions)
        return directions

    def codes(self, positions: Positions, directions: Directions) -> Codes:
        return non_negative_codes(positions, directions, penalty=_PENALTY)
