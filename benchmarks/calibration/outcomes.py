"""Outcomes of every significance test on one data set: plain permutation, both parts of the studentised test, interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.concept_test import variance_sides
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.resampling import BootstrapT, bootstrap_effects
from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.significance.significance_test import DrawSettings, LabelDraws

Key = TypeVar("Key")
# Few draws, so that thousands of data sets take minutes. A permutation test keeps its level with any number for which
# (B + 1) · 5 % is whole; 512 resamples are two chunks of the bootstrap's random streams.
FEW_DRAWS = DrawSettings(permutations=499, bootstraps=512)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One comparison's effect, p-values and interval.

    Attributes:
        effect: from random to concept clips.
        standard_error: bootstrap, corrected for the product of two measured factors.
        freedom: its degrees of freedom.
        low: lower end of the bootstrap-t interval.
        high: upper end.
        p_plain: label permutation of the effect itself.
        p_perm: label permutation of the studentised effect.
        p_t: t of the effect over its bootstrap standard error.
        p_t_joint: the same with the plain bootstrap of concept, random and class groups together.
        joint_low: lower end of the interval from the plain bootstrap.
        joint_high: upper end.
    """

    effect: float
    standard_error: float
    freedom: float
    low: float
    high: float
    p_plain: float
    p_perm: float
    p_t: float
    p_t_joint: float
    joint_low: float
    joint_high: float

    @property
    def p_value(self) -> float:
        """The studentised test's."""
        return max(self.p_perm, self.p_t)


def outcomes(
    grams: Mapping[Key, Gram],
    design: Design,
    class_groups: Sequence[int],
    *,
    seed: int,
    cav: str = "mean",
    settings: DrawSettings = FEW_DRAWS,
) -> dict[Key, Outcome]:
    """Test one comparison at several layers, through the functions that `video-tcav test` uses.

    Args:
        grams: K and C of the comparison's clips, rows as in its design.
        design: labels and groups of the clips.
        class_groups: group of each class clip.
        seed: of every draw.
        cav: how CAVs are learned.
        settings: how many draws.
    """
    fitter, test = cav_fitter(cav), significance_test("studentised")
    drawn = DrawSettings(permutations=settings.permutations, bootstraps=settings.bootstraps, seed=seed)
    resamples = bootstrap_effects(fitter, grams, design, class_groups, draws=drawn.bootstraps, seed=seed)
    label_draws = test.draw(fitter, grams, design, drawn, {})
    n_class_groups = len(set(class_groups))
    fewest = max(2, min(design.n_concept_groups, design.n_random_groups, n_class_groups))
    sides = variance_sides(grams, design, {})

    def outcome(key: Key) -> Outcome:
        labels, resampled = label_draws[key], resamples[key]
        assert isinstance(labels, LabelDraws)
        effect = resampled.effect
        corrected = BootstrapT.of(resampled, sides[key], n_class_groups)
        joint = BootstrapT.of_draws(effect, resampled.joint, fewest)
        (low, high), (joint_low, joint_high) = corrected.interval(), joint.interval()
        return Outcome(
            effect=effect,
            standard_error=corrected.error,
            freedom=corrected.freedom,
            low=low,
            high=high,
            p_plain=permutation_p(effect, labels.effects),
            p_perm=permutation_p(labels.observed, labels.statistics),
            p_t=corrected.p_value,
            p_t_joint=joint.p_value,
            joint_low=joint_low,
            joint_high=joint_high,
        )

    return {key: outcome(key) for key in grams}


def scalar_gram(responses: Float[np.ndarray, " row"], gradients: Float[np.ndarray, " class_clip"]) -> Gram:
    """K and C of a layer with one channel."""
    centred = responses - responses.mean()
    return Gram(kernel=np.outer(centred, centred), cross=np.outer(gradients, centred))
