"""Sentences about interventions: what removing a concept does, and what having it, in words and figures."""

import math
from collections.abc import Sequence

from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.cav_key import comparison_name
from video_tcav.tcav.interventions.effects import InterventionEffect
from video_tcav.tcav.interventions.operations import CLAMP, REMOVE, STEP
from video_tcav.tcav.wording import effect_text, p_equals, percent

SLOPE = "slope"
"""Name of the effect of first order among operations."""


def is_sure(effect: InterventionEffect) -> bool:
    """Whether an effect is more than CAVs of permuted labels have, and more than other clips might take back."""
    beyond_null = math.isnan(effect.p_value) or effect.p_value <= LEVEL
    return beyond_null and (effect.effect_low > 0 or effect.effect_high < 0)


def sentences_of(effects: Sequence[InterventionEffect], target: str, unit: str) -> tuple[str, ...]:
    """One sentence for each concept and layer.

    Args:
        effects: of a run.
        target: class that is explained.
        unit: of the effects.
    """
    by_place: dict[tuple[str, str], dict[str, InterventionEffect]] = {}
    for effect in effects:
        if effect.twin == "none":
            name = comparison_name(effect.concept, effect.versus)
            by_place.setdefault((name, effect.layer), {})[effect.operation] = effect
    return tuple(
        f"{name} at {layer}: {'; '.join(clauses)}."
        for (name, layer), by_operation in by_place.items()
        if (clauses := _clauses(by_operation, target, unit))
    )


def _clauses(by_operation: dict[str, InterventionEffect], target: str, unit: str) -> list[str]:
    clauses = []
    if removed := by_operation.get(REMOVE.name):
        changed = (
            "" if math.isnan(removed.changed) else f"; the first class of {percent(removed.changed)} of clips changes"
        )
        clauses.append(f"removing it {_what_removal_does(removed, target)} ({_figures(removed, unit)}{changed})")
    if clamped := by_operation.get(CLAMP.name):
        clauses.append(f"having it, all else as it is, {_what_it_does(clamped, target)} ({_figures(clamped, unit)})")
    if step := by_operation.get(STEP.name):
        slope = by_operation.get(SLOPE)
        beside = f"; {_figures(slope, unit)}" if slope else ""
        clauses.append(f"a whole step towards it {_what_it_does(step, target)} ({_figures(step, unit)}{beside})")
    return clauses


def _what_it_does(effect: InterventionEffect, target: str) -> str:
    if not is_sure(effect):
        return f"is not shown to move {target}"
    return f"{'raises' if effect.effect > 0 else 'lowers'} {target}"


def _what_removal_does(effect: InterventionEffect, target: str) -> str:
    if not is_sure(effect):
        return f"is not shown to move {target}"
    return f"{'lowers' if effect.effect > 0 else 'raises'} {target}"  # what is lost, so the other way round


def _figures(effect: InterventionEffect, unit: str) -> str:
    value, limits = effect_text(effect)
    p_value = "" if math.isnan(effect.p_value) else f", p {p_equals(effect.p_value)}"
    return f"{effect.operation} {value} {unit} {limits}{p_value}"
