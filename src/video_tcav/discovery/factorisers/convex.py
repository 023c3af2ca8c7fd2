"""Convex NMF: directions that are sums of positions with weights of 0 or more, so that each is like something there is."""

import numpy as np
from jaxtyping import Float
from sklearn.cluster import KMeans

from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions, of_length_one
from video_tcav.discovery.factorisers.non_negative_codes import non_negative_codes

_MOST_ANCHORS = 500
"""Positions that directions are made of: the products of all pairs of 4,000 would take a minute a fit."""
_ROUNDS, _SWEEPS, _STEPS = 30, 10, 4
"""Of codes and weights in turn; of coordinates of the codes; of multiplicative updates of the weights."""


class ConvexNMF(Factoriser):
    """`X ≈ W Gᵀ A` with W ≥ 0 and G ≥ 0, where A are positions of the sample (Ding et al. 2010, doi:10.1109/TPAMI.2008.277)."""

    name = "convex"
    help = "convex NMF: directions are sums of positions"

    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        clusters = KMeans(components, n_init=1, random_state=seed).fit(positions)  # pyright: ignore[reportArgumentType]
        generator = np.random.default_rng(seed)
        count = min(len(positions), max(_MOST_ANCHORS, components))
        chosen = np.sort(generator.choice(len(positions), count, replace=False))
        anchors, labels = positions[chosen], np.asarray(clusters.labels_)[chosen]
        # clusters, and a little of everything, as a weight of 0 stays 0 (as Ding et al. begin)
        weights = (labels[:, None] == np.arange(components)).astype(positions.dtype) + 0.2
        weights /= weights.sum(0)
        products = anchors @ anchors.T
        for _ in range(_ROUNDS):
            directions = weights.T @ anchors
            lengths = np.maximum(np.linalg.norm(directions, axis=1), np.finfo(directions.dtype).tiny)
            weights = weights / lengths
            codes = non_negative_codes(positions, weights.T @ anchors, penalty=0.0, rounds=_SWEEPS)
            weights = updated_weights(weights, codes.T @ codes, anchors @ (positions.T @ codes), products)
        return of_length_one(weights.T @ anchors)

    def codes(self, positions: Positions, directions: Directions) -> Codes:
        return non_negative_codes(positions, directions, penalty=0.0)


def updated_weights(
    weights: Float[np.ndarray, "anchor component"],
    code_products: Float[np.ndarray, "component component"],
    along: Float[np.ndarray, "anchor component"],
    products: Float[np.ndarray, "anchor anchor"],
    *,
    steps: int = _STEPS,
) -> Float[np.ndarray, "anchor component"]:
    """G after multiplicative updates, none of which raises `‖X − W Gᵀ A‖²`.

    Args:
        weights: G.
        code_products: `Wᵀ W`.
        along: `A Xᵀ W`.
        products: `A Aᵀ`.
        steps: how many updates.
    """
    positive, negative = np.maximum(products, 0), np.maximum(-products, 0)
    gains, losses = np.maximum(along, 0), np.maximum(-along, 0)
    tiny = np.finfo(weights.dtype).tiny
    for _ in range(steps):
        fitted = weights @ code_products
        weights = weights * np.sqrt((gains + negative @ fitted) / np.maximum(losses + positive @ fitted, tiny))
    return weights
