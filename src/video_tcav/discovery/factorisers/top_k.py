"""TopK sparse dictionary: signed directions, of which each position has a few at most."""

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.discovery.factorisers.alternating import fit_alternating
from video_tcav.discovery.factorisers.factoriser import Codes, Directions, Factoriser, Positions

MOST_AT_ONCE = 2
"""Components of a position: the share of codes above 0 is then near that of `sparse` at ten to fifteen components."""
_RIDGE = 1e-6
"""Keeps directions that are nearly the same apart from rounding."""


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
    codes = np.zeros_like(along)
    chosen, used = np.zeros((len(along), 0), dtype=int), np.zeros((len(along), 0), dtype=bool)
    for _ in range(min(most, len(directions))):
        gains = along - codes @ products
        np.put_along_axis(gains, chosen, -np.inf, 1)
        best = gains.argmax(1)[:, None]
        chosen = np.concatenate([chosen, best], axis=1)
        used = np.concatenate([used, np.take_along_axis(gains, best, 1) > 0], axis=1)
        codes = np.zeros_like(along)
        np.put_along_axis(codes, chosen, _fitted(products, along, chosen, used), 1)
    return codes


def _fitted(
    products: Float[np.ndarray, "component component"],
    along: Float[np.ndarray, "position component"],
    chosen: Int[np.ndarray, "position few"],
    used: Bool[np.ndarray, "position few"],
) -> Float[np.ndarray, "position few"]:
    """Least squares on the components that each position uses; one below 0 is left out, and the others fitted again.

    In closed form: sweeps over the coordinates are far from it where two directions are alike, and give the first too much.
    """
    few = chosen.shape[1]
    inner = products[chosen[:, :, None], chosen[:, None, :]]
    values = np.zeros_like(along[:, :few])
    for _ in range(few):
        among = used[:, :, None] & used[:, None, :]
        system = np.where(among, inner, 0) + np.eye(few, dtype=inner.dtype) * np.where(used, _RIDGE, 1)[:, :, None]
        right = np.where(used, np.take_along_axis(along, chosen, 1), 0)
        values = np.linalg.solve(system, right[..., None].astype(system.dtype))[..., 0].astype(along.dtype)
        if (values >= 0).all():
            break
        used = used & (values >= 0)
    return np.maximum(values, 0)
