"""Wording of figures: p-values, effects, units, intervals, shares and comparisons; all texts, tables and pages print them so."""

import math
from typing import TYPE_CHECKING, Protocol

from video_tcav.core.wording import MINUS as MINUS
from video_tcav.core.wording import SMALLEST_P as SMALLEST_P
from video_tcav.core.wording import interval as interval
from video_tcav.core.wording import p_equals as p_equals
from video_tcav.core.wording import p_text as p_text
from video_tcav.core.wording import percent as percent
from video_tcav.core.wording import signed as signed
from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.cav_key import comparison_name as comparison_name

if TYPE_CHECKING:  # the command line starts without loading the statistics
    from video_tcav.tcav.concept_result import ConceptResult

_UNITS = {"log_odds": "log-odds", "number": "units of the output"}
# Of a million: beyond, a factor of the odds says nothing more.
_MOST_LOG_ODDS = math.log(1e6)
# Enough decimals for two significant digits of effects down to 1e-7; below, an effect is rounding error.
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 8


class EffectInterval(Protocol):
    """Whatever has an effect with its 95 % interval, such as a result or an intervention."""

    @property
    def effect(self) -> float: ...
    @property
    def effect_low(self) -> float: ...
    @property
    def effect_high(self) -> float: ...


def tests_text(count: int) -> str:
    """How many tests: `1 test`, `6 tests`."""
    return f"{count} test{'' if count == 1 else 's'}"


def region_text(represented: bool, region_auc: float, p_region: float) -> str:
    """What sets apart clips whose means do not differ: `not along one direction, but as a region (AUC 0.86)`; or nothing."""
    if represented or not p_region <= LEVEL:  # NaN where a direction was enough
        return ""
    return f"not along one direction, but as a region (AUC {region_auc:.2f})"


def represented_text(represented: bool, region_auc: float, p_region: float) -> str:
    """Whether a CAV tells the clips apart: yes, no, or a region instead of a direction."""
    return "yes" if represented else region_text(represented, region_auc, p_region) or "no"


def is_readable(result: "ConceptResult") -> bool:
    """Whether an effect says something: not where the layer does not represent the concept, unless it is significant."""
    return result.represented or result.p_adjusted <= LEVEL


def step_disagrees(result: "ConceptResult") -> bool:
    """Whether a whole step says something else than the slope: another sign, or more or less than half or twice as much.

    Where neither is shown to differ from zero, or the slope lies in the step's interval, there is nothing to tell apart.
    """
    slope, step = result.effect, result.step
    if not math.isfinite(step):
        return False
    differs = slope * step < 0 or max(abs(slope), abs(step)) > 2 * min(abs(slope), abs(step))
    is_shown = result.step_low > 0 or result.step_high < 0
    return differs and (result.p_adjusted <= LEVEL or (is_shown and not result.step_low <= slope <= result.step_high))


def step_words(step_at: str) -> str:
    """A step, and that it was taken at random clips where it was."""
    return "a whole step at random clips" if step_at == "random" else "a whole step"


def step_remark(result: "ConceptResult") -> str:
    """That a step disagrees with the slope, and what it says."""
    return f"{step_words(result.step_at)} gives {step_text(result)}: the slope does not tell what the model would say"


def step_text(result: "ConceptResult") -> str:
    """What a whole step does, with its interval."""
    step, low, high = (with_decimals_of(result, number) for number in (result.step, result.step_low, result.step_high))
    return f"{step} {units(result.against)} [{low}, {high}]"


def units(against: str) -> str:
    """The unit of effects on a target of this kind."""
    return _UNITS.get(against, "logits")


def verb(effect: float) -> str:
    """What a concept with this effect does to the target."""
    return "raises" if effect > 0 else "lowers"


def odds_text(effect: float) -> str:
    """An effect in log-odds as a factor of the odds: `multiplies the odds by 11`, `divides the odds by 3.2`."""
    if odds_factor(effect) == "1.0":
        return "leaves the odds as they are"
    verb_of_odds = "multiplies" if effect >= 0 else "divides"
    return f"{verb_of_odds} the odds by {odds_factor(effect)}"


def odds_factor(effect: float) -> str:
    """The factor of the odds behind an effect in log-odds, or behind its opposite: two significant digits, at least 1."""
    if abs(effect) > _MOST_LOG_ODDS:
        return "more than a million"
    factor = float(f"{math.exp(abs(effect)):.1e}")
    return f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"


def effect_text(result: EffectInterval) -> tuple[str, str]:
    """Effect and interval with as many decimals as it takes to tell them from zero, two at least."""
    effect, low, high = (
        with_decimals_of(result, number) for number in (result.effect, result.effect_low, result.effect_high)
    )
    return effect, f"[{low}, {high}]"


def with_decimals_of(result: EffectInterval, number: float) -> str:
    """A number of the same unit with as many decimals as the result's effect is printed with."""
    largest = max(abs(number) for number in (result.effect, result.effect_low, result.effect_high))
    # The leading digit of `largest` is at decimal -floor(log10); one more makes two significant digits.
    decimals = _FEWEST_DECIMALS if largest == 0 else 1 - math.floor(math.log10(largest))
    return f"{number:+.{min(_MOST_DECIMALS, max(_FEWEST_DECIMALS, decimals))}f}"


def effect_with_p(result: "ConceptResult") -> str:
    """Effect, unit, interval, p and its family, as `+2.00 log-odds [+1.00, +3.00], adjusted p = 0.004 (of 12 tests)`."""
    effect, limits = effect_text(result)
    p_value = f"{warning_prefix(result.significance)}{p_with_family(result)}"
    return f"{effect} {units(result.against)} {limits}, {p_value}"


def p_with_family(result: "ConceptResult") -> str:
    """The p-value and the size of its family, as `adjusted p = 0.004 (of 12 tests)`; of a single test `p = 0.004`."""
    p_value = p_equals(result.p_adjusted)
    if result.family_size == 1:
        return f"p {p_value}"
    if result.correction == "none":
        return f"p {p_value} (of {result.family_size} tests, uncorrected)"
    return f"adjusted p {p_value} (of {result.family_size} tests)"


def warning_prefix(significance: str) -> str:
    """What stands before the p-value of a significance test that is not to be relied on."""
    caveat = significance_test(significance).caveat
    return f"{caveat}, " if caveat else ""
