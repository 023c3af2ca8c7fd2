"""Sentences about a discovery: what was confirmed, and what each component is and does."""

from collections.abc import Sequence

from video_tcav.discovery.component import Component, ComponentKind
from video_tcav.tcav.wording import effect_text, p_equals, verb
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
    """What a confirmed component is, does, and how sure that is."""
    effect, limits = effect_text(component)
    direction = "more" if component.is_more_in_class else "less"
    return (
        f"{component.name} {verb(component.effect)} {target} ({effect} {unit} {limits}, adjusted p "
        f"{p_equals(component.p_adjusted)}); {target} clips have {direction} of it (AUC {component.presence_auc:.2f}); "
        f"{_KINDS[component.kind]}."
    )
