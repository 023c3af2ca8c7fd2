"""Rows of a discovery: each component with its tests, judged together: Holm over components of all layers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from video_tcav.concepts import TWINS, Twin
from video_tcav.core.progress import progress_bar
from video_tcav.discovery.component import Component
from video_tcav.discovery.kinds import Retained, kind_of
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.removal import Removal, removals
from video_tcav.gram.corrections import adjust
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.tcav.concept_result import Measurement

_TWIN_COLUMNS: dict[Twin, str] = {"frozen": "freezing", "reversed": "reversal", "shuffled": "shuffling"}


def judged_components(
    layers: Sequence[LayerDiscovery],
    alpha: float,
    runner: BatchRunner,
    *,
    in_place: bool = True,
    progress: bool = False,
) -> tuple[tuple[Component, ...], tuple[str, ...]]:
    """Presence, slope and removal of every component, judged together.

    Args:
        layers: with their components.
        alpha: level of the family.
        runner: that passed the clips.
        in_place: whether components are also taken out where they are.
        progress: whether to show progress bars.

    Returns:
        Components of all layers, see `judged`; and what a reader must know of layers that nothing can be taken out of.
    """
    total = sum(len(each.comparisons) for each in layers)
    with progress_bar("tests (components)", total, visible=progress) as advance:
        effects = {name: measurement for each in layers for name, measurement in each.effects(advance).items()}
    removed, cautions = removals(layers, alpha, runner, progress=progress) if in_place else ({}, ())
    return judged([row for each in layers for row in component_rows(each, effects, removed)], alpha), cautions


def judged(components: Sequence[Component], alpha: float) -> tuple[Component, ...]:
    """Components of all layers with adjusted p-values: confirmed ones first, then the others by the size of their slope.

    Of the confirmed ones, those that raise the target come first, each side by what clips with them lose or gain without them.

    Args:
        components: with p-values that are not adjusted yet.
        alpha: level of the family.
    """
    adjusted = adjust([component.p_value for component in components], "holm")
    rows = [_judged(component, p_value, alpha) for component, p_value in zip(components, adjusted, strict=True)]
    confirmed = sorted((row for row in rows if row.confirmed), key=lambda row: (not row.raises, -row.size))
    others = sorted((row for row in rows if not row.confirmed), key=lambda row: -np.nan_to_num(abs(row.effect)))
    return (*confirmed, *others)


def _judged(component: Component, p_adjusted: float, alpha: float) -> Component:
    # a test against the sign of presence has p = 1, so that a level of 1 alone would let it through
    tests = component.effect_tests
    decides = min(tests, key=tests.__getitem__)
    confirmed = p_adjusted <= alpha and tests[decides] < 1 and component.is_stable
    return replace(component, p_adjusted=p_adjusted, confirmed=confirmed, confirmed_by=decides if confirmed else "")


def component_rows(
    layer: LayerDiscovery, effects: Mapping[str, Measurement], removals: Mapping[str, Removal]
) -> list[Component]:
    """Every component of a layer, p-values not adjusted.

    Args:
        layer: with its components.
        effects: of those that could be compared, by name.
        removals: of those that were taken out of clips.
    """
    rows = [_row(layer, column, name, effects.get(name)) for column, name in enumerate(layer.names)]
    measured = [replace(row, **removals[row.name].columns()) if row.name in removals else row for row in rows]
    return [replace(row, p_value=max(row.presence_p, row.moving_p)) for row in measured]


def _row(layer: LayerDiscovery, column: int, name: str, effect: Measurement | None) -> Component:
    confirming, clips = layer.confirming, layer.clips
    presences, of_class = layer.presences[confirming, column], clips.of_class[confirming]
    stays: dict[Twin, Retained] = {twin: layer.retained(name, twin) for twin in TWINS}
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
        presence_p=layer.presence_p[name],
        # too few clips have it to be compared: nothing is shown
        effect_p=1.0 if effect is None else effect.p_value,
        p_value=1.0,
        p_adjusted=1.0,
        confirmed=False,
        n_strong_clips=int(layer.strong[name].strong.sum()),
        n_clips=len(confirming),
        n_groups=len(np.unique(clips.groups[confirming])),
        **numbers,
    )
