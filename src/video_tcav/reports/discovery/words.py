"""Plain words about components: what each does and is, how stable it is, and why it is not confirmed."""

import math
import re

from video_tcav.core.wording import MINUS
from video_tcav.discovery import Component, ComponentKind, DiscoveryResult
from video_tcav.discovery.sentences import removal_text, suggestion_text
from video_tcav.reports.run.text import listed
from video_tcav.tcav.wording import interval, odds_text, p_equals, percent, signed, units, verb

_KINDS: dict[ComponentKind, str] = {
    "appearance": "Appearance: single pictures are enough",
    "motion": "Motion: it goes when clips are frozen",
    "order": "Order: it goes when clips are played backwards",
    "unclear": "Unclear: twins do not decide it",
}
_TWINS = {"frozen": "freezing", "reversed": "reversal", "shuffled": "shuffling"}


def does(result: DiscoveryResult, component: Component) -> str:
    """What a component does to the target, as `raises “tennis”: it multiplies the odds by 11`, by the test that confirmed it."""
    unit, by_removal = units(result.against), component.confirmed_by == "removal"
    change = -component.removed if by_removal else component.effect
    subject = "taking it out where it is" if by_removal else "it"
    size = (
        f"{subject} {odds_text(change)}" if unit == "log-odds" else f"{subject} changes it by {signed(change)} {unit}"
    )
    return f"{'raises' if component.raises else 'lowers'} “{result.target}”: {size}"


def effect_figures(result: DiscoveryResult, component: Component) -> str:
    """The effect with its interval and p, by the test that confirmed it, else by slope; or that there is none."""
    if math.isnan(component.effect):
        return f"Not measured: {component.n_strong_clips} of {component.n_clips} clips have it."
    value, low, high, test = component.effect, component.effect_low, component.effect_high, "slope"
    if component.confirmed_by == "removal":
        value, low, high, test = component.removed, component.removed_low, component.removed_high, "lost without it"
    family = f"adjusted p {p_equals(component.p_adjusted)} of {len(result)}"
    return f"{signed(value)} {units(result.against)} ({interval(low, high)}, {test}), {family}"


def removal_words(result: DiscoveryResult, component: Component) -> str:
    """What happens when it is taken out of clips, and the slope beside it; empty where it was not."""
    if math.isnan(component.removed):
        return ""
    unit = units(result.against)
    text = re.sub(r"(?<!\w)-(?=\d)", MINUS, removal_text(component, unit))  # a true minus, as all pages have
    beside = ""
    if component.confirmed_by == "removal":
        limits = interval(component.effect_low, component.effect_high)
        beside = f" A shift of all positions alike, along its CAV, has the slope {signed(component.effect)} ({limits})."
    return f"{text[:1].upper()}{text[1:]}.{beside}"


def kind_words(component: Component) -> str:
    """Its kind with the shares of its presence that stay in twins."""
    shares = []
    for twin, column in _TWINS.items():
        share, low, high = (getattr(component, f"{column}{end}") for end in ("", "_low", "_high"))
        if not math.isnan(share):
            shares.append(f"{percent(share)} of it stays in {twin} clips ({percent(low)} to {percent(high)})")
    if not shares:
        return "Unclear: no twin could be measured."
    return f"{_KINDS[component.kind]}. {'; '.join(shares)}."


def presence_words(result: DiscoveryResult, component: Component) -> str:
    """How far it sets the class apart."""
    more = "more" if component.is_more_in_class else "less"
    of_hundred = component.presence_auc if component.is_more_in_class else 1 - component.presence_auc
    return (
        f"Clips of “{result.target}” have {more} of it: on average {signed(component.presence_class, 1)} standard deviations of "
        f"random clips against {signed(component.presence_random, 1)}; in {percent(of_hundred)} of pairs the class clip has "
        f"{more} (p {p_equals(component.presence_p)})."
    )


def stability_words(component: Component) -> str:
    """Whether other fits give the same component."""
    figure = f"cosine {component.stability:.2f} with other halves of the groups and another seed"
    if component.is_stable:
        return f"Stable: {figure}."
    return f"Unstable: {figure}. Other fits give other components."


def edit_words(result: DiscoveryResult, component: Component) -> str:
    """What a step and a clamp along its CAV do with the rest of the network run again; empty where none was made."""
    edits = []
    for name, words in (("step", "a whole step along it"), ("clamp", "having it instead of not having it")):
        value, low, high = (getattr(component, f"{name}{end}") for end in ("", "_low", "_high"))
        if not math.isnan(value):
            edits.append(f"{words}: {signed(value)} ({interval(low, high)})")
    return f"With the rest of the network run again, {'; '.join(edits)} {units(result.against)}." if edits else ""


def name_words(result: DiscoveryResult, component: Component) -> str:
    """The words that an encoder of texts suggests; empty where none was asked."""
    names = result.names.get(component.name)
    if names is None:
        return ""
    return (
        f"Of {names.words} words, nearest to {names.clips} of its tubes: {suggestion_text(names)} ({names.encoder}). Something "
        "is always nearest, and a small margin says that two words would do: look, and name it yourself."
    )


def why_not_confirmed(component: Component, alpha: float) -> str:
    """What a component lacks, in plain words; empty for a confirmed one."""
    if component.confirmed:
        return ""
    reasons = []
    if math.isnan(component.effect):
        reasons.append("too few clips have it to compare")
    else:
        if component.presence_p > alpha:
            reasons.append("the class is not shown to have more or less of it than random clips")
        if component.moving_p > alpha:
            reasons.append(_not_moved(component, alpha))
        if component.p_value <= alpha < component.p_adjusted:
            reasons.append("both tests would be significant alone, but not among so many components")
    if not component.is_stable:
        reasons.append("it is unstable")
    text = listed(reasons) if reasons else "it does not hold in the clips that it was not found in"
    return f"{text[:1].upper()}{text[1:]}."


def _not_moved(component: Component, alpha: float) -> str:
    """That no test of the effect says enough, or that they say it against the sign of presence."""
    tests = component.effect_tests
    moves = {"slope": (component.effect, component.effect_p), "removal": (component.removed, component.removed_p)}
    against = [moves[name][0] for name, p_value in tests.items() if p_value == 1 and moves[name][1] <= alpha]
    if not against or min(tests.values()) < 1:
        return "it is not shown to move the class"
    more = "more" if component.is_more_in_class else "less"
    return f"the class has {more} of it although it {verb(against[0])} the class"
