"""Bootstrap of the effect over groups, and CAVs against random sets as in Kim et al. 2018."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self, TypeVar

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from video_tcav.core import random_streams
from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design, bootstrap_weights, chunks
from video_tcav.gram.gram import Gram
from video_tcav.gram.skewness import with_skewness, without_skewness

Key = TypeVar("Key")
SMALLEST_P = 1 / (1 + 10**6)
"""Of a t-test where the standard error is 0: as a permutation test with a million permutations would give it, and never 0."""


@dataclass(frozen=True, kw_only=True)
class Resamples:
    """Effects in bootstrap draws of groups.

    Attributes:
        by_clip: effect at each class clip, of all clips once each.
        clips: effects in draws of concept and random groups, at the class clips as they are.
        class_clips: of concept and random clips as they are, in draws of class groups.
        joint: in the same draws of all three.
    """

    by_clip: Float[np.ndarray, " class_clip"]
    clips: Float[np.ndarray, " draw"]
    class_clips: Float[np.ndarray, " draw"]
    joint: Float[np.ndarray, " draw"]

    @property
    def effect(self) -> float:
        return float(self.by_clip.mean())

    def minus(self, twin: "Resamples") -> "Resamples":
        """The difference, draw by draw: both were drawn with the same random numbers."""
        return Resamples(
            **{field.name: getattr(self, field.name) - getattr(twin, field.name) for field in fields(self)}
        )

    def in_same_groups(self, together: Float[np.ndarray, " draw"]) -> "Resamples":
        """Where class clips are of the groups that CAVs are learned from, so that both factors of the effect move together.

        Args:
            together: as `joint`, but each group has one weight, whichever of the two it counts in.
        """
        # in the terms of `share_counted_once`: `joint` has A + G + 3 I, and `together` twice the covariance of both beside it
        single = float(self.clips.var()), float(self.class_clips.var())
        both = float(np.clip(self.joint.var() - sum(single), 0.0, min(single)))
        variance = float(together.var())
        share = max(variance - 2 * both, 0.0) / variance if variance > 0 else 1.0
        draws = self.effect + (together - self.effect) * math.sqrt(share)
        return Resamples(by_clip=self.by_clip, clips=draws, class_clips=np.full_like(draws, self.effect), joint=draws)

    def draws(self) -> Float[np.ndarray, " draw"]:
        """Draws around the effect, with the variance that the effect has."""
        total = (self.clips - self.effect) + (self.class_clips - self.effect)
        return self.effect + total * math.sqrt(self.share_counted_once)

    @cached_property
    def share_counted_once(self) -> float:
        """What the variances of `clips` and `class_clips` must be multiplied by to add up to that of the effect.

        The effect is a product, `ḡ · Δμ`. Each factor is measured with noise, which the other factor's draws carry with
        them: with A, G and I the variance that is due to Δμ, to ḡ and to both, the draws `clips` have A + I, `class_clips`
        have G + I, and `joint` has A + G + 3 I, where A + G + I is right. In thousands of dimensions I is no small part.
        """
        variances = float(self.clips.var()), float(self.class_clips.var())
        both = float(np.clip(self.joint.var() - sum(variances), 0.0, min(variances)))
        return 1 - both / sum(variances) if sum(variances) > 0 else 1.0


def bootstrap_effects(
    cav: str | CavFitter,
    grams: Mapping[Key, Gram],
    design: Design,
    class_groups: Sequence[int],
    *,
    draws: int,
    seed: int,
    advance: Advance = no_progress,
) -> dict[Key, Resamples]:
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
    observed = Labelling(labels=design.labels[None])
    by_clip_of = {key: fitter.clip_effects(gram.kernel, gram.cross, observed)[0] for key, gram in grams.items()}
    chunks: dict[Key, list[np.ndarray]] = {key: [] for key in grams}
    for weights, group_weights in zip(design.bootstrap(draws, seed), class_draws, strict=True):
        class_weights = group_weights[:, group_of]
        class_weights /= class_weights.sum(1, keepdims=True)
        labelling = Labelling(labels=np.broadcast_to(design.labels, weights.shape), weights=weights)
        for key, gram in grams.items():
            by_clip = fitter.clip_effects(gram.kernel, gram.cross, labelling)
            joint = np.einsum("dc,dc->d", by_clip, class_weights)
            chunks[key].append(np.stack([by_clip.mean(1), class_weights @ by_clip_of[key], joint]))
            advance(len(weights))
    resamples = {}
    for key, parts in chunks.items():
        clips, class_clips, joint = np.concatenate(parts, axis=1)
        resamples[key] = Resamples(by_clip=by_clip_of[key], clips=clips, class_clips=class_clips, joint=joint)
    return resamples


@dataclass(frozen=True, kw_only=True)
class BootstrapT:
    """Student's t of an effect from its bootstrap draws: test and interval that always agree.

    Few groups make standard errors too small and effects skewed. The standard error is corrected for the groups that were
    resampled, and t for skewness.

    Attributes:
        effect: of all clips.
        error: its standard error.
        skewness: of its distribution.
        freedom: degrees of freedom.
    """

    effect: float
    error: float
    skewness: float
    freedom: float

    @classmethod
    def of(cls, resamples: Resamples, sides: Sequence[tuple[float, int]], class_groups: int) -> Self:
        """Of one effect. Each kind of groups gets the correction and the freedom that its own number gives (Welch 1947).

        Args:
            resamples: of the effect.
            sides: variance of the response and number of groups, of concept and random clips or of groups that hold both.
            class_groups: independent groups of class clips.
        """
        of_sides = sum(variance for variance, _ in sides)
        clips = float(resamples.clips.var(ddof=1))
        parts = [(clips * variance / of_sides, groups) for variance, groups in sides if of_sides > 0]
        if class_groups > 1:
            parts.append((float(resamples.class_clips.var(ddof=1)), class_groups))
        parts = [(variance * few_groups(groups) ** 2, groups - 1) for variance, groups in parts]
        total = sum(variance for variance, _ in parts)
        # Satterthwaite 1946; from one video of the class nothing is known of others
        freedom = (
            total**2 / sum(variance**2 / free for variance, free in parts) if total > 0 and class_groups > 1 else 1.0
        )
        return cls(
            effect=resamples.effect,
            error=math.sqrt(total * resamples.share_counted_once),
            skewness=_skewness(resamples.draws(), freedom + 1),
            freedom=freedom,
        )

    @classmethod
    def of_draws(cls, effect: float, draws: Float[np.ndarray, " draw"], groups: int) -> Self:
        """From draws around an effect or a difference of effects, such as two `Resamples.draws`.

        Args:
            effect: of all clips.
            draws: with exponential weights of groups.
            groups: the fewest independent groups of any kind of clips, which all are taken to have.
        """
        error, freedom = standard_error(draws, groups), max(1, groups - 1)
        return cls(effect=effect, error=error, skewness=_skewness(draws, groups), freedom=freedom)

    @property
    def p_value(self) -> float:
        """Two-sided p of no effect."""
        if self.error == 0:
            return 1.0 if self.effect == 0 else SMALLEST_P
        t = without_skewness(np.asarray(self.effect / self.error), self.skewness)
        return float(2 * stats.t.sf(abs(t), self.freedom))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The effects that the test would not refuse at that level."""
        reach = float(stats.t.ppf((1 + level) / 2, self.freedom))
        low, high = (self.effect - self.error * with_skewness(end, self.skewness) for end in (reach, -reach))
        return low, high


def standard_error(draws: Float[np.ndarray, " draw"], groups: int) -> float:
    """Standard deviation of bootstrap draws, corrected for the few groups that were resampled."""
    return float(draws.std(ddof=1) * few_groups(groups))


def few_groups(groups: int) -> float:
    """What the standard deviation of draws of so many groups must be multiplied by."""
    # the mean of n values with exponential weights has variance Σ(x − x̄)² / (n (n + 1)) about x̄; it should be over n (n − 1)
    return math.sqrt((groups + 1) / (groups - 1))


def _skewness(draws: Float[np.ndarray, " draw"], groups: float) -> float:
    # exponential weights have a third cumulant of 2, which doubles the skewness of the mean; what follows is the usual
    # correction of a third moment for n values, which is useless for three of them
    correction = min(1.5, math.sqrt(groups * (groups - 1)) / (groups - 2)) if groups > 2 else 0.0
    return float(stats.skew(draws)) / 2 * correction if np.ptp(draws) > 0 else 0.0


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
