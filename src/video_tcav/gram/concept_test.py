"""All statistics of one concept at one layer: effect, interval, p-value, TCAV score and representation test."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.design import Design
from video_tcav.gram.effects import tcav_magnitude, tcav_score
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import unit_coefficients
from video_tcav.gram.representation import GATE_PERMUTATIONS, Representation, representations
from video_tcav.gram.resampling import bootstrap_effects, random_set_effects
from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.significance.significance_test import (
    DrawSettings,
    EffectDraws,
    LabelDraws,
    SignificanceTest,
    TestDraws,
    TwinPairs,
    mean_responses,
)
from video_tcav.gram.studentised import contrast

Key = TypeVar("Key")
Sides = tuple[tuple[float, int], ...]


@dataclass(frozen=True, kw_only=True)
class ConceptStatistics:
    """The numbers of one concept at one layer.

    Attributes:
        tcav_score: fraction of class clips whose target rises along the concept, in [0, 1]; for `motion` and `order` the
            fraction whose target rises more along the concept than along its twin.
        tcav_score_std: its standard deviation over CAVs against random sets; no error bar.
        tcav_magnitude: average directional derivative along the unit CAV, in target units per unit of activation; for
            `motion` and `order` the difference of the two.
        effect: first-order change of the target from the average random to the average concept clip, in target units.
        effect_low: lower end of its 95 % bootstrap interval.
        effect_high: upper end.
        standard_error: of the effect, over bootstrap draws of concept, random and class groups.
        z: the test's statistic: the effect over its cluster-robust standard error; in standard deviations of the null under
            `permutation`; t under `ttest`.
        p_value: two-sided.
        p_perm: its part from label permutations: do concept and random clips differ for the model's response? NaN where the
            test makes none.
        p_t: two-sided t of the effect over `standard_error`: does the class respond, at other clips of it, too? At most 0.05 if
            and only if the interval does not hold 0.
        p_smallest: the smallest p-value that the groups can give, before correction.
        null_mean: average effect under permuted labels; near 0 unless groups hold concept and random clips in unequal shares.
        cav_auc: how often the CAV puts a concept clip above a random clip, neither of which it has seen; 0.5 is chance. For
            `motion` and `order` that of the concept itself, as all that follows.
        p_represented: permutation p of the distance between the means of concept and random clips.
        represented: whether these differ; if not, a small effect is no sign that the concept does not matter.
        region_auc: as `cav_auc`, with a Gaussian kernel in place of a direction; NaN where a direction tells them apart.
        p_region: as `p_represented`, with that kernel.
        n_class_clips: clips at which the gradient was taken.
        n_concept_clips: concept clips used.
        n_random_clips: random clips used.
        n_groups: independent groups among concept and random clips: the sample size.
        n_concept_groups: those among the concept clips.
        fewest_groups: of concept, random and class clips, the fewest independent groups.
        freedom: degrees of freedom of `p_t`.
    """

    tcav_score: float
    tcav_score_std: float
    tcav_magnitude: float
    effect: float
    effect_low: float
    effect_high: float
    standard_error: float
    z: float
    p_value: float
    p_perm: float
    p_t: float
    p_smallest: float
    null_mean: float
    cav_auc: float
    p_represented: float
    represented: bool
    region_auc: float
    p_region: float
    n_class_clips: int
    n_concept_clips: int
    n_random_clips: int
    n_groups: int
    n_concept_groups: int
    fewest_groups: int
    freedom: float


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is behind the statistics.

    Attributes:
        by_clip: effect at each class clip; their average is the effect.
        null: effects under permuted labels; none where the test does not permute labels.
        bootstrap: effects in resamples of the groups, behind interval and standard error. Groups have the same weights in
            every comparison of a run with the same seed, so that effects can be subtracted draw by draw.
        statistic: what the test compares with `null_statistics`; NaN where there are none.
        null_statistics: the test's statistic under the permutations of `null`, which is what max-T compares.
    """

    by_clip: Float[np.ndarray, " class_clip"]
    null: Float[np.ndarray, " draw"]
    bootstrap: Float[np.ndarray, " draw"]
    statistic: float
    null_statistics: Float[np.ndarray, " draw"]


@dataclass(frozen=True, kw_only=True)
class TestSettings(DrawSettings):
    """How a concept is tested; kinds by their names, or as objects."""

    __test__ = False  # pytest would take the class for a test

    cav: str | CavFitter = "mean"
    significance: str | SignificanceTest = "studentised"

    @cached_property
    def fitter(self) -> CavFitter:
        return cav_fitter(self.cav)

    @cached_property
    def test(self) -> SignificanceTest:
        return significance_test(self.significance)

    @property
    def gate_permutations(self) -> int:
        # each costs a product with the whole of K, and a p-value of 0.05 is told apart well enough
        return min(self.permutations, GATE_PERMUTATIONS)

    def steps(self) -> int:
        """Draws for one layer and twin, as `fit_concept` reports them."""
        return self.random_sets + self.bootstraps + self.gate_permutations + self.test.steps(self)


@dataclass(frozen=True, kw_only=True)
class ConceptFit:
    """Everything that was computed and drawn for one layer and twin, or for the difference of two.

    Attributes:
        draws: the effect and what was drawn around it.
        slopes: directional derivative along the unit CAV at each class clip; zero where the CAV has no direction.
        signed: what the TCAV score counts the signs of.
        gate: whether concept and random clips can be told apart.
    """

    draws: EffectDraws
    slopes: Float[np.ndarray, " class_clip"]
    signed: Float[np.ndarray, " class_clip"]
    gate: Representation

    def minus(self, twin: "ConceptFit", sides: Sides, test: TestDraws) -> "ConceptFit":
        """The difference to a twin of the clips, as behind motion and order effects, given its sides and the test's draws."""
        draws = EffectDraws(  # both were drawn with the same random numbers
            resamples=self.draws.resamples.minus(twin.draws.resamples),
            random_sets=self.draws.random_sets - twin.draws.random_sets,
            sides=sides,
            class_groups=self.draws.class_groups,
            test=test,
        )
        # slopes along two unit CAVs cannot be compared; effects, in target units, say on which clips the concept matters more
        return ConceptFit(draws=draws, slopes=self.slopes - twin.slopes, signed=draws.by_clip, gate=self.gate)

    def kept_draws(self) -> Draws:
        """The draws that are kept beside the statistics."""
        test = self.draws.test
        if not isinstance(test, LabelDraws):
            test = LabelDraws(effects=np.zeros(0), statistics=np.zeros(0), observed=math.nan)
        return Draws(
            by_clip=self.draws.by_clip,
            null=test.effects,
            bootstrap=self.draws.bootstrap,
            statistic=test.observed,
            null_statistics=test.statistics,
        )

    def statistics(self, design: Design, test: SignificanceTest) -> ConceptStatistics:
        """The numbers, with a p-value that is not corrected for other tests."""
        draws, null, outcome = self.draws, self.kept_draws().null, test.outcome(self.draws)
        low, high = draws.bootstrap_t.interval()
        return ConceptStatistics(
            tcav_score=float(tcav_score(self.signed)),
            tcav_score_std=float(tcav_score(draws.random_sets).std()),
            tcav_magnitude=float(tcav_magnitude(self.slopes)),
            effect=draws.effect,
            effect_low=low,
            effect_high=high,
            standard_error=draws.bootstrap_t.error,
            z=outcome.statistic,
            p_value=outcome.p_value,
            p_perm=outcome.p_perm,
            p_t=draws.bootstrap_t.p_value,
            p_smallest=design.smallest_p(),
            null_mean=float(null.mean()) if null.size else 0.0,
            cav_auc=self.gate.auc,
            p_represented=self.gate.p_value,
            represented=self.gate.represented,
            region_auc=self.gate.region_auc,
            p_region=self.gate.p_region,
            n_class_clips=len(self.slopes),
            n_concept_clips=int(design.labels.sum()),
            n_random_clips=int((~design.labels).sum()),
            n_groups=design.n_groups,
            n_concept_groups=design.n_concept_groups,
            fewest_groups=min(design.n_concept_groups, design.n_random_groups, draws.class_groups),
            freedom=draws.bootstrap_t.freedom,
        )


def fit_concept(
    grams: Mapping[Key, Gram],
    design: Design,
    class_groups: Sequence[int],
    settings: TestSettings,
    twins: TwinPairs[Key] | None = None,
    advance: Advance = no_progress,
) -> dict[Key, ConceptFit]:
    """Fit CAVs and draw everything, at several layers and twins with the same random numbers.

    Args:
        grams: K and C of the comparison's clips, rows as in its design.
        design: labels and groups of the clips.
        class_groups: group of each class clip.
        settings: how to test.
        twins: differences that are wanted as well, such as motion effects: the key of each, with those of clips and twin.
        advance: told how many draws of one layer or twin were done.
    """
    fitter, sets, seed, pairs = settings.fitter, settings.random_sets, settings.seed, twins or {}
    # every draw comes from a stream of its own, so that the order of these calls does not matter
    resamples = bootstrap_effects(
        fitter, grams, design, class_groups, draws=settings.bootstraps, seed=seed, advance=advance
    )
    test_draws = settings.test.draw(fitter, grams, design, settings, pairs, advance)
    gates = representations(
        fitter,
        {key: gram.kernel for key, gram in grams.items()},
        design,
        permutations=settings.gate_permutations,
        seed=seed,
        advance=advance,
    )
    observed = Labelling(labels=design.labels[None])
    sides = variance_sides(grams, design, pairs)
    fits = {}
    for key, gram in grams.items():
        slopes = (unit_coefficients(gram.kernel, fitter.fit(gram.kernel, observed)) @ gram.cross.T)[0]
        draws = EffectDraws(
            resamples=resamples[key],
            random_sets=random_set_effects(fitter, gram, design.labels, sets=sets, seed=seed, advance=advance),
            sides=sides[key],
            class_groups=len(set(class_groups)),
            test=test_draws[key],
        )
        fits[key] = ConceptFit(draws=draws, slopes=slopes, signed=slopes, gate=gates[key])
    return fits | {
        key: fits[clips].minus(fits[twin], sides[key], test_draws[key]) for key, (clips, twin) in pairs.items()
    }


def variance_sides(grams: Mapping[Key, Gram], design: Design, twins: TwinPairs[Key]) -> dict[Key, Sides]:
    """Variance of the responses along the mean class gradient, and how many groups it comes from; see `Contrast.sides`."""
    responses = mean_responses(grams, twins)
    observed = contrast(design, np.stack(list(responses.values()), axis=1), design.labels[None])
    return {key: observed.variances(column) for column, key in enumerate(responses)}
