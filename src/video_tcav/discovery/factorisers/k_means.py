"""k-means clusters of positions (scikit-learn): each position has one component."""

import numpy as np
from sklearn.cluster import KMeans

from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions, of_length_one


class Clusters(Factoriser):
    """`X ≈ W H` where each row of W has one value above 0: the cluster whose direction is nearest, and how far along it."""

    name = "kmeans"
    help = "k-means: each position has one component"

    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        clusters = KMeans(components, n_init=3, random_state=seed).fit(positions)  # pyright: ignore[reportArgumentType]
        return of_length_one(clusters.cluster_centers_.astype(positions.dtype))

    def codes(self, positions: Positions, directions: Directions) -> Codes:
        along = positions @ directions.T
        nearest = along.argmax(1, keepdims=True)
        codes = np.zeros_like(along)
        np.put_along_axis(codes, nearest, np.maximum(0.0, np.take_along_axis(along, nearest, 1)), 1)
        return codes
