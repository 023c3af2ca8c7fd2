"""Clustering of clip embeddings (HDBSCAN, k-means), names for the groups, and a varied order of clips."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.cluster import HDBSCAN, KMeans

from video_tcav.concepts import Origin
from video_tcav.core.checks import one_of

Grouping = Literal["none", "hdbscan", "kmeans"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)

_SMALLEST_GROUP = 5  # clips
_MOST_GROUPS = 12  # of k-means: more than a person would look through
_SAME = 1e-6  # of unit vectors: rounding
_STILL = 0.15  # of its own size a second
_FAST = 0.8  # of its own size a second
_GROWING = 0.25  # of its own size a second


def motion_words(origin: Origin) -> list[str]:
    """Motion of a tube in words, how fast and where to, by the straight line that fits its path best."""
    boxes, times_s = np.asarray(origin.boxes, float).reshape(-1, 4), np.asarray(origin.times_s)
    if len(boxes) < 2 or times_s[-1] <= times_s[0]:
        return ["in place"]
    sides = np.maximum(1e-6, (boxes[:, 2:] - boxes[:, :2]).max(1))
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    # in sizes of the thing itself a second: a tube's mean longer side is one
    right, down, growth = np.polyfit(times_s - times_s[0], np.column_stack([middles, sides]) / sides.mean(), 1)[0]
    speed = float(np.hypot(right, down))
    if speed < _STILL:
        if abs(growth) < _GROWING:
            return ["in place"]
        return ["approaching" if growth > 0 else "receding"]
    pace = "fast" if speed >= _FAST else "slow"
    if abs(right) >= abs(down):
        return [pace, "rightwards" if right > 0 else "leftwards"]
    return [pace, "downwards" if down > 0 else "upwards"]


def group_name(origins: Sequence[Origin]) -> str:
    """A name for a group: its commonest label, and the motion, or at least the pace, of more than half of its clips."""
    [(label, _)] = Counter(origin.label for origin in origins).most_common(1)
    motions = [tuple(motion_words(origin)) for origin in origins]
    [(motion, count)] = Counter(motions).most_common(1)
    if 2 * count > len(motions):
        return ", ".join([label, *motion])
    [(pace, count)] = Counter(motion[0] for motion in motions).most_common(1)
    return f"{label}, {pace}" if 2 * count > len(motions) else label


def group_clips(
    vectors: Float[np.ndarray, "clip feature"], *, method: Grouping = "hdbscan", seed: int = 0
) -> Int[np.ndarray, " clip"]:
    """Number of each clip's group; −1 for a clip that belongs to none.

    Args:
        vectors: one a clip, compared by their direction.
        method: `hdbscan` finds how many groups there are and leaves clips out, `kmeans` puts each clip into one.
        seed: of k-means.

    Raises:
        InputError: for another method.
    """
    one_of("group", method, GROUPINGS)
    if method == "none" or len(vectors) < 2 * _SMALLEST_GROUP:
        return np.full(len(vectors), -1)
    directions = _directions(vectors)
    if method == "kmeans":
        # the rule of thumb sqrt(n / 2)
        groups = min(_MOST_GROUPS, max(2, round(float(np.sqrt(len(vectors) / 2)))))
        settings: dict[str, Any] = {"n_init": 4, "random_state": seed}
        return KMeans(groups, **settings).fit_predict(directions)
    settings = {"min_cluster_size": _SMALLEST_GROUP, "copy": True}
    return HDBSCAN(**settings).fit_predict(directions.astype(np.float64))


def two_groups(vectors: Float[np.ndarray, "clip feature"], *, seed: int = 0) -> Bool[np.ndarray, " clip"] | None:
    """Which clips are of the smaller of two groups, by 2-means of their directions; `None` where they do not differ.

    Args:
        vectors: one a clip, compared by their direction.
        seed: of the first centres.
    """
    directions = _directions(vectors)
    if len(vectors) < 2 or np.ptp(directions, axis=0).max() < _SAME:
        return None
    settings: dict[str, Any] = {"n_init": 10, "random_state": seed}
    second = KMeans(2, **settings).fit_predict(directions).astype(bool)
    # of two groups of one size the first clip's stays
    return second if (second.sum(), second[0]) < ((~second).sum(), ~second[0]) else ~second


def _directions(vectors: Float[np.ndarray, "clip feature"]) -> Float[np.ndarray, "clip feature"]:
    """Unit vectors whose Euclidean distance orders pairs as the cosine does."""
    centred = vectors - vectors.mean(0)  # rectified activations share most of their direction
    return centred / np.maximum(1e-12, np.linalg.norm(centred, axis=1, keepdims=True))


def varied_order(qualities: Sequence[float], vectors: Float[np.ndarray, "clip feature"]) -> list[int]:
    """Greedy order by maximal marginal relevance: each next clip is good, and unlike those before it.

    Carbonell and Goldstein 1998, equation 1, with λ = 1/2 and the quality, in [0, 1], in place of the relevance.
    """
    directions = vectors / np.maximum(1e-12, np.linalg.norm(vectors, axis=1, keepdims=True))
    nearest, remaining, order = np.zeros(len(qualities)), list(range(len(qualities))), list[int]()
    while remaining:
        worth = [qualities[at] - nearest[at] for at in remaining]
        best = remaining.pop(int(np.argmax(worth)))
        order.append(best)
        nearest = np.maximum(nearest, directions @ directions[best])
    return order
