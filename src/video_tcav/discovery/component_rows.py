"""Rows of a discovery: each component with its tests, judged together: Holm over components of all layers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from video_tcav.concepts import TWINS, Twin
from video_tcav.discovery.component import Component
from video_tcav.discovery.kinds import Retained, kind_of
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.gram.corrections import adjust
from video_tcav.tcav.concept_result import Measurement

_TWIN_COLUMNS: dict[Twin, str] = {"frozen": "freezing", "reversed": "reversal", "shuffled": "shuffling"}


def judged(components: Sequence[Component], alpha: float) -> tuple[Component, ...]:
    """Components of all layers with adjusted p-values; confirmed ones first, each part by the size of the effect.

    Args:
        components: with p-values that are not adjusted yet.
        alpha: level of the family.
    """
    adjusted = adjust([component.p_value for component in components], "holm")
    rows = [
        replace(component, p_adjusted=p_value, confirmed=_holds(component, p_value, alpha))
        for component, p_value in zip(components, adjusted, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (not row.confirmed, -np.nan_to_num(abs(row.effect)))))


def _holds(component: Component, p_adjusted: float, alpha: float) -> bool:
    """Whether a component is stable, and sets the class apart in the direction in which it moves the target."""
    same_sign = (component.effect > 0) == component.is_more_in_class
    return p_adjusted <= alpha and same_sign and component.is_stable


def component_rows(layer: LayerDiscovery, effects: Mapping[str, Measurement]) -> list[Component]:
    """Every component of a layer, p-values not adjusted.

    Args:
        layer: with its components.
        effects: of those that could be compared, by name.
    """
    return [_row(layer, column, name, effects.get(name)) for column, name in enumerate(layer.names)]


def _row(layer: LayerDiscovery, column: int, name: str, effect: Measurement | None) -> Component:
    confirming, clips = layer.confirming, layer.clips
    presences, of_class = layer.presences[confirming, column], clips.of_class[confirming]
    stays: dict[Twin, Retained] = {twin: layer.retained(name, twin) for twin in TWINS}
    presence_p = layer.presence_p[name]
    # too few clips have it to be compared: nothing is shown
    effect_p = 1.0 if effect is None else effect.p_value
    numbers: dict[str, Any] = dict.fromkeys(("effect", "effect_low", "effect_high", "cav_auc"), math.nan)
    if effect is not None:
        numbers = {number: getattr(effect, number) for number in numbers}
    for twin, share in stays.items():
        prefix = _TWIN_COLUMNS[twin]
        numbers |= {prefix: share.share, f"{prefix}_low": share.low, f"{prefix}_high": share.high}
    return Component(
        name=name,
        layer=layer.layer,
        number=column + 1,
        kind=kind_of(stays),
        stability=float(layer.components.stability[column]),
        presence_class=float(presences[of_class].mean()),
        presence_random=float(presences[~of_class].mean()),
        presence_auc=float(roc_auc_score(of_class, presences)),
        presence_p=presence_p,
        effect_p=effect_p,
        p_value=max(presence_p, effect_p),
        p_adjusted=1.0,
        confirmed=False,
        n_strong_clips=int(layer.strong[name].strong.sum()),
        n_clips=len(confirming),
        n_groups=len(np.unique(clips.groups[confirming])),
        **numbers,
    )
