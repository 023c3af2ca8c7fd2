"""Permutation null, bootstrap intervals, the paper's t-test, and corrections for many tests (METHOD: significance)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats
from statsmodels.stats.multitest import multipletests

from video_tcav.gram.cavs import CavKind, label_contrast
from video_tcav.gram.design import Design, chunks, draw_counts
from video_tcav.gram.effects import clip_effects, effects, tcav_score
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import Kernel, kernel_of

Correction = Literal["holm", "bonferroni", "bh", "maxt", "none"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
Significance = Literal["permutation", "ttest"]
SIGNIFICANCES: tuple[Significance, ...] = get_args(Significance)
Advance = Callable[[int], None]
Key = TypeVar("Key")
TTEST_WARNING = (
    "The random-set t-test treats re-draws around one fixed set of concept clips as independent data: it is "
    "anti-conservative (two thirds of meaningless concepts come out as significant). Use --significance permutation "
    "for calibrated p-values."
)
_STATSMODELS_NAMES = {"holm": "holm", "bonferroni": "bonferroni", "bh": "fdr_bh"}


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Inner products of the clips of one comparison at one layer and twin.

    Attributes:
        kernel: K, rows as in the comparison's design.
        cross: C, likewise.
    """

    kernel: Kernel
    cross: Float[np.ndarray, "class_clip row"]


def inner_of(gram: Gram, rows: Int[np.ndarray, " row"]) -> Inner:
    """The part of a layer's inner products that some rows have, in that order."""
    return Inner(kernel=kernel_of(gram.kernel, rows), cross=gram.cross[:, rows])


def permutation_null(
    kind: CavKind,
    inner: Mapping[Key, Inner],
    design: Design,
    *,
    permutations: int,
    seed: int,
    advance: Advance,
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """The effect under relabelled clips, for several layers and twins that share their relabellings."""
    means = {key: one.cross.mean(0) for key, one in inner.items()}
    draws: dict[Key, list[np.ndarray]] = {key: [] for key in inner}
    for labels in design.relabellings(permutations, seed):
        contrast = label_contrast(labels) if kind == "mean" else None  # this CAV is the same for all layers
        for key, one in inner.items():
            draws[key].append(
                effects(kind, one.kernel, means[key], labels) if contrast is None else contrast @ means[key]
            )
            advance(len(labels))
    return {key: np.concatenate(parts) for key, parts in draws.items()}


def permutation_p(effect: float, null: Float[np.ndarray, " draw"]) -> float:
    """Two-sided `(1 + #{|T_b − c| ≥ |T − c|}) / (B + 1)`: never 0.

    The centre c is the mean of all B + 1 effects, the observed one among them, so that the test stays exact. It is near 0
    unless groups hold concept and random clips in unequal shares.
    """
    centre = null_centre(effect, null)
    own, drawn = abs(effect - centre), np.abs(null - centre)
    tolerance = 1e-9 * max(own, float(drawn.max(initial=0)))
    return float((1 + (drawn >= own - tolerance).sum()) / (len(null) + 1))


def null_centre(effect: float, null: Float[np.ndarray, " draw"]) -> float:
    """Mean of the effect and of those under relabelling together."""
    return float((null.sum() + effect) / (len(null) + 1))


def z_score(effect: float, null: Float[np.ndarray, " draw"]) -> float:
    """The effect in standard deviations of the permutation null; 0 where the null does not vary."""
    spread = float(null.std())
    return (effect - float(null.mean())) / spread if spread > 0 else 0.0


def bootstrap_effects(
    kind: CavKind,
    inner: Mapping[Key, Inner],
    design: Design,
    class_groups: Sequence[int],
    *,
    draws: int,
    seed: int,
    advance: Advance,
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """The effect in bootstrap draws of concept, random and class groups; the CAV is learned anew in each draw."""
    generator = np.random.default_rng([seed, 5])
    members, member_of = np.unique(np.asarray(class_groups), return_inverse=True)
    found: dict[Key, list[np.ndarray]] = {key: [] for key in inner}
    for counts in design.bootstrap(draws, seed):
        class_counts = draw_counts(len(members), len(counts), generator)[:, member_of]
        class_weights = class_counts / class_counts.sum(1, keepdims=True)
        labels = np.broadcast_to(design.labels, counts.shape)
        for key, one in inner.items():
            by_clip = clip_effects(kind, one.kernel, one.cross, labels, counts)
            found[key].append((by_clip * class_weights).sum(1))
            advance(len(counts))
    return {key: np.concatenate(parts) for key, parts in found.items()}


def percentile_interval(draws: Float[np.ndarray, " draw"], level: float = 0.95) -> tuple[float, float]:
    """The central `level` of bootstrap draws."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def random_set_effects(
    kind: CavKind,
    inner: Inner,
    labels: Bool[np.ndarray, " row"],
    *,
    sets: int,
    seed: int,
    against_random: bool = False,
    advance: Advance = lambda _draws: None,
) -> Float[np.ndarray, "set class_clip"]:
    """Effect on each class clip for CAVs against random sets, as in Kim et al. 2018.

    Args:
        kind: how the CAV is learned.
        inner: inner products.
        labels: which clips show the concept.
        sets: how many random sets; each has as many clips as the concept, at most half of the pool.
        seed: of the draws.
        against_random: whether a second, disjoint random set stands in for the concept.
        advance: told how many sets were done.
    """
    generator = np.random.default_rng([seed, 6, int(against_random)])
    pool = np.flatnonzero(~labels)
    size = max(1, min(int(labels.sum()), len(pool) // 2))
    found = []
    for count in chunks(sets, len(labels)):
        order = generator.permuted(np.broadcast_to(pool, (count, len(pool))), axis=1)
        weights, chosen = np.zeros((count, len(labels))), np.zeros((count, len(labels)), dtype=bool)
        np.put_along_axis(weights, order[:, :size], 1.0, axis=1)
        if against_random:
            np.put_along_axis(weights, order[:, size : 2 * size], 1.0, axis=1)
            np.put_along_axis(chosen, order[:, size : 2 * size], True, axis=1)
        else:
            weights[:, labels], chosen[:, labels] = 1.0, True
        found.append(clip_effects(kind, inner.kernel, inner.cross, chosen, weights))
        advance(count)
    return np.concatenate(found)


def random_set_ttest(
    concept: Float[np.ndarray, "set class_clip"], random: Float[np.ndarray, "set class_clip"]
) -> tuple[float, float]:
    """The paper's t-test: TCAV scores of the concept against those of random sets. Anti-conservative, see `TTEST_WARNING`.

    Returns:
        t and the two-sided p-value.
    """
    ours, theirs = tcav_score(concept), tcav_score(random)
    if np.ptp(ours) == 0 and np.ptp(theirs) == 0:
        return (0.0, 1.0) if ours[0] == theirs[0] else (float(np.sign(ours[0] - theirs[0]) * np.inf), 0.0)
    outcome = stats.ttest_ind_from_stats(
        ours.mean(), ours.std(ddof=1), len(ours), theirs.mean(), theirs.std(ddof=1), len(theirs)
    )
    return float(outcome.statistic), float(outcome.pvalue)


def adjust(
    p_values: Sequence[float],
    correction: Correction,
    *,
    observed: Sequence[float] | None = None,
    nulls: Sequence[Float[np.ndarray, " draw"]] | None = None,
) -> list[float]:
    """Adjust one family of p-values for its size.

    Args:
        p_values: of the family.
        correction: `holm`, `bonferroni`, `bh` (false discovery rate), `maxt` (Westfall and Young's step-down) or `none`.
        observed: the effects, for `maxt`.
        nulls: the effects under relabelling, for `maxt`; draw b of each comes from the same relabelling.
    """
    if correction == "none":
        return list(p_values)
    if correction == "maxt":
        assert observed is not None and nulls is not None
        return max_t(observed, nulls)
    return np.asarray(multipletests(p_values, method=_STATSMODELS_NAMES[correction])[1]).tolist()


def max_t(observed: Sequence[float], nulls: Sequence[Float[np.ndarray, " draw"]]) -> list[float]:
    """Step-down max-T on effects in units of their null's spread (Westfall and Young 1993, algorithm 4.1)."""
    centres = [null_centre(effect, null) for effect, null in zip(observed, nulls, strict=True)]
    spreads = [null.std() or 1.0 for null in nulls]
    own = np.abs([(e - c) / s for e, c, s in zip(observed, centres, spreads, strict=True)])
    drawn = np.abs([(null - c) / s for null, c, s in zip(nulls, centres, spreads, strict=True)])
    adjusted, largest, floor = np.empty(len(own)), np.zeros(drawn.shape[1]), 0.0
    order = np.argsort(-own, kind="stable")
    running = np.empty((len(own), drawn.shape[1]))
    for place in reversed(range(len(order))):
        largest = np.maximum(largest, drawn[order[place]])
        running[place] = largest
    for place, index in enumerate(order):
        floor = max(floor, (1 + (running[place] >= own[index] - 1e-9).sum()) / (drawn.shape[1] + 1))
        adjusted[index] = floor
    return adjusted.tolist()
