"""All statistics of one concept at one layer: effect, interval, p-value, TCAV score and representation test."""

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
from video_tcav.gram.gate import GATE_PERMUTATIONS, CavGate, cav_gates
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import unit_coefficients
from video_tcav.gram.resampling import bootstrap_effects, percentile_interval, random_set_effects
from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.significance.significance_test import DrawSettings, EffectDraws, SignificanceTest

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class ConceptStatistics:
    """The numbers of one concept at one layer.

    Attributes:
        tcav_score: fraction of class clips whose target rises along the concept, in [0, 1].
        tcav_score_std: its standard deviation over CAVs against random sets.
        tcav_magnitude: average directional derivative along the unit CAV, in target units per unit of activation.
        effect: first-order change of the target from the average random to the average concept clip, in target units.
        effect_low: lower end of its 95 % bootstrap interval.
        effect_high: upper end.
        z: the test's statistic.
        p_value: two-sided.
        p_smallest: the smallest p-value that the groups can give.
        null_mean: average effect under permuted labels, from which p_value and z are measured.
        cav_accuracy: cross-validated balanced accuracy of the CAV, groups kept whole.
        cav_p_value: one-sided permutation p of the accuracy.
        represented: whether the layer encodes the concept; if not, a small effect is no sign that it does not matter.
        n_class_clips: clips at which the gradient was taken.
        n_concept_clips: concept clips used.
        n_random_clips: random clips used.
        n_groups: independent groups among concept and random clips: the sample size.
        n_concept_groups: those among the concept clips.
    """

    tcav_score: float
    tcav_score_std: float
    tcav_magnitude: float
    effect: float
    effect_low: float
    effect_high: float
    z: float
    p_value: float
    p_smallest: float
    null_mean: float
    cav_accuracy: float
    cav_p_value: float
    represented: bool
    n_class_clips: int
    n_concept_clips: int
    n_random_clips: int
    n_groups: int
    n_concept_groups: int


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is behind the statistics.

    Attributes:
        by_clip: effect at each class clip; their average is the effect.
        null: effects under permuted labels, behind the p-value; none where the test does not permute labels.
        bootstrap: effects in resamples of the groups, behind the interval. Two comparisons of the same clips with the same
            seed saw the same permutations and resamples, so that both can be subtracted draw by draw.
    """

    by_clip: Float[np.ndarray, " class_clip"]
    null: Float[np.ndarray, " draw"]
    bootstrap: Float[np.ndarray, " draw"]


@dataclass(frozen=True, kw_only=True)
class TestSettings(DrawSettings):
    """How a concept is tested; kinds by their names, or as objects."""

    __test__ = False  # pytest would take the class for a test

    cav: str | CavFitter = "mean"
    significance: str | SignificanceTest = "permutation"

    @cached_property
    def fitter(self) -> CavFitter:
        return cav_fitter(self.cav)

    @cached_property
    def test(self) -> SignificanceTest:
        return significance_test(self.significance)

    @property
    def gate_permutations(self) -> int:
        # each permutation fits a CAV a fold, which is slower than the effect's one fit
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
        gate: how well the CAV tells unseen clips apart.
    """

    draws: EffectDraws
    slopes: Float[np.ndarray, " class_clip"]
    signed: Float[np.ndarray, " class_clip"]
    gate: CavGate

    def minus(self, twin: "ConceptFit") -> "ConceptFit":
        """The difference to a twin of the clips, as behind motion and order effects."""
        draws = self.draws.minus(twin.draws)
        # slopes along two unit CAVs cannot be compared; effects, in target units, say on which clips the concept matters more
        return ConceptFit(draws=draws, slopes=self.slopes - twin.slopes, signed=draws.by_clip, gate=self.gate)

    def kept_draws(self, test: SignificanceTest) -> Draws:
        """The draws that are kept beside the statistics."""
        null = self.draws.test if test.permutes_labels else np.zeros(0)
        return Draws(by_clip=self.draws.by_clip, null=null, bootstrap=self.draws.bootstrap)

    def statistics(self, design: Design, test: SignificanceTest) -> ConceptStatistics:
        """The numbers, with a p-value that is not corrected for other tests."""
        null = self.kept_draws(test).null
        statistic, p_value = test.statistic_and_p(self.draws)
        low, high = percentile_interval(self.draws.bootstrap)
        return ConceptStatistics(
            tcav_score=float(tcav_score(self.signed)),
            tcav_score_std=float(tcav_score(self.draws.random_sets).std()),
            tcav_magnitude=float(tcav_magnitude(self.slopes)),
            effect=self.draws.effect,
            effect_low=low,
            effect_high=high,
            z=statistic,
            p_value=p_value,
            p_smallest=design.smallest_p(),
            null_mean=float(null.mean()) if null.size else 0.0,
            cav_accuracy=self.gate.accuracy,
            cav_p_value=self.gate.p_value,
            represented=self.gate.represented,
            n_class_clips=len(self.slopes),
            n_concept_clips=int(design.labels.sum()),
            n_random_clips=int((~design.labels).sum()),
            n_groups=design.n_groups,
            n_concept_groups=design.n_concept_groups,
        )


def fit_concept(
    grams: Mapping[Key, Gram],
    design: Design,
    class_groups: Sequence[int],
    settings: TestSettings,
    advance: Advance = no_progress,
) -> dict[Key, ConceptFit]:
    """Fit CAVs and draw everything, at several layers and twins with the same random numbers.

    Args:
        grams: K and C of the comparison's clips, rows as in its design.
        design: labels and groups of the clips.
        class_groups: group of each class clip.
        settings: how to test.
        advance: told how many draws of one layer or twin were done.
    """
    fitter, sets, seed = settings.fitter, settings.random_sets, settings.seed
    # every draw comes from a stream of its own, so that the order of these calls does not matter
    bootstraps = bootstrap_effects(
        fitter, grams, design, class_groups, draws=settings.bootstraps, seed=seed, advance=advance
    )
    test_draws = settings.test.draw(fitter, grams, design, settings, advance)
    gates = cav_gates(
        fitter,
        {key: gram.kernel for key, gram in grams.items()},
        design,
        permutations=settings.gate_permutations,
        seed=seed,
        advance=advance,
    )
    observed = Labelling(labels=design.labels[None])
    fits = {}
    for key, gram in grams.items():
        slopes = (unit_coefficients(gram.kernel, fitter.fit(gram.kernel, observed)) @ gram.cross.T)[0]
        draws = EffectDraws(
            by_clip=fitter.clip_effects(gram.kernel, gram.cross, observed)[0],
            bootstrap=bootstraps[key],
            random_sets=random_set_effects(fitter, gram, design.labels, sets=sets, seed=seed, advance=advance),
            test=test_draws[key],
        )
        fits[key] = ConceptFit(draws=draws, slopes=slopes, signed=slopes, gate=gates[key])
    return fits
