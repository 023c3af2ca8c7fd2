"""Bootstrap of the effect over groups, and CAVs against random sets as in Kim et al. 2018."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from video_tcav.core import random_streams
from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design, bootstrap_weights, chunks
from video_tcav.gram.gram import Gram

Key = TypeVar("Key")
SMALLEST_P = 1 / (1 + 10**6)
"""Of a t-test where the standard error is 0: as a permutation test with a million permutations would give it, and never 0."""


def bootstrap_effects(
    cav: str | CavFitter,
    grams: Mapping[Key, Gram],
    design: Design,
    class_groups: Sequence[int],
    *,
    draws: int,
    seed: int,
    advance: Advance = no_progress,
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """The effect in bootstrap draws of concept, random and class groups; the CAV is learned anew in each draw.

    Args:
        cav: how CAVs are learned.
        grams: K and C of the comparison's clips at several layers and twins, rows as in its design.
        design: labels and groups of the clips.
        class_groups: group of each class clip.
        draws: how many.
        seed: of the draws.
        advance: told how many draws of one layer or twin were done.
    """
    fitter = cav_fitter(cav)
    groups, group_of = np.unique(np.asarray(class_groups), return_inverse=True)
    class_draws = bootstrap_weights(groups, draws, seed, random_streams.CLASS_BOOTSTRAP)
    effects: dict[Key, list[np.ndarray]] = {key: [] for key in grams}
    for weights, group_weights in zip(design.bootstrap(draws, seed), class_draws, strict=True):
        class_weights = group_weights[:, group_of]
        class_weights /= class_weights.sum(1, keepdims=True)
        labelling = Labelling(labels=np.broadcast_to(design.labels, weights.shape), weights=weights)
        for key, gram in grams.items():
            by_clip = fitter.clip_effects(gram.kernel, gram.cross, labelling)
            effects[key].append((by_clip * class_weights).sum(1))
            advance(len(weights))
    return {key: np.concatenate(drawn) for key, drawn in effects.items()}


def standard_error(draws: Float[np.ndarray, " draw"], groups: int) -> float:
    """Standard deviation of bootstrap draws, corrected for the few groups that were resampled."""
    return float(draws.std(ddof=1) * _few_groups(groups))


def _few_groups(groups: int) -> float:
    # the mean of n values with exponential weights has variance Σ(x − x̄)² / (n (n + 1)) about x̄; it should be over n (n − 1)
    return math.sqrt((groups + 1) / (groups - 1))


def two_sided_t(effect: float, error: float, freedom: int) -> float:
    """Student's t-test of no effect, given its standard error."""
    if error == 0:
        return 1.0 if effect == 0 else SMALLEST_P
    return float(2 * stats.t.sf(abs(effect) / error, freedom))


def expanded_interval(draws: Float[np.ndarray, " draw"], groups: int, level: float = 0.95) -> tuple[float, float]:
    """The expanded percentile interval of bootstrap draws of so many groups (Hesterberg 2015, arXiv:1411.5279, section 5.3).

    Percentiles are too narrow for few groups, as are z-intervals that divide by n: further ones, of the level that
    Student's t needs, make up for it.
    """
    reach = _few_groups(groups) * stats.t.ppf((1 + level) / 2, groups - 1)
    return percentile_interval(draws, 1 - 2 * float(stats.norm.sf(reach)))


def percentile_interval(draws: Float[np.ndarray, " draw"], level: float = 0.95) -> tuple[float, float]:
    """The central `level` of draws, such as a bootstrap interval."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def random_set_effects(
    cav: str | CavFitter,
    gram: Gram,
    labels: Bool[np.ndarray, " row"],
    *,
    sets: int,
    seed: int,
    against_random: bool = False,
    advance: Advance = no_progress,
) -> Float[np.ndarray, "set class_clip"]:
    """Effect on each class clip for CAVs against random sets, as in Kim et al. 2018.

    Args:
        cav: how CAVs are learned.
        gram: K and C of the comparison's clips.
        labels: which clips show the concept.
        sets: how many random sets; each has as many clips as the concept, at most half of the pool.
        seed: of the draws.
        against_random: whether a second, disjoint random set stands in for the concept.
        advance: told how many sets were done.
    """
    fitter = cav_fitter(cav)
    generator = np.random.default_rng([seed, random_streams.RANDOM_SETS, int(against_random)])
    pool = np.flatnonzero(~labels)
    # at most half, so that two disjoint sets can be drawn, and as many for both tests, whose scores are compared
    size = max(1, min(int(labels.sum()), len(pool) // 2))
    effects = []
    for count in chunks(sets, len(labels)):
        order = generator.permuted(np.broadcast_to(pool, (count, len(pool))), axis=1)
        weights, concept = np.zeros((count, len(labels))), np.zeros((count, len(labels)), dtype=bool)
        np.put_along_axis(weights, order[:, :size], 1.0, axis=1)
        if against_random:
            # the concept's clips keep weight 0, and the second set takes their label
            np.put_along_axis(weights, order[:, size : 2 * size], 1.0, axis=1)
            np.put_along_axis(concept, order[:, size : 2 * size], True, axis=1)
        else:
            weights[:, labels], concept[:, labels] = 1.0, True
        effects.append(fitter.clip_effects(gram.kernel, gram.cross, Labelling(labels=concept, weights=weights)))
        advance(count)
    return np.concatenate(effects)
