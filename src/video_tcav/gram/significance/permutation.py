"""Permutation test: the observed effect among the effects under permuted labels."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_null, permutation_p, z_score
from video_tcav.gram.significance.significance_test import DrawSettings, EffectDraws, SignificanceTest

Key = TypeVar("Key")


class PermutationTest(SignificanceTest):
    """Label permutations of whole groups: exact, whatever the distribution of activations."""

    name = "permutation"
    title = "permutation test"
    help = "exact under exchangeable groups"
    permutes_labels = True

    def methods_text(self, settings: DrawSettings) -> str:
        return f"{settings.permutations:,} permutations of the labels of groups (two-sided)"

    def steps(self, settings: DrawSettings) -> int:
        return settings.permutations

    def draw(
        self,
        cav: CavFitter,
        grams: Mapping[Key, Gram],
        design: Design,
        settings: DrawSettings,
        advance: Advance = no_progress,
    ) -> dict[Key, Float[np.ndarray, " draw"]]:
        return permutation_null(
            cav, grams, design, permutations=settings.permutations, seed=settings.seed, advance=advance
        )

    def statistic_and_p(self, draws: EffectDraws) -> tuple[float, float]:
        return z_score(draws.effect, draws.test), permutation_p(draws.effect, draws.test)
