"""Sample size by assurance: how many more groups would decide a hypothesis with a given probability, by simulation."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from video_tcav.core import random_streams
from video_tcav.experiments.evidence import Evidence

MOST_GROUPS = 5000
"""More independent groups of clips than this are no practical number: nobody collects them."""
_DRAWS = 4000
"""The simulated probability then has a standard error of 0.6 points near 80 %."""

Values = Float[np.ndarray, " draw"]


def decided(
    effects: Values, errors: Values, freedom: float, *, margin: float, level: float, claims_nil: bool
) -> Bool[np.ndarray, " draw"]:
    """Whether effects with these standard errors get a verdict other than "undecided".

    Args:
        effects: one an experiment.
        errors: their standard errors.
        freedom: degrees of freedom of these.
        margin: an effect below it does not matter.
        level: of significance, after correction.
        claims_nil: whether the hypothesis claims that the effect is below the margin.
    """
    sizes, one_sided = np.abs(effects), float(stats.t.isf(level, freedom))
    is_smaller = margin - sizes > one_sided * errors
    if claims_nil:
        return is_smaller | (sizes - margin > one_sided * errors)
    is_there = sizes > float(stats.t.isf(level / 2, freedom)) * errors
    return is_smaller | (is_there & (sizes >= margin))


def groups_to_decide(
    measured: Evidence, *, margin: float, level: float, power: float, tests: int, claims_nil: bool
) -> int | None:
    """The smallest number of concept groups that decides the question with probability `power`, given what was measured.

    The true effect is not the estimate: a number that takes it for the truth is too small as often as it is too large. So
    true effects and standard errors are drawn from what the measurement says of them (normal and scaled inverse chi-squared:
    the posterior under a flat prior), and for each a larger experiment is simulated that adds clips to those of this one. The
    probability that it decides the question is an assurance (O'Hagan, Stevens and Campbell 2005). Random and class clips are
    taken to grow in the same proportion.

    Args:
        measured: the evidence so far.
        margin: effects below do not matter.
        level: of significance, before correction.
        power: probability that so many groups decide it.
        tests: in the family; the level is shared among them (Bonferroni), which is also Holm's first and hardest step.
        claims_nil: whether the hypothesis claims that the effect is below the margin.

    Returns:
        Groups in all, those of the run included; `None` where more than `MOST_GROUPS` would be needed.
    """
    probability = _simulation(measured, margin, level / tests, claims_nil)
    low, high = measured.concept_groups, measured.concept_groups + 1
    while high < MOST_GROUPS and probability(high) < power:
        low, high = high, min(MOST_GROUPS, 2 * high)
    if probability(high) < power:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if probability(middle) >= power else (middle, high)
    return high


def _simulation(measured: Evidence, margin: float, level: float, claims_nil: bool) -> Callable[[int], float]:
    """The probability that an experiment with so many concept groups in all decides the question."""
    # the same random numbers for every size, so that the probability rises smoothly with it
    generator = np.random.default_rng([random_streams.MORE_CLIPS])
    normal = generator.standard_normal((3, _DRAWS))
    errors = measured.standard_error * np.sqrt(measured.freedom / generator.chisquare(measured.freedom, _DRAWS))
    true_effects = measured.effect + errors * normal[0]

    def probability(groups: int) -> float:
        growth = groups / measured.concept_groups
        freedom = max(measured.freedom + 1, int(growth * (measured.freedom + 1))) - 1
        # of the clips that are added, in the same units as the standard error so far
        added = true_effects + errors / np.sqrt(growth - 1) * normal[1]
        effects = (measured.effect + (growth - 1) * added) / growth
        more = freedom - measured.freedom
        squares = measured.freedom * measured.standard_error**2
        if more:
            # chi-squared by the cube of a normal number (Wilson and Hilferty 1931), thirty times faster than its quantiles
            cube = 1 - 2 / (9 * more) + normal[2] * np.sqrt(2 / (9 * more))
            squares = squares + errors**2 * more * np.maximum(cube, 0) ** 3
        pooled = np.sqrt(squares / freedom / growth) * np.ones(_DRAWS)
        return float(decided(effects, pooled, freedom, margin=margin, level=level, claims_nil=claims_nil).mean())

    return probability
