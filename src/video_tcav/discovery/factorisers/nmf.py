"""Non-negative matrix factorisation (scikit-learn), for layers behind a rectifier."""

import warnings

import numpy as np
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from video_tcav.core.errors import InputError
from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions, of_length_one
from video_tcav.discovery.factorisers.non_negative_codes import non_negative_codes


class NonNegative(Factoriser):
    """`X ≈ W H` with W ≥ 0 and H ≥ 0 (Lee and Seung 1999, doi:10.1038/44565), as CRAFT takes it."""

    name = "nmf"
    help = "NMF: for layers behind a rectifier alone"
    centred = False

    def fit(self, positions: Positions, components: int, seed: int) -> Directions:
        if (positions < 0).any():
            raise InputError(
                "`method` must be sparse, convex, topk or kmeans at a layer whose activations have signs. Got nmf, which "
                "needs them to be 0 or more. Choose another, or a layer behind a rectifier."
            )
        with warnings.catch_warnings():
            # the last digits of the error: components are matched and tested afterwards
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = NMF(components, init="nndsvda", max_iter=300, random_state=seed)  # pyright: ignore[reportArgumentType]
            model.fit(positions)
        return of_length_one(np.asarray(model.components_, dtype=positions.dtype))

    def codes(self, positions: Positions, directions: Directions) -> Codes:
        return non_negative_codes(positions, directions, penalty=0.0)
