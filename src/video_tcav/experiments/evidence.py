"""What the analyses say about one hypothesis: an effect, how sure it is, and whether it may be called nil."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments.analyses import Analysis, Found
from video_tcav.experiments.file import Hypothesis
from video_tcav.gram.significance import percentile_interval, permutation_p


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """An effect and its uncertainty.

    Attributes:
        effect: in units of the target.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        standard_error: of the effect, over resamples of all groups, made larger for small samples.
        freedom: degrees of freedom that go with it: the smallest number of groups of any kind, less one.
        p_value: two-sided, of no effect.
        represented: whether the layer encodes what the hypothesis is about.
        concept_groups: independent groups of concept clips; of the concept that has fewer, if there are two.
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
    """What the analyses say; `None` where the concept's clips do not move and the hypothesis is about motion.

    Args:
        hypothesis: the claim.
        analyses: of its model, or of both its models.
        layer: where to look.
    """
    concept = hypothesis.about.concept
    twin = "none" if hypothesis.part == "whole" else hypothesis.part
    if twin != "none" and any(one.get(concept, layer, twin=twin) is None for one in analyses):
        return None
    if hypothesis.same_in is not None:
        first, second = analyses
        return _between(_get(first, concept, layer, twin), _get(second, concept, layer, twin), first, second)
    (analysis,) = analyses
    if hypothesis.more_than is not None:
        return _more_than(analysis, concept, hypothesis.more_than.than, layer)
    return _own(_get(analysis, concept, layer, twin), analysis.class_groups)


def _get(analysis: Analysis, concept: str, layer: str, twin: str = "none") -> Found:
    found = analysis.get(concept, layer, twin=twin)
    if found is None:
        raise ExperimentError(
            f"{analysis.folder}: an analysis must hold every concept and layer. Got none of {concept} at {layer}. Run the"
            " experiment again in another folder."
        )
    return found


def _own(found: Found, class_groups: int) -> Evidence:
    one = found.result
    fewest = _fewest(found, class_groups)
    return Evidence(
        effect=one.effect,
        low=one.effect_low,
        high=one.effect_high,
        standard_error=standard_error(found.bootstrap, fewest),
        freedom=max(1, fewest - 1),
        p_value=one.p_value,
        represented=one.represented,
        concept_groups=one.n_concept_groups,
        concept_clips=one.n_concept_clips,
    )


def standard_error(draws: np.ndarray, groups: int) -> float:
    """The spread of bootstrap draws, with the share that resampling few groups takes from it given back."""
    return float(draws.std(ddof=1) * math.sqrt(groups / max(1, groups - 1)))


def _fewest(found: Found, class_groups: int) -> int:
    one = found.result
    return max(2, min(one.n_concept_groups, max(1, one.n_groups - one.n_concept_groups), class_groups))


def _more_than(analysis: Analysis, concept: str, than: str, layer: str) -> Evidence:
    """Two concepts of one kind are compared clip by clip; of a still and a moving one, each with its own matched negatives."""
    one, other = _get(analysis, concept, layer), _get(analysis, than, layer)
    direct = analysis.get(concept, layer, versus=than)
    if direct is not None and one.result.negatives == other.result.negatives:
        groups, clips = _smaller(one, other)
        return replace(
            _own(direct, analysis.class_groups),
            represented=one.result.represented or other.result.represented,
            concept_groups=groups,
            concept_clips=clips,
        )
    fewest = min(_fewest(one, analysis.class_groups), _fewest(other, analysis.class_groups))
    draws = one.bootstrap - other.bootstrap
    error = standard_error(draws, fewest)
    effect = one.result.effect - other.result.effect
    p = two_sided(effect, error, fewest - 1)
    return _difference(one, other, percentile_interval(draws), error, fewest, p)


def _between(one: Found, other: Found, first: Analysis, second: Analysis) -> Evidence:
    """The effect in one model less that in another: draw by draw where both saw the same clips."""
    fewest = min(_fewest(one, first.class_groups), _fewest(other, second.class_groups))
    effect = one.result.effect - other.result.effect
    sizes = [
        (f.result.n_concept_clips, f.result.n_random_clips, f.result.n_groups, f.result.negatives, f.null.size)
        for f in (one, other)
    ]
    if first.clips == second.clips and sizes[0] == sizes[1]:
        draws = one.bootstrap - other.bootstrap
        error, interval = standard_error(draws, fewest), percentile_interval(draws)
        p = two_sided(effect, error, fewest - 1)
        if one.null.size:  # labels alone are exchanged there; the other also asks for which class clips were at hand
            p = max(p, permutation_p(effect, one.null - other.null))
    else:
        error = math.hypot(standard_error(one.bootstrap, fewest), standard_error(other.bootstrap, fewest))
        p = two_sided(effect, error, fewest - 1)
        reach = float(stats.t.ppf(0.975, fewest - 1)) * error
        interval = (effect - reach, effect + reach)
    return _difference(one, other, interval, error, fewest, p)


def _difference(
    one: Found, other: Found, interval: tuple[float, float], error: float, fewest: int, p_value: float
) -> Evidence:
    """One effect less another, with what was found out about the difference."""
    groups, clips = _smaller(one, other)
    return Evidence(
        effect=one.result.effect - other.result.effect,
        low=interval[0],
        high=interval[1],
        standard_error=error,
        freedom=fewest - 1,
        p_value=p_value,
        represented=one.result.represented or other.result.represented,
        concept_groups=groups,
        concept_clips=clips,
    )


def _smaller(one: Found, other: Found) -> tuple[int, int]:
    fewer = min((one.result, other.result), key=lambda result: result.n_concept_groups)
    return fewer.n_concept_groups, fewer.n_concept_clips


def two_sided(effect: float, standard_error: float, freedom: int) -> float:
    """P of no effect by Student's t, for effects that no exchange of labels can test."""
    if standard_error == 0:
        return 1.0 if effect == 0 else 1 / (1 + 10**6)
    return float(2 * stats.t.sf(abs(effect) / standard_error, freedom))


def equivalence_p(effect: float, standard_error: float, freedom: int, margin: float) -> float:
    """P of an effect of the margin or more, in either direction: two one-sided t-tests (Schuirmann 1987).

    A small p says that the effect is smaller than the margin: that it does not matter.
    """
    room = margin - abs(effect)
    if standard_error == 0:
        return 1 / (1 + 10**6) if room > 0 else 1.0
    return float(stats.t.sf(room / standard_error, freedom))


def groups_to_decide(found: Evidence, *, margin: float, level: float, power: float, tests: int) -> int | None:
    """How many concept groups would decide the question, if effect and spread stay as measured.

    Random and class clips are taken to grow in the same proportion, so that the standard error falls with the root of it. An
    effect beyond the margin is decided by being found, a smaller one by being shown to be smaller.

    Args:
        found: what was measured.
        margin: effects below do not matter.
        level: of significance, before correction.
        power: how often so many clips would decide it, in [0, 1).
        tests: in the family; the level is shared among them.

    Returns:
        Groups in all, those of the run included; `None` where no number decides it: the effect is the margin itself.
    """
    size = abs(found.effect)
    share = level / tests
    quantile = float(stats.norm.isf(share / 2 if size >= margin else share))
    room = size if size >= margin else margin - size
    if room <= 0:
        return None
    factor = ((quantile + float(stats.norm.ppf(power))) * found.standard_error / room) ** 2
    return math.ceil(min(factor, 1e6) * found.concept_groups)
