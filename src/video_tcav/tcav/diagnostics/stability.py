"""How CAVs and effects change when fewer clips are used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.cavs import CavKind, fit_cavs
from video_tcav.gram.design import Design
from video_tcav.gram.effects import clip_effects, effects
from video_tcav.gram.gram import Gram
from video_tcav.gram.significance import bootstrap_effects, percentile_interval
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.products import central_range, cosines, inner_products, pearson

SPLITS = 50
SUBSETS = 50
SIZES = 8
POOL_DRAWS = 100
BOOTSTRAPS = 200
RANGE_LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class SplitHalf:
    """Whether two halves of the clips give the same CAV.

    Attributes:
        concept: name of the concept.
        versus: what it was compared with.
        layer: dotted module name.
        cosine: between the CAVs of two halves of the groups, averaged over 50 splits.
        cosine_low: lower end of the central 90 % of splits.
        cosine_high: upper end.
        full_size_cosine: estimated cosine between the CAVs of all clips and of as many new ones, in [0, 1].
        effect_correlation: correlation over class clips of the effects that both halves find, averaged over splits; NaN
            where the effects do not vary.
    """

    concept: str
    versus: str
    layer: str
    cosine: float
    cosine_low: float
    cosine_high: float
    full_size_cosine: float
    effect_correlation: float


@dataclass(frozen=True, kw_only=True)
class EffectByClips:
    """The effect that fewer concept clips would have given.

    Attributes:
        concept: name of the concept.
        versus: what it was compared with.
        layer: dotted module name.
        n_concept_groups: how many concept groups are used.
        effect: average over draws of as many groups, in target units.
        effect_low: lower end of the central 90 % of draws.
        effect_high: upper end.
    """

    concept: str
    versus: str
    layer: str
    n_concept_groups: int
    effect: float
    effect_low: float
    effect_high: float


@dataclass(frozen=True, kw_only=True)
class PoolSensitivity:
    """How much the effect depends on which random clips were used.

    Attributes:
        concept: name of the concept.
        versus: what it was compared with.
        layer: dotted module name.
        effect: with all random clips, in target units.
        effect_std: standard deviation of the effect over draws of half of the random groups.
        effect_low: lower end of the central 90 % of draws.
        effect_high: upper end.
        relative_std: effect_std as a fraction of the width of the effect's 95 % bootstrap interval.
    """

    concept: str
    versus: str
    layer: str
    effect: float
    effect_std: float
    effect_low: float
    effect_high: float
    relative_std: float


def split_half(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: CavKind, seed: int
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
    found = []
    for one in comparisons:
        first = halves(one.design, SPLITS, seed)
        labels = np.broadcast_to(one.design.labels, first.shape)
        sides = [first.astype(float), (~first).astype(float)]
        for layer, gram in grams.items():
            inner = inner_products(one, gram)
            drawn = cosines(inner.kernel, *(fit_cavs(cav, inner.kernel, labels, side) for side in sides))
            by_clip = [clip_effects(cav, inner.kernel, inner.cross, labels, side) for side in sides]
            correlations = pearson(*by_clip)
            low, high = central_range(drawn, RANGE_LEVEL)
            found.append(
                SplitHalf(
                    concept=one.concept,
                    versus=one.versus,
                    layer=layer,
                    cosine=float(drawn.mean()),
                    cosine_low=low,
                    cosine_high=high,
                    full_size_cosine=full_size(float(drawn.mean())),
                    effect_correlation=float(correlations.mean()),
                )
            )
    return tuple(found)


def full_size(cosine: float) -> float:
    """Spearman and Brown's estimate for twice the clips; 0 where the halves do not agree at all."""
    return 2 * cosine / (1 + cosine) if cosine > 0 else 0.0


def effect_by_clips(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], *, cav: CavKind, seed: int
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
    found = []
    for one in comparisons:
        design = one.design
        weights = {size: _some_concept_groups(design, size, seed) for size in sizes(design.n_concept_groups)}
        for layer, gram in grams.items():
            inner = inner_products(one, gram)
            mean_cross = inner.cross.mean(0)
            for size, counts in weights.items():
                labels = np.broadcast_to(design.labels, counts.shape)
                drawn = effects(cav, inner.kernel, mean_cross, labels, counts)
                low, high = central_range(drawn, RANGE_LEVEL)
                found.append(
                    EffectByClips(
                        concept=one.concept,
                        versus=one.versus,
                        layer=layer,
                        n_concept_groups=size,
                        effect=float(drawn.mean()),
                        effect_low=low,
                        effect_high=high,
                    )
                )
    return tuple(found)


def pool_sensitivity(
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    class_groups: Sequence[int],
    *,
    cav: CavKind,
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
    found = []
    for one in comparisons:
        design = one.design
        inner = {layer: inner_products(one, gram) for layer, gram in grams.items()}
        boots = bootstrap_effects(
            cav, inner, design, class_groups, draws=BOOTSTRAPS, seed=seed, advance=lambda _draws: None
        )
        random = np.unique(design.groups[~design.labels])
        half = chosen_groups(random, len(random) // 2, POOL_DRAWS, design, np.random.default_rng([seed, 10]))
        counts = (half | design.labels).astype(float)
        labels = np.broadcast_to(design.labels, counts.shape)
        for layer, products in inner.items():
            mean_cross = products.cross.mean(0)
            drawn = effects(cav, products.kernel, mean_cross, labels, counts)
            low, high = central_range(drawn, RANGE_LEVEL)
            bottom, top = percentile_interval(boots[layer])
            found.append(
                PoolSensitivity(
                    concept=one.concept,
                    versus=one.versus,
                    layer=layer,
                    effect=float(effects(cav, products.kernel, mean_cross, design.labels[None])[0]),
                    effect_std=float(drawn.std()),
                    effect_low=low,
                    effect_high=high,
                    relative_std=float(drawn.std()) / (top - bottom) if top > bottom else np.nan,
                )
            )
    return tuple(found)


def sizes(groups: int) -> tuple[int, ...]:
    """Up to `SIZES` numbers of groups in equal ratios, from two to all."""
    return tuple(np.unique(np.geomspace(min(2, groups), groups, SIZES).round().astype(int)).tolist())


def halves(design: Design, splits: int, seed: int) -> Bool[np.ndarray, "split row"]:
    """Which rows are in the first half: whole groups, each kind of group halved for itself.

    Where a kind has an odd number of groups, chance decides which half gets one more.
    """
    generator = np.random.default_rng([seed, 8])
    mixed = np.asarray(design.mixed_groups(), dtype=int)
    kinds = [
        mixed,
        np.setdiff1d(design.groups[design.labels], mixed),
        np.setdiff1d(design.groups[~design.labels], mixed),
    ]
    first = np.zeros((splits, design.n_groups_total), dtype=bool)
    for members in kinds:
        ranks = generator.random((splits, len(members))).argsort(1).argsort(1)
        first[:, members] = (ranks + generator.integers(2, size=(splits, 1))) % 2 == 0
    return first[:, design.groups]


def chosen_groups(
    members: Int[np.ndarray, " group"], size: int, draws: int, design: Design, generator: np.random.Generator
) -> Bool[np.ndarray, "draw row"]:
    """Rows of `size` of the groups, drawn without replacement."""
    chosen = np.zeros((draws, design.n_groups_total), dtype=bool)
    chosen[:, members] = generator.random((draws, len(members))).argsort(1).argsort(1) < size
    return chosen[:, design.groups]


def _some_concept_groups(design: Design, size: int, seed: int) -> Float[np.ndarray, "draw row"]:
    members = np.unique(design.groups[design.labels])
    draws = SUBSETS if size < len(members) else 1
    chosen = chosen_groups(members, size, draws, design, np.random.default_rng([seed, 9, size]))
    return (chosen | ~design.labels).astype(float)
