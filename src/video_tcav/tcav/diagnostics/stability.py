"""Stability of CAVs and effects: split halves, fewer concept clips, other random clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.core import random_streams
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import Design
from video_tcav.gram.effects import clip_effects, effects, fit_cavs
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import bootstrap_effects, percentile_interval
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.products import cosines, pearson

SPLITS = 50
SUBSETS = 50
SIZES = 8
POOL_DRAWS = 100
BOOTSTRAPS = 200
"""Draws of each diagnostic: their averages and ranges are read to two digits."""
RANGE_LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class SplitHalf:
    """Whether two halves of the clips give the same CAV.

    Attributes:
        key: which CAV.
        cosine: between the CAVs of two halves of the groups, averaged over 50 splits.
        cosine_low: lower end of the central 90 % of splits.
        cosine_high: upper end.
        full_size_cosine: estimated cosine between the CAVs of all clips and of as many new ones, in [0, 1].
        effect_correlation: correlation over class clips of the effects that both halves find, averaged over splits; NaN
            where the effects do not vary.
    """

    key: CavKey
    cosine: float
    cosine_low: float
    cosine_high: float
    full_size_cosine: float
    effect_correlation: float


@dataclass(frozen=True, kw_only=True)
class EffectByClips:
    """The effect that fewer concept clips would have given.

    Attributes:
        key: which CAV.
        n_concept_groups: how many concept groups are used.
        effect: average over draws of as many groups, in target units.
        effect_low: lower end of the central 90 % of draws.
        effect_high: upper end.
    """

    key: CavKey
    n_concept_groups: int
    effect: float
    effect_low: float
    effect_high: float


@dataclass(frozen=True, kw_only=True)
class PoolSensitivity:
    """How much the effect depends on which random clips were used.

    Attributes:
        key: which CAV.
        effect: with all random clips, in target units.
        effect_std: standard deviation of the effect over draws of half of the random groups.
        effect_low: lower end of the central 90 % of draws.
        effect_high: upper end.
        relative_std: effect_std as a fraction of the width of the effect's 95 % bootstrap interval.
    """

    key: CavKey
    effect: float
    effect_std: float
    effect_low: float
    effect_high: float
    relative_std: float


def split_half(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: str | CavFitter, seed: int
) -> tuple[SplitHalf, ...]:
    """Cosine between the CAVs of two halves, and what it says about the CAV of all clips.

    Concept and random groups are both halved, so that the halves share no clip. With c the average cosine, `2c / (1 + c)`
    (Spearman and Brown 1910) is expected of two sets of full size: if a half's CAV is signal plus noise, doubling the
    clips halves the noise's squared length. It is also about the share of the full CAV's squared length that is signal.

    Args:
        comparisons: any comparisons; their twins are not looked at.
        grams: by layer.
        cav: how CAVs are learned.
        seed: of the splits.
    """
    rows = []
    for comparison in comparisons:
        in_first = halves(comparison.design, SPLITS, seed)
        labels = np.broadcast_to(comparison.design.labels, in_first.shape)
        weights = [in_first.astype(float), (~in_first).astype(float)]
        for layer, gram in comparison.grams(grams).items():
            # a half is a weighting of all clips, so that both have K in common and their CAVs a cosine
            cavs = [fit_cavs(cav, gram.kernel, labels, half) for half in weights]
            by_clip = [clip_effects(cav, gram.kernel, gram.cross, labels, half) for half in weights]
            drawn = cosines(gram.kernel, *cavs)
            low, high = percentile_interval(drawn, RANGE_LEVEL)
            rows.append(
                SplitHalf(
                    key=comparison.key(layer),
                    cosine=float(drawn.mean()),
                    cosine_low=low,
                    cosine_high=high,
                    full_size_cosine=full_size(float(drawn.mean())),
                    effect_correlation=float(pearson(*by_clip).mean()),
                )
            )
    return tuple(rows)


def full_size(cosine: float) -> float:
    """Spearman and Brown's estimate for twice the clips; 0 where the halves do not agree at all."""
    return 2 * cosine / (1 + cosine) if cosine > 0 else 0.0


def effect_by_clips(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: str | CavFitter, seed: int
) -> tuple[EffectByClips, ...]:
    """The effect when only some concept groups are used, and all random and class clips.

    Where the average still moves at the largest sizes, or the range is wide at half of the groups, more clips are needed.
    The range narrows to nothing at all groups, since there is one way to draw them: it shows how much depends on which
    of these clips are used, while the bootstrap interval shows what other clips might give.

    Args:
        comparisons: any comparisons; their twins are not looked at.
        grams: by layer.
        cav: how CAVs are learned.
        seed: of the draws.

    Returns:
        One row a comparison, layer and size; up to 8 sizes in equal ratios, from 2 groups to all.
    """
    rows = []
    for comparison in comparisons:
        design = comparison.design
        weights = {size: _concept_subsets(design, size, seed) for size in sizes(design.n_concept_groups)}
        for layer, gram in comparison.grams(grams).items():
            for size, counts in weights.items():
                labels = np.broadcast_to(design.labels, counts.shape)
                drawn = effects(cav, gram.kernel, gram.mean_cross, labels, counts)
                low, high = percentile_interval(drawn, RANGE_LEVEL)
                rows.append(
                    EffectByClips(
                        key=comparison.key(layer),
                        n_concept_groups=size,
                        effect=float(drawn.mean()),
                        effect_low=low,
                        effect_high=high,
                    )
                )
    return tuple(rows)


def pool_sensitivity(
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    class_groups: Sequence[int],
    *,
    cav: str | CavFitter,
    seed: int,
) -> tuple[PoolSensitivity, ...]:
    """How the effect varies when only half of the random groups are used.

    The mean of half of n values, drawn without replacement, has variance `s²/n` about the mean of all: as much as the mean
    of all has about the truth. So the standard deviation is about the standard error that is due to the choice of random
    clips alone.

    Args:
        comparisons: any comparisons; in those with another concept its clips take the part of random clips.
        grams: by layer.
        class_groups: group of each class clip, for the bootstrap interval.
        cav: how CAVs are learned.
        seed: of all draws.
    """
    rows = []
    for comparison in comparisons:
        design, by_layer = comparison.design, comparison.grams(grams)
        bootstraps = bootstrap_effects(cav, by_layer, design, class_groups, draws=BOOTSTRAPS, seed=seed)
        random = np.unique(design.groups[~design.labels])
        generator = np.random.default_rng([seed, random_streams.POOL_HALVES])
        # half without replacement: see above for why its spread is that of the whole pool
        # concept clips always count; of the random groups those of a half
        in_half = chosen_groups(random, len(random) // 2, POOL_DRAWS, design, generator)
        counts = (in_half | design.labels).astype(float)
        labels = np.broadcast_to(design.labels, counts.shape)
        for layer, gram in by_layer.items():
            drawn = effects(cav, gram.kernel, gram.mean_cross, labels, counts)
            low, high = percentile_interval(drawn, RANGE_LEVEL)
            # as the draws of halves, those of clips and class clips each carry what is due to both at once
            bootstrap = bootstraps[layer]
            bottom, top = percentile_interval(bootstrap.clips + bootstrap.class_clips - bootstrap.effect)
            rows.append(
                PoolSensitivity(
                    key=comparison.key(layer),
                    effect=float(effects(cav, gram.kernel, gram.mean_cross, design.labels[None])[0]),
                    effect_std=float(drawn.std()),
                    effect_low=low,
                    effect_high=high,
                    relative_std=float(drawn.std()) / (top - bottom) if top > bottom else np.nan,
                )
            )
    return tuple(rows)


def sizes(groups: int) -> tuple[int, ...]:
    """Up to `SIZES` numbers of groups in equal ratios, from two to all."""
    # few groups round to the same numbers
    return tuple(np.unique(np.geomspace(min(2, groups), groups, SIZES).round().astype(int)).tolist())


def halves(design: Design, splits: int, seed: int) -> Bool[np.ndarray, "split row"]:
    """Which rows are in the first half: whole groups, each stratum halved for itself.

    Where a stratum has an odd number of groups, chance decides which half gets one more.
    """
    generator = np.random.default_rng([seed, random_streams.SPLIT_HALVES])
    in_first = np.zeros((splits, design.n_groups_total), dtype=bool)
    for members in design.strata:
        # random ranks, even ones in one half; the added 0 or 1 decides which half gets the odd group
        ranks = _random_ranks(generator, splits, len(members))
        in_first[:, members] = (ranks + generator.integers(2, size=(splits, 1))) % 2 == 0
    return in_first[:, design.groups]


def chosen_groups(
    members: Int[np.ndarray, " group"], size: int, draws: int, design: Design, generator: np.random.Generator
) -> Bool[np.ndarray, "draw row"]:
    """Rows of `size` of the groups, drawn without replacement."""
    chosen = np.zeros((draws, design.n_groups_total), dtype=bool)
    chosen[:, members] = _random_ranks(generator, draws, len(members)) < size
    return chosen[:, design.groups]


def _random_ranks(generator: np.random.Generator, draws: int, members: int) -> Int[np.ndarray, "draw member"]:
    # the rank of a uniform number among others is a random permutation, for all draws at once
    return generator.random((draws, members)).argsort(1).argsort(1)


def _concept_subsets(design: Design, size: int, seed: int) -> Float[np.ndarray, "draw row"]:
    members = np.unique(design.groups[design.labels])
    draws = SUBSETS if size < len(members) else 1  # there is one way to take all
    generator = np.random.default_rng([seed, random_streams.CONCEPT_SUBSETS, size])
    return (chosen_groups(members, size, draws, design, generator) | ~design.labels).astype(float)
