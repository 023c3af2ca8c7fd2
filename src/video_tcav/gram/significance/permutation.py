"""Permutation test: the observed effect among the effects under permuted labels."""

from collections.abc import Mapping
from typing import TypeVar

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_null, permutation_p, z_score
from video_tcav.gram.significance.significance_test import (
    DrawSettings,
    EffectDraws,
    LabelDraws,
    SignificanceTest,
    TestOutcome,
    TwinPairs,
)

Key = TypeVar("Key")


class PermutationTest(SignificanceTest):
    """Label permutations of whole groups: exact where these are exchangeable, whatever the distribution of activations."""

    name = "permutation"
    title = "plain permutation test"
    help = "of the effect itself: wrong where sets differ in size and in spread"
    warning = (
        "The plain permutation test takes any difference between concept and random clips for an effect: where sets differ "
        "in size and in spread, up to 40 % of concepts without effect come out as significant. Use --significance studentised."
    )
    caution = (
        "The plain permutation test takes any difference between concept and random clips for an effect, also one of spread "
        "alone, and it does not ask whether other clips of the class would respond."
    )
    permutes_labels = True
    assumes_equal_spread = True

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
        twins: TwinPairs[Key],
        advance: Advance = no_progress,
    ) -> dict[Key, LabelDraws]:
        nulls = permutation_null(
            cav, grams, design, permutations=settings.permutations, seed=settings.seed, advance=advance
        )
        labels = design.labels[None]
        effects = {key: float(cav.effects(gram, Labelling(labels=labels))[0]) for key, gram in grams.items()}
        for key, (clips, twin) in twins.items():
            nulls[key], effects[key] = nulls[clips] - nulls[twin], effects[clips] - effects[twin]
        return {key: LabelDraws(effects=null, statistics=null, observed=effects[key]) for key, null in nulls.items()}

    def outcome(self, draws: EffectDraws) -> TestOutcome:
        assert isinstance(draws.test, LabelDraws)
        p_value = permutation_p(draws.test.observed, draws.test.effects)
        return TestOutcome(statistic=z_score(draws.effect, draws.test.effects), p_value=p_value, p_perm=p_value)
