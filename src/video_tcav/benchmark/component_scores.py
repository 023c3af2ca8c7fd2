"""Scores of components: enrichment in a mask, AUC of presence, and stability by Hungarian matching."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.metrics.localisation import Mask
from video_tcav.benchmark.contract import Component

Vectors = Float[np.ndarray, "component value"]


def enrichment(maps: Map, mask: Mask, *, top_share: float) -> float:
    """How many times more of a component's strongest voxels lies inside a mask than of all voxels; 1 by chance.

    The strongest are a share of the voxels of all clips together, or all that are above zero where these are fewer: so a
    component that is in few clips is not diluted by the others, and maps that are 0 or 1 are judged as dense ones are. Of
    voxels that are as large as the least of them, the share that is needed counts.

    Args:
        maps: not negative, on the clips' own grid.
        mask: where the cause is.
        top_share: of the voxels, in (0, 1].

    Returns:
        0 for a component that is nowhere.
    """
    values, inside = maps.flatten(), mask.flatten()
    count = min(int(top_share * values.numel()), int((values > 0).sum()))
    if not count:
        return 0.0
    least = values.topk(count).values[-1]
    above, equal = values > least, values == least
    needed = (count - int(above.sum())) / int(equal.sum())
    share = (int((above & inside).sum()) + needed * int((equal & inside).sum())) / count
    return share / float(inside.double().mean())


def presence_auc(presence: Float[np.ndarray, " clip"], is_class: Bool[np.ndarray, " clip"]) -> float:
    """How often a component is more present in a clip of the class than in one of another; 0.5 by chance."""
    return float(roc_auc_score(is_class, presence))


def enlarged(component: Component, shape: tuple[int, int, int]) -> Map:
    """Its maps on the clips' own grid."""
    return to_clip(torch.from_numpy(component.maps), shape)


def map_stability(first: Sequence[Component], second: Sequence[Component]) -> float:
    """Mean correlation of the maps of matched components on the same clips.

    As maps are not negative, those of unrelated components have a cosine far above zero: so their means are taken off first.
    """
    # Components may lie on grids of their own: the finest of each axis holds all of them.
    time, height, width = np.max([component.maps.shape[1:] for component in (*first, *second)], axis=0).tolist()
    sides = [
        np.stack([enlarged(component, (time, height, width)).double().numpy().ravel() for component in side])
        for side in (first, second)
    ]
    return matched_cosine(*(side - side.mean(1, keepdims=True) for side in sides))


def direction_stability(first: Sequence[Component], second: Sequence[Component]) -> float:
    """Mean cosine of the directions of matched components; NaN where there are none, or in another space."""
    sizes = {component.direction.size for component in (*first, *second)}
    if len(sizes) > 1 or 0 in sizes:
        return float("nan")
    return matched_cosine(*(np.stack([component.direction for component in side]) for side in (first, second)))


def matched_cosine(first: Vectors, second: Vectors) -> float:
    """Mean cosine of pairs of vectors that are matched so that it is largest (Hungarian method).

    Each vector of the smaller set has a partner. Vectors of zero have a cosine of zero.
    """
    cosines = _unit(first) @ _unit(second).T
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return float(cosines[rows, columns].mean())


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
