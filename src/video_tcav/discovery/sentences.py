"""Sentences about a discovery: what was confirmed, and what each component is and does."""

import math
from collections.abc import Sequence
from dataclasses import replace

from video_tcav.discovery.component import Component, ComponentKind
from video_tcav.tcav.wording import effect_text, p_equals, with_decimals_of
from video_tcav.words import NameSuggestions

_KINDS: dict[ComponentKind, str] = {
    "appearance": "appearance: it stays in frozen clips",
    "motion": "motion: it goes when clips are frozen",
    "order": "order: it goes when clips are reversed",
    "unclear": "of unclear kind: noise decides what freezing and reversing do to it",
}


def headline(components: Sequence[Component], target: str) -> str:
    """How many components hold in clips that found nothing."""
    count = sum(component.confirmed for component in components)
    if not components:
        return f"No component was found for {target}."
    tested = f"{components[0].n_clips} clips in {components[0].n_groups} groups that found nothing"
    if not count:
        return (
            f"None of {len(components)} components is confirmed for {target} in {tested}: none is shown both to set the class "
            "apart and to move it."
        )
    return (
        f"{count} of {len(components)} components {'is' if count == 1 else 'are'} confirmed for {target} in {tested}."
    )


def suggestion_text(names: NameSuggestions) -> str:
    """The first word with its margin, and what comes next: `court (margin 0.041), then lawn, street`."""
    first, *others = names
    return f"{first.word} (margin {first.margin:.3f}), then {', '.join(other.word for other in others)}"


def suggestion_sentence(component: str, names: NameSuggestions) -> str:
    """The words nearest to a component, as a suggestion."""
    return f"Words nearest to {component}, of {names.words}: {suggestion_text(names)}."


def component_sentence(component: Component, target: str, unit: str) -> str:
    """What a confirmed component is, does, by which test, and how sure that is."""
    direction = "more" if component.is_more_in_class else "less"
    return (
        f"{component.name} {'raises' if component.raises else 'lowers'} {target} ({_shown_by(component, unit)}, adjusted p "
        f"{p_equals(component.p_adjusted)}); {target} clips have {direction} of it (AUC {component.presence_auc:.2f}); "
        f"{_KINDS[component.kind]}."
    )


def _shown_by(component: Component, unit: str) -> str:
    """The test that confirmed it, in figures, and in short what removal does beside a slope."""
    if component.confirmed_by == "removal":
        return f"by removal: {removal_text(component, unit)}"
    slope, limits = effect_text(component)
    by_slope = f"by its slope, {slope} {unit} {limits}"
    if math.isnan(component.removed):
        return by_slope
    verb, size, *_ = _removal(component)
    return f"{by_slope}; without it clips {verb} {size}"


def removal_text(component: Component, unit: str) -> str:
    """What clips with most of a component lose or gain when it is taken out of them, and when as much is elsewhere.

    As `taken out where it is, clips with it lose 3.03 log-odds [2.40, 3.70], and 0.10 if as much is taken out elsewhere`.
    """
    verb, size, low, high, elsewhere = _removal(component)
    return (
        f"taken out where it is, clips with it {verb} {size} {unit} [{low}, {high}], and {elsewhere} if as much is taken out "
        "elsewhere"
    )


def _removal(component: Component) -> tuple[str, str, str, str, str]:
    """Whether clips lose or gain, how much, the ends of the interval, and how much elsewhere."""
    sign = 1 if component.removed > 0 else -1
    removal = replace(
        component, effect=component.removed, effect_low=component.removed_low, effect_high=component.removed_high
    )
    ends = sorted((sign * component.removed_low, sign * component.removed_high))
    size, low, high, elsewhere = (
        with_decimals_of(removal, number).removeprefix("+")
        for number in (sign * component.removed, *ends, sign * component.removed_elsewhere)
    )
    return ("lose" if sign > 0 else "gain", size, low, high, elsewhere)
