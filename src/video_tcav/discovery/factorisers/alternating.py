"""Alternating fit of `X ≈ W H`: codes and least-squares directions in turn (method of optimal directions, Engan et al. 1999)."""

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Positions, of_length_one

_ROUNDS = 30
"""Of codes and directions in turn."""
_RIDGE = 1e-6
"""Keeps directions of components that go together apart from rounding."""


def fit_alternating(
    positions: Positions, components: int, seed: int, codes_of: Callable[[Positions, Directions], Codes]
) -> Directions:
    """Directions of length one, from the centres of k-means.

    Args:
        positions: X.
        components: how many.
        seed: of the first centres, and of directions that start again.
        codes_of: W for given directions.
    """
    clusters = KMeans(components, n_init=1, random_state=seed).fit(positions)  # pyright: ignore[reportArgumentType]
    generator, directions = (
        np.random.default_rng(seed),
        of_length_one(clusters.cluster_centers_.astype(positions.dtype)),
    )
    ridge = _RIDGE * np.eye(components, dtype=positions.dtype)
    for _ in range(_ROUNDS):
        codes = codes_of(positions, directions)
        directions = np.linalg.solve(codes.T @ codes + ridge, codes.T @ positions)
        unused = ~codes.any(0)
        if unused.any():  # a component that no position has starts again at one of them
            directions[unused] = positions[generator.integers(len(positions), size=int(unused.sum()))]
        directions = of_length_one(directions)
    return directions
