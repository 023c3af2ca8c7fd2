"""t-test of Kim et al. 2018 (TCAV): scores of CAVs against random sets, beside those of random sets alone."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy import stats

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import Design
from video_tcav.gram.effects import tcav_score
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import random_set_effects
from video_tcav.gram.significance.significance_test import (
    DrawSettings,
    EffectDraws,
    SignificanceTest,
    TestOutcome,
    TwinPairs,
)

Key = TypeVar("Key")


class RandomSetTTest(SignificanceTest):
    """The source paper's test. Anti-conservative: re-draws around one set of concept clips are no independent data."""

    name = "ttest"
    title = "t-test"
    help = "the source paper's, anti-conservative"
    caveat = "t-test, anti-conservative"
    warning = (
        "The random-set t-test treats re-draws around one fixed set of concept clips as independent data: it is "
        "anti-conservative (two thirds of meaningless concepts come out as significant). Use --significance studentised "
        "for calibrated p-values."
    )
    caution = (
        "The t-test is the one that the source paper used. It takes re-draws of the random clips around one fixed set of "
        "concept clips for independent data. So it calls most concepts significant, also those that mean nothing. Do not rely "
        "on it."
    )
    default_correction = "bonferroni"

    def methods_text(self, settings: DrawSettings) -> str:
        scores = f"TCAV scores of the concept and of random sets ({settings.random_sets} sets)"
        return f"the t-test between {scores}, which is anti-conservative"

    def steps(self, settings: DrawSettings) -> int:
        return settings.random_sets

    def draw(
        self,
        cav: CavFitter,
        grams: Mapping[Key, Gram],
        design: Design,
        settings: DrawSettings,
        twins: TwinPairs[Key],
        advance: Advance = no_progress,
    ) -> dict[Key, Float[np.ndarray, "set class_clip"]]:
        drawn = {
            key: random_set_effects(
                cav,
                gram,
                design.labels,
                sets=settings.random_sets,
                seed=settings.seed,
                against_random=True,
                advance=advance,
            )
            for key, gram in grams.items()
        }
        return drawn | {key: drawn[clips] - drawn[twin] for key, (clips, twin) in twins.items()}

    def outcome(self, draws: EffectDraws) -> TestOutcome:
        assert isinstance(draws.test, np.ndarray)
        statistic, p_value = random_set_ttest(draws.random_sets, draws.test)
        return TestOutcome(statistic=statistic, p_value=p_value)


def random_set_ttest(
    concept: Float[np.ndarray, "set class_clip"], random: Float[np.ndarray, "set class_clip"]
) -> tuple[float, float]:
    """T and two-sided p between the TCAV scores of a concept and those of random sets."""
    concept_scores, random_scores = tcav_score(concept), tcav_score(random)
    difference = concept_scores[0] - random_scores[0]
    if np.ptp(concept_scores) == 0 and np.ptp(random_scores) == 0:  # SciPy gives NaN where no score varies
        return (0.0, 1.0) if difference == 0 else (float(np.sign(difference) * np.inf), 0.0)
    moments = [(scores.mean(), scores.std(ddof=1), len(scores)) for scores in (concept_scores, random_scores)]
    outcome = stats.ttest_ind_from_stats(*moments[0], *moments[1])
    return float(outcome.statistic), float(outcome.pvalue)
