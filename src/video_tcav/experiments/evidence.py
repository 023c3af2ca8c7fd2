"""Effect, standard error, p-value and equivalence test (TOST) for one hypothesis, from the draws of its analyses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments.analyses import Analysis, StoredResult
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.resampling import percentile_interval

# P where the standard error is 0: as a permutation test with a million permutations would give it, and never 0.
_SMALLEST_P = 1 / (1 + 10**6)
# Bound of how many times more groups are asked for: beyond it the number is useless, and could overflow an integer.
_MOST_FACTOR = 1e6


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """An effect and its uncertainty.

    Attributes:
        effect: in units of the target.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        standard_error: of the effect, over resamples of all groups, corrected for small samples.
        freedom: its degrees of freedom: the smallest number of groups of any kind, less one.
        p_value: two-sided, of no effect.
        represented: whether the layer encodes what the hypothesis is about.
        concept_groups: independent groups of concept clips; of two concepts, of the one that has fewer.
        concept_clips: likewise, clips.
    """

    effect: float
    low: float
    high: float
    standard_error: float
    freedom: int
    p_value: float
    represented: bool
    concept_groups: int
    concept_clips: int


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
        first, second = analyses
        return _between_models(
            _stored(first, concept, layer, twin), _stored(second, concept, layer, twin), first, second
        )
    (analysis,) = analyses
    if hypothesis.more_than is not None:
        return _more_than(analysis, concept, hypothesis.more_than.than, layer)
    return _single_effect(_stored(analysis, concept, layer, twin), analysis.class_groups)


def _stored(analysis: Analysis, concept: str, layer: str, twin: str = "none") -> StoredResult:
    stored = analysis.get(concept, layer, twin=twin)
    if stored is None:
        raise ExperimentError(
            f"{analysis.folder}: an analysis must hold every concept and layer. Got none of {concept} at {layer}. Run the"
            " experiment again in another folder."
        )
    return stored


def _single_effect(stored: StoredResult, class_groups: int) -> Evidence:
    result, fewest = stored.result, fewest_groups(stored, class_groups)
    return Evidence(
        effect=result.effect,
        low=result.effect_low,
        high=result.effect_high,
        standard_error=standard_error(stored.bootstrap, fewest),
        freedom=max(1, fewest - 1),
        p_value=result.p_value,
        represented=result.represented,
        concept_groups=result.n_concept_groups,
        concept_clips=result.n_concept_clips,
    )


def standard_error(draws: np.ndarray, groups: int) -> float:
    """Standard deviation of bootstrap draws, corrected for the few groups they resample."""
    # Resampling n groups with replacement has (n - 1) / n of their variance.
    return float(draws.std(ddof=1) * math.sqrt(groups / max(1, groups - 1)))


def fewest_groups(stored: StoredResult, class_groups: int) -> int:
    """The smallest number of independent groups of any kind, which the small-sample corrections go by."""
    result = stored.result
    # At least 2, or there would be no degree of freedom.
    random_groups = max(1, result.n_groups - result.n_concept_groups)
    return max(2, min(result.n_concept_groups, random_groups, class_groups))


def _more_than(analysis: Analysis, concept: str, than: str, layer: str) -> Evidence:
    """The difference of two concepts' effects.

    Two moving or two static concepts have a CAV of their own, one rather than the other. A static and a moving one have other
    matched negatives each, so their effects against random clips are subtracted.
    """
    first, second = _stored(analysis, concept, layer), _stored(analysis, than, layer)
    direct = analysis.get(concept, layer, versus=than)
    if direct is not None and first.result.negatives == second.result.negatives:
        groups, clips = _fewer_clips(first, second)
        return replace(
            _single_effect(direct, analysis.class_groups),
            represented=first.result.represented or second.result.represented,
            concept_groups=groups,
            concept_clips=clips,
        )
    # Both effects share their class clips: the draws are paired.
    fewest = min(fewest_groups(first, analysis.class_groups), fewest_groups(second, analysis.class_groups))
    return _paired_difference(first, second, fewest)


def _between_models(before: StoredResult, after: StoredResult, first: Analysis, second: Analysis) -> Evidence:
    """The difference of a concept's effects in two models, draw by draw where both models saw the same clips."""
    fewest = min(fewest_groups(before, first.class_groups), fewest_groups(after, second.class_groups))
    sizes = [
        (stored.result.n_concept_clips, stored.result.n_random_clips, stored.result.n_groups, stored.result.negatives)
        for stored in (before, after)
    ]
    if first.clips == second.clips and sizes[0] == sizes[1] and before.null.size == after.null.size:
        paired = _paired_difference(before, after, fewest)
        if not before.null.size:
            return paired
        # The permutation test exchanges labels alone; the t-test also covers which class clips were at hand.
        exchanged = permutation_p(paired.effect, before.null - after.null)
        return replace(paired, p_value=max(paired.p_value, exchanged))
    effect = before.result.effect - after.result.effect
    error = math.hypot(standard_error(before.bootstrap, fewest), standard_error(after.bootstrap, fewest))
    # Other clips: the effects are independent, so their variances add up, and the interval is Student's t.
    reach = float(stats.t.ppf(0.975, fewest - 1)) * error
    return _difference(before, after, (effect - reach, effect + reach), error, fewest)


def _paired_difference(first: StoredResult, second: StoredResult, fewest: int) -> Evidence:
    """The difference of two effects whose bootstrap draws share their resamples, so that common variation cancels."""
    draws = first.bootstrap - second.bootstrap
    return _difference(first, second, percentile_interval(draws), standard_error(draws, fewest), fewest)


def _difference(
    first: StoredResult, second: StoredResult, interval: tuple[float, float], error: float, fewest: int
) -> Evidence:
    effect = first.result.effect - second.result.effect
    groups, clips = _fewer_clips(first, second)
    return Evidence(
        effect=effect,
        low=interval[0],
        high=interval[1],
        standard_error=error,
        freedom=fewest - 1,
        p_value=two_sided(effect, error, fewest - 1),
        represented=first.result.represented or second.result.represented,
        concept_groups=groups,
        concept_clips=clips,
    )


def _fewer_clips(first: StoredResult, second: StoredResult) -> tuple[int, int]:
    fewer = min((first.result, second.result), key=lambda result: result.n_concept_groups)
    return fewer.n_concept_groups, fewer.n_concept_clips


def two_sided(effect: float, standard_error: float, freedom: int) -> float:
    """Student's t-test of no effect, for effects that no permutation of labels can test."""
    if standard_error == 0:
        return 1.0 if effect == 0 else _SMALLEST_P
    return float(2 * stats.t.sf(abs(effect) / standard_error, freedom))


def equivalence_p(effect: float, standard_error: float, freedom: int, margin: float) -> float:
    """Equivalence test: p of an effect of the margin or more, by two one-sided t-tests (TOST, Schuirmann 1987).

    A small p shows that the effect is smaller than the margin: that it does not matter.
    """
    distance = margin - abs(effect)
    if standard_error == 0:
        return _SMALLEST_P if distance > 0 else 1.0
    return float(stats.t.sf(distance / standard_error, freedom))


def groups_to_decide(measured: Evidence, *, margin: float, level: float, power: float, tests: int) -> int | None:
    """Sample size: how many concept groups would decide the question, if effect and spread stay as measured.

    Random and class clips are taken to grow in the same proportion, so that the standard error falls with the square root of
    it. An effect beyond the margin is decided by a significant test, a smaller one by a significant equivalence test.

    Args:
        measured: the evidence so far.
        margin: effects below do not matter.
        level: of significance, before correction.
        power: how often so many clips would decide it, in [0, 1).
        tests: in the family; the level is shared among them (Bonferroni).

    Returns:
        Groups in all, those of the run included; `None` where no number decides it: the effect is the margin itself.
    """
    # Bonferroni's share, also for Holm: its first and hardest step.
    size, share = abs(measured.effect), level / tests
    beyond = size >= margin
    # A significance test is two-sided; of the two one-sided equivalence tests only the nearer one has a say.
    quantile = float(stats.norm.isf(share / 2 if beyond else share))
    distance = size if beyond else margin - size
    if distance <= 0:
        return None
    # n = ((z_level + z_power) · σ / distance)², relative to the groups that gave σ.
    factor = ((quantile + float(stats.norm.ppf(power))) * measured.standard_error / distance) ** 2
    return math.ceil(min(factor, _MOST_FACTOR) * measured.concept_groups)
