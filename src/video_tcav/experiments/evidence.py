"""Effect, standard error, p-value and one-sided tests about a margin for one hypothesis, from the draws of its analyses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

from scipy import stats

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments.analyses import Analysis, StoredResult
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.gram.resampling import SMALLEST_P, BootstrapT


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """An effect and its uncertainty.

    Attributes:
        effect: in units of the target; of two concepts or models the difference of their effects.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        standard_error: of the effect, over bootstrap draws of all groups, corrected for few groups.
        freedom: its degrees of freedom.
        p_value: two-sided, of no effect.
        p_perm: its part from label permutations; NaN where there are none, as for differences of effects.
        p_t: two-sided t of the effect over its standard error.
        represented: whether the layer encodes what the hypothesis is about.
        concept_groups: independent groups of concept clips; of two concepts, of the one that has fewer.
        concept_clips: likewise, clips.
    """

    effect: float
    low: float
    high: float
    standard_error: float
    freedom: float
    p_value: float
    p_perm: float = nan
    p_t: float = nan
    represented: bool
    concept_groups: int
    concept_clips: int

    def smaller_p(self, margin: float) -> float:
        """One-sided p of an effect of the margin or more."""
        return equivalence_p(self.effect, self.standard_error, self.freedom, margin)

    def larger_p(self, margin: float) -> float:
        """One-sided p of an effect of the margin or less."""
        return beyond_p(self.effect, self.standard_error, self.freedom, margin)


def evidence(hypothesis: Hypothesis, analyses: Sequence[Analysis], layer: str) -> Evidence | None:
    """The evidence on a hypothesis at a layer, from the analyses of its model or of both its models.

    Returns:
        `None` where it is about motion and the concept's clips do not move.
    """
    concept = hypothesis.about.concept
    twin = "none" if hypothesis.part == "whole" else hypothesis.part
    if twin != "none" and any(analysis.get(concept, layer, twin=twin) is None for analysis in analyses):
        return None
    if hypothesis.same_in is not None:
        first, second = (_stored(analysis, concept, layer, twin) for analysis in analyses)
        return _difference(first, second)
    (analysis,) = analyses
    if hypothesis.more_than is not None:
        return _more_than(analysis, concept, hypothesis.more_than.than, layer)
    return _single_effect(_stored(analysis, concept, layer, twin))


def _stored(analysis: Analysis, concept: str, layer: str, twin: str = "none") -> StoredResult:
    stored = analysis.get(concept, layer, twin=twin)
    if stored is None:
        raise ExperimentError(
            f"{analysis.folder}: an analysis must hold every concept and layer. Got none of {concept} at {layer}. Run the"
            " experiment again in another folder."
        )
    return stored


def _single_effect(stored: StoredResult) -> Evidence:
    result = stored.result
    return Evidence(
        effect=result.effect,
        low=result.effect_low,
        high=result.effect_high,
        standard_error=result.standard_error,
        freedom=result.freedom,
        p_value=result.p_value,
        p_perm=result.p_perm,
        p_t=result.p_t,
        represented=result.represented,
        concept_groups=result.n_concept_groups,
        concept_clips=result.n_concept_clips,
    )


def _more_than(analysis: Analysis, concept: str, than: str, layer: str) -> Evidence:
    """The difference of two concepts' effects.

    Two moving or two static concepts have a CAV of their own, one rather than the other, and with it a test of their own. A
    static and a moving one have other matched negatives each, so their effects against random clips are subtracted.
    """
    first, second = _stored(analysis, concept, layer), _stored(analysis, than, layer)
    direct = analysis.get(concept, layer, versus=than)
    if direct is None or first.result.negatives != second.result.negatives:
        return _difference(first, second)
    groups, clips = _fewer_clips(first, second)
    return replace(
        _single_effect(direct),
        represented=first.result.represented or second.result.represented,
        concept_groups=groups,
        concept_clips=clips,
    )


def _difference(first: StoredResult, second: StoredResult) -> Evidence:
    """The difference of two effects of one run, draw by draw.

    In a run, each group of clips has bootstrap weights of its own, whatever it is compared with and by which model. So what
    the effects have in common (class clips, random clips, in two models the concept's clips) cancels, and where they share no
    clips the draws are independent. No permutation of labels can test the difference: an effect of either concept would
    count as one.
    """
    effect, draws = first.result.effect - second.result.effect, first.bootstrap - second.bootstrap
    fewest = min(first.result.fewest_groups, second.result.fewest_groups)
    test = BootstrapT.of_draws(effect, draws, max(2, fewest))
    low, high = test.interval()
    groups, clips = _fewer_clips(first, second)
    return Evidence(
        effect=effect,
        low=low,
        high=high,
        standard_error=test.error,
        freedom=test.freedom,
        p_value=test.p_value,
        p_t=test.p_value,
        represented=first.result.represented or second.result.represented,
        concept_groups=groups,
        concept_clips=clips,
    )


def _fewer_clips(first: StoredResult, second: StoredResult) -> tuple[int, int]:
    fewer = min((first.result, second.result), key=lambda result: result.n_concept_groups)
    return fewer.n_concept_groups, fewer.n_concept_clips


def equivalence_p(effect: float, standard_error: float, freedom: float, margin: float) -> float:
    """Equivalence test: p of an effect of the margin or more, by two one-sided t-tests (TOST, Schuirmann 1987).

    A small p shows that the effect is smaller than the margin: that it does not matter.
    """
    return _one_sided(margin - abs(effect), standard_error, freedom)


def beyond_p(effect: float, standard_error: float, freedom: float, margin: float) -> float:
    """One-sided t-test: p of an effect of the margin or less.

    A small p shows that the effect is larger than the margin, which the estimate alone does not: of effects just below the
    margin, nearly half are estimated above it.
    """
    return _one_sided(abs(effect) - margin, standard_error, freedom)


def _one_sided(distance: float, standard_error: float, freedom: float) -> float:
    if standard_error == 0:
        return SMALLEST_P if distance > 0 else 1.0
    return float(stats.t.sf(distance / standard_error, freedom))
