"""Tubes of confirmed components cut into a concept bank, with what is known about each component beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from video_tcav.concepts import ConceptBank
from video_tcav.discovery.component import Component
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.sentences import suggestion_text
from video_tcav.discovery.tubes import MOST_TUBES, MappedClip, cut_tubes
from video_tcav.media import Skipped
from video_tcav.recording.settings import RecordingSettings
from video_tcav.words import NameSuggestions


def with_tubes(
    components: Sequence[Component],
    found: Sequence[LayerDiscovery],
    bank: ConceptBank | str | Path,
    recording: RecordingSettings,
    names: Mapping[str, NameSuggestions],
) -> tuple[tuple[Component, ...], tuple[Skipped, ...]]:
    """Cut tubes of confirmed components from the clips that have most of each; suggested names stand beside them."""
    by_layer = {each.layer: each for each in found}
    cut, skipped = [], []
    with ConceptBank.opened(bank, create=True) as opened:
        for component in components:
            if not component.confirmed:
                cut.append(component)
                continue
            layer, column = by_layer[component.layer], component.number - 1
            count, unread = cut_tubes(
                opened,
                layer.clips.recording.model,
                component.name,
                _strongest_maps(layer, column),
                _record(component, names.get(component.name)),
                windows=recording.windows,
                threads=recording.threads,
            )
            cut.append(replace(component, n_tubes=count))
            skipped += unread
    return tuple(cut), tuple(skipped)


def _strongest_maps(layer: LayerDiscovery, column: int) -> list[MappedClip]:
    order = np.argsort(-layer.presences[:, column], kind="stable")[:MOST_TUBES].tolist()
    return [mapped_clip(layer, column, clip) for clip in order]


def mapped_clip(layer: LayerDiscovery, column: int, clip: int) -> MappedClip:
    """A clip of a layer's discovery, and where it has a component."""
    clips = layer.clips
    return MappedClip(
        source=clips.sources[clips.ids[clip].source],
        window=clips.ids[clip].window,
        values=layer.map_on_clip(column, clip),
        threshold=float(layer.components.thresholds[column]),
    )


def _record(component: Component, names: NameSuggestions | None) -> dict[str, Any]:
    """What stands beside a clip of the bank about the component that it shows."""
    columns = ("layer", "number", "kind", "stability", "presence_auc", "effect", "p_adjusted")
    suggested = {} if names is None else {"suggested_name": suggestion_text(names)}
    return {"component": component.name, **suggested, **{name: getattr(component, name) for name in columns}}
