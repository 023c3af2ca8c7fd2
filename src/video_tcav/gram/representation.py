"""Can a layer tell concept from random clips? Distance of the means (linear MMD), AUC, and both with a Gaussian kernel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design
from video_tcav.gram.kernel import FactoredKernel, Kernel, centred
from video_tcav.gram.studentised import contrast_weights
from video_tcav.gram.thresholds import LEVEL

GATE_PERMUTATIONS = 999
"""At most: a p-value of 0.05 is told apart well enough."""
_BLOCK_COLUMNS = 2048
"""Columns of K that are made at once where it is a product of factors: 160 MB at 10,000 clips."""
_MEDIAN_ROWS = 1000
"""Rows at most whose distances give the median: half a million of them tell it to three digits."""
Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class Representation:
    """How well concept and random clips can be told apart at a layer.

    Attributes:
        auc: within folds, along CAVs of the other folds; 0.5 is chance, NaN where no fold holds both kinds.
        p_value: permutation p of the distance of the means.
        region_auc: the same with a Gaussian kernel in place of a direction; NaN where a direction tells them apart.
        p_region: likewise.
    """

    auc: float
    p_value: float
    region_auc: float = np.nan
    p_region: float = np.nan

    @property
    def represented(self) -> bool:
        """Whether the means differ, at the 5 % level."""
        return self.p_value <= LEVEL


def representations(
    cav: str | CavFitter,
    kernels: Mapping[Key, Kernel],
    design: Design,
    *,
    permutations: int,
    seed: int,
    advance: Advance = no_progress,
) -> dict[Key, Representation]:
    """Test whether concept and random clips have the same mean, at several layers and twins.

    The statistic is the squared distance of the means without the products of a group with itself, which would bias it
    (linear MMD, Gretton et al. 2012), over its standard deviation under the labelling (Chen and Qin 2010). Labels are
    permuted as for effects. Where it finds nothing, the same is asked of the clips' Gaussian kernel: sets of one mean may
    still lie in different regions.

    Args:
        cav: how CAVs are learned, for the AUC.
        kernels: K of the comparison's clips at several layers and twins, rows as in its design.
        design: labels and groups of the clips.
        permutations: how many.
        seed: of folds and permutations.
        advance: told how many permutations of one layer or twin were done.
    """
    fitter, folds = cav_fitter(cav), design.folds(seed)
    labellings = np.concatenate([design.labels[None], *design.label_permutations(permutations, seed)])
    found = {}
    for key, kernel in kernels.items():
        p_value = means_p(kernel, design, labellings)
        region_auc = p_region = np.nan
        if p_value > LEVEL and not isinstance(kernel, FactoredKernel):
            gaussian = gaussian_kernel(kernel)
            p_region = means_p(gaussian, design, labellings)
            # the direction between the means in that kernel's space is a region of the layer's
            region_auc = fold_auc("mean", gaussian, design.labels, folds)
        auc = fold_auc(fitter, kernel, design.labels, folds)
        found[key] = Representation(auc=auc, p_value=p_value, region_auc=region_auc, p_region=p_region)
        advance(permutations)
    return found


def means_p(kernel: Kernel, design: Design, labellings: Bool[np.ndarray, "draw row"]) -> float:
    """One-sided permutation p (never 0) of the distance of the means; the first labelling is the observed one."""
    distances = mean_distances(kernel, design, labellings)
    # equal distances differ in rounding
    return float((distances >= distances[0] - 1e-9 * abs(distances[0])).mean())


def mean_distances(
    kernel: Kernel, design: Design, labellings: Bool[np.ndarray, "draw row"]
) -> Float[np.ndarray, " draw"]:
    """Squared distance of the means under each labelling, without products within groups, in standard deviations of it.

    With b the product of the contrasts of two groups' clips, `qₖᵀ K qₗ`, it is `Σ b / √(2 Σ b²)` over pairs of groups.
    """
    weights = contrast_weights(design, labellings)
    rows, weights = np.flatnonzero(weights[0]), weights[:, weights[0] != 0]
    # clips that always carry the same label together are one member: a group of one kind, or a unit of a mixed group
    is_mixed = np.isin(design.groups[rows], design.strata.mixed)
    ids = np.where(is_mixed, design.units[rows] + design.n_groups_total, design.groups[rows])
    _, first, member_of = np.unique(ids, return_index=True, return_inverse=True)
    sums = _member_sums(kernel, rows, member_of)
    groups, weights = design.groups[rows][first], weights[:, first]
    distance, variance = (_products if not is_mixed.any() else _block_products)(sums, groups, weights)
    return np.divide(distance, np.sqrt(2 * variance), out=np.zeros_like(distance), where=variance > 0)


def _member_sums(kernel: Kernel, rows: Int[np.ndarray, " used"], member_of: Int[np.ndarray, " used"]) -> Kernel:
    """K of the members' sums, each clip taken from the mean of all."""

    def summed(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((member_of.max() + 1, values.shape[1]))
        np.add.at(sums, member_of, values)
        return sums

    if isinstance(kernel, FactoredKernel):
        return FactoredKernel(summed(FactoredKernel(kernel.factor[rows]).centred()))
    return summed(summed(centred(kernel[np.ix_(rows, rows)])).T)


def _products(
    sums: Kernel, groups: Int[np.ndarray, " member"], weights: Float[np.ndarray, "draw member"]
) -> tuple[Float[np.ndarray, " draw"], Float[np.ndarray, " draw"]]:
    """Σ b and Σ b² over pairs of groups, where each member is a group: b is a member sum times two weights."""
    distance, variance = np.zeros(len(weights)), np.zeros(len(weights))
    squared = weights**2
    for start in range(0, len(groups), _BLOCK_COLUMNS):
        columns = slice(start, start + _BLOCK_COLUMNS)
        if isinstance(sums, FactoredKernel):
            block = (sums.factor @ sums.factor[columns].T).astype(np.float64)
        else:
            block = sums[:, columns].copy()
        block[groups[:, None] == groups[columns]] = 0.0
        distance += np.einsum("dm,dm->d", weights @ block, weights[:, columns])
        variance += np.einsum("dm,dm->d", squared @ block**2, squared[:, columns])
    return distance, variance


def _block_products(
    sums: Kernel, groups: Int[np.ndarray, " member"], weights: Float[np.ndarray, "draw member"]
) -> tuple[Float[np.ndarray, " draw"], Float[np.ndarray, " draw"]]:
    """The same where groups have several members with weights of their own: b is made for each draw."""
    matrix = sums.factor.astype(np.float64) @ sums.factor.T if isinstance(sums, FactoredKernel) else sums
    order = np.argsort(groups, kind="stable")
    matrix, weights = matrix[np.ix_(order, order)], weights[:, order]
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    distance, variance = [], []
    for draw in weights:
        products = np.add.reduceat(np.add.reduceat(draw[:, None] * matrix * draw, starts, axis=0), starts, axis=1)
        np.fill_diagonal(products, 0.0)
        distance.append(products.sum())
        variance.append(np.square(products).sum())
    return np.asarray(distance), np.asarray(variance)


def gaussian_kernel(kernel: Float[np.ndarray, "row row"]) -> Float[np.ndarray, "row row"]:
    """exp(−d²/m) of the clips' distances d, with m the median of d² (the median heuristic)."""
    squares = np.diagonal(kernel)
    distances = np.maximum(squares[:, None] + squares - 2 * kernel, 0.0)
    step = -(-len(kernel) // _MEDIAN_ROWS)
    sample = distances[::step, ::step]
    median = float(np.median(sample[~np.eye(len(sample), dtype=bool)]))
    return np.exp(-distances / median) if median > 0 else np.ones_like(distances)


def fold_auc(
    cav: str | CavFitter, kernel: Kernel, labels: Bool[np.ndarray, " row"], folds: Int[np.ndarray, " row"]
) -> float:
    """AUC within folds: share of pairs of a concept and a random clip of one fold that CAVs of the others put in order."""
    fitter, ordered, pairs = cav_fitter(cav), 0.0, 0
    for fold in np.unique(folds):
        tested = folds == fold
        n_concept, n_random = int((tested & labels).sum()), int((tested & ~labels).sum())
        training = ~tested
        if not (n_concept and n_random and (labels & training).any() and (~labels & training).any()):
            continue
        labelling = Labelling(labels=labels[None], weights=training[None].astype(float))
        projections = (fitter.fit(kernel, labelling) @ kernel)[0]
        # ties count half; projections that differ by rounding alone are ties
        values = np.round(projections[tested] / (np.abs(projections).max() or 1.0), 9)
        ranks = rankdata(values)[labels[tested]]
        ordered += float(ranks.sum()) - n_concept * (n_concept + 1) / 2
        pairs += n_concept * n_random
    return ordered / pairs if pairs else float("nan")
