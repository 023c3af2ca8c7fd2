"""Studentised permutation test, and the t of the effect over its bootstrap standard error: the larger p of the two."""

from collections.abc import Mapping
from itertools import chain
from typing import TypeVar

import numpy as np

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.significance.significance_test import (
    DrawSettings,
    EffectDraws,
    LabelDraws,
    SignificanceTest,
    TestOutcome,
    TwinPairs,
    mean_responses,
)
from video_tcav.gram.studentised import contrast

Key = TypeVar("Key")


class StudentisedTest(SignificanceTest):
    """Asks two things and reports the worse answer: do clips differ, and does the class respond at other clips of it, too?

    1. Label permutations of the studentised effect: its standard error is computed anew for each labelling. Exact where
       groups are exchangeable, and right in large samples where only their means are equal (Janssen 1997; Chung and
       Romano 2013).
    2. Two-sided t of the effect over its bootstrap standard error, in which class clips are resampled as well (`BootstrapT`).

    Both must be significant (intersection–union, Berger 1982).
    """

    name = "studentised"
    title = "studentised permutation test"
    help = "permutations of the studentised effect, and t over its bootstrap standard error: the larger p"
    permutes_labels = True
    resamples_groups = True

    def methods_text(self, settings: DrawSettings) -> str:
        return (
            f"the larger p of two tests: {settings.permutations:,} permutations of the labels of groups, of the effect over "
            "its cluster-robust standard error (Chung and Romano, 2013); and t of the effect over its standard error in "
            f"{settings.bootstraps:,} bootstrap draws of concept, random and class groups (two-sided)"
        )

    def steps(self, settings: DrawSettings) -> int:
        return settings.permutations + 1  # and the observed labels

    def draw(
        self,
        cav: CavFitter,
        grams: Mapping[Key, Gram],
        design: Design,
        settings: DrawSettings,
        twins: TwinPairs[Key],
        advance: Advance = no_progress,
    ) -> dict[Key, LabelDraws]:
        responses = mean_responses(grams, twins)
        columns = np.stack(list(responses.values()), axis=1)
        effects: dict[Key, list[np.ndarray]] = {key: [] for key in responses}
        statistics: dict[Key, list[np.ndarray]] = {key: [] for key in responses}
        for labels in chain([design.labels[None]], design.label_permutations(settings.permutations, settings.seed)):
            labelling, studentised = Labelling(labels=labels), contrast(design, columns, labels)
            drawn = {key: cav.effects(gram, labelling) for key, gram in grams.items()}
            drawn |= {key: drawn[clips] - drawn[twin] for key, (clips, twin) in twins.items()}
            # a CAV between the means has the difference of the responses for its effect, within groups where these hold both
            # kinds; another CAV has the effect that it was fitted to
            fitted = None if cav.parallel_to_means else np.stack([drawn[key] for key in responses], axis=1)
            for key, effect, statistic in zip(responses, drawn.values(), studentised.statistic(fitted).T, strict=True):
                effects[key].append(effect)
                statistics[key].append(statistic)
            advance(len(grams) * len(labels))
        return {
            key: LabelDraws(
                effects=np.concatenate(effects[key][1:]),
                statistics=np.concatenate(statistics[key][1:]),
                observed=float(statistics[key][0][0]),
            )
            for key in responses
        }

    def outcome(self, draws: EffectDraws) -> TestOutcome:
        assert isinstance(draws.test, LabelDraws)
        p_perm = permutation_p(draws.test.observed, draws.test.statistics)
        return TestOutcome(statistic=draws.test.observed, p_value=max(p_perm, draws.bootstrap_t.p_value), p_perm=p_perm)
