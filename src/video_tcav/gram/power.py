"""How many independent videos a test needs to find an effect of a given size."""

import math

from statsmodels.stats.power import TTestIndPower

from video_tcav.core.checks import between, require
from video_tcav.core.errors import InputError
from video_tcav.gram.thresholds import MIN_GROUPS

_UNLIMITED = 10**9
"""Random groups where there may be as many as one likes: more change no digit of the power."""
_MOST_GROUPS = 10**6


def groups_needed(effect: float, *, level: float = 0.05, power: float = 0.8, negatives: int | None = None) -> int:
    """How many independent groups (videos) of concept clips a test needs to find an effect of this size.

    A test of single clips against random clips compares two samples of the model's responses, one number a group. The
    number is that of the two-sample t-test with equal spread, which the permutation test matches for responses that are
    about normal; it is raised where so few groups could not give a p-value as small as the level.

    Several concepts or layers are one family: divide the level by the number of tests for Holm's or Bonferroni's first step.

    Args:
        effect: size that shall be found, in standard deviations of the responses of single groups; the sign does not matter.
        level: two-sided level of the test.
        power: share of tests that shall find it.
        negatives: groups of random clips that the test will have; `None` for as many as one likes.

    Returns:
        The smallest number of groups of concept clips, 3 at least.

    Raises:
        InputError: if a value is not possible, or no number of concept groups suffices against so few negatives.

    Source:
        Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2.
    """
    _check(effect, level, power, negatives)
    size, random_groups = abs(effect), _UNLIMITED if negatives is None else negatives
    if _power(size, _MOST_GROUPS, random_groups, level) < power:
        raise _too_few(effect, level, power, negatives)
    low, high = MIN_GROUPS - 1, MIN_GROUPS  # the power rises with the groups: double, then halve
    while not _enough(size, high, random_groups, level, power):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(size, middle, random_groups, level, power) else (middle, high)
    return high


def _enough(size: float, groups: int, negatives: int, level: float, power: float) -> bool:
    return _smallest_p(groups, negatives) <= level and _power(size, groups, negatives, level) >= power


def _power(size: float, groups: int, negatives: int, level: float) -> float:
    """Share of tests that find the effect, and with its own sign: an effect found with the wrong one is not found."""
    # half the level, one-sided: two-sided tests that find the effect with its own sign
    ratio = negatives / groups
    detected = TTestIndPower().power(size, groups, level / 2, ratio=ratio, alternative="larger")  # pyright: ignore[reportArgumentType]
    return (
        1.0 if math.isnan(detected) else float(detected)
    )  # SciPy's tail gives up only where the power is 1 in any case


def _smallest_p(groups: int, negatives: int) -> float:
    """The smallest two-sided p-value that exchanging whole groups can give."""
    exchanged = min(groups, negatives, 40)  # with more of them it is below 1e-20, whatever the rest
    return (2 if groups == negatives else 1) / math.comb(groups + negatives, exchanged)


def _check(effect: float, level: float, power: float, negatives: int | None) -> None:
    is_number = math.isfinite(effect) and effect != 0
    require(is_number, "effect", "be a number other than 0", effect, "1 is one standard deviation.")
    between("level", level, "0.05 is usual.")
    require(level < power < 1, "power", f"be between the level ({level}) and 1", power, "0.8 is usual.")
    if negatives is not None and negatives < MIN_GROUPS:
        raise InputError(
            f"`negatives` must be {MIN_GROUPS} or more. Got {negatives}. Add random clips of other videos."
        )


def _too_few(effect: float, level: float, power: float, negatives: int | None) -> InputError:
    if negatives is None:
        return InputError(
            f"`effect` must be one that {_MOST_GROUPS:,} groups can find. Got {effect}. Ask for a larger one."
        )
    return InputError(
        f"`negatives` must be enough to find an effect of {effect} with power {power} at level {level}. Got {negatives} "
        "groups, too few for any number of concept clips. Add random clips of other videos, or ask for a larger effect."
    )
