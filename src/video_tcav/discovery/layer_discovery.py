"""One layer of a discovery: components, their presences and maps, tests in the other half, and kinds by twins."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from video_tcav.concepts import Twin
from video_tcav.core.progress import Advance, no_progress
from video_tcav.discovery.component import component_name
from video_tcav.discovery.components_of_layer import FindingClips, LayerComponents, find_components
from video_tcav.discovery.confirmation import (
    StrongClips,
    comparison_of,
    measured_effects,
    presence_p_values,
    strong_clips,
)
from video_tcav.discovery.kinds import NOT_MEASURED, Retained, retained
from video_tcav.discovery.maps import ComponentMaps
from video_tcav.discovery.recorded_clips import RecordedClips
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.cavs.fitter import Labelling
from video_tcav.gram.concept_test import TestSettings
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import unit_coefficients
from video_tcav.recording.rows import RowStore
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.concept_result import Measurement

EXAMPLES = 6
"""Clips with most of each component whose maps are kept."""
_COMPARED = 12
"""Class clips, and random clips, whose maps are kept whatever they have, so that two models can be compared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerDiscovery:
    """Components of one layer and how they do in the half that found nothing.

    Attributes:
        clips: that were recorded.
        components: found in one half.
        gram: K and C of all rows of the layer.
        settings: of the tests.
    """

    clips: RecordedClips
    components: LayerComponents
    gram: Gram
    settings: TestSettings

    @classmethod
    def of(
        cls, clips: RecordedClips, layer: str, discovery: DiscoverySettings, settings: TestSettings
    ) -> "LayerDiscovery":
        """Find components in the half that finds."""
        finding = np.flatnonzero(~clips.confirms)
        components = find_components(
            clips.layers[layer].positions,
            clips.grids[layer],
            FindingClips(rows=clips.rows[finding], groups=clips.groups[finding], is_random=~clips.of_class[finding]),
            discovery.factoriser,
            discovery.components,
            settings.seed,
        )
        return cls(clips=clips, components=components, gram=clips.gram(layer), settings=settings)

    @property
    def layer(self) -> str:
        return self.components.grid.layer

    @property
    def store(self) -> RowStore:
        return self.clips.layers[self.layer].positions

    @property
    def names(self) -> tuple[str, ...]:
        """Of the components, in their order."""
        return tuple(component_name(self.layer, number + 1) for number in range(len(self.components.directions)))

    @cached_property
    def presences(self) -> Float[np.ndarray, "clip component"]:
        """Mean over positions, from the mean of the random clips that find, in their standard deviations."""
        values = self.components.presences(self.store, self.clips.rows)
        random = values[~self.clips.confirms & ~self.clips.of_class]
        spread = random.std(0)
        # where no random clip has any of it, all clips say what is much
        spread = np.where(spread > 0, spread, values.std(0))
        return (values - random.mean(0)) / np.where(spread > 0, spread, 1.0)

    @cached_property
    def confirming(self) -> Int[np.ndarray, " clip"]:
        """Numbers of the clips of the half that confirms."""
        return np.flatnonzero(self.clips.confirms)

    @cached_property
    def presence_p(self) -> dict[str, float]:
        """Of the difference of presence between class and random clips."""
        design = self.clips.design(self.confirming, self.clips.of_class[self.confirming])
        p_values = presence_p_values(
            self.presences[self.confirming],
            design,
            permutations=self.settings.permutations,
            seed=self.settings.seed,
        )
        return dict(zip(self.names, p_values.tolist(), strict=True))

    @cached_property
    def strong(self) -> dict[str, StrongClips]:
        """Clips with and without each component."""
        return {
            name: strong_clips(self.presences[:, column], self.clips.of_class, self.clips.units, self.confirming)
            for column, name in enumerate(self.names)
        }

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Of the components that enough clips have."""
        compared = {name: comparison_of(name, strong, self.clips) for name, strong in self.strong.items()}
        return {name: comparison for name, comparison in compared.items() if comparison is not None}

    def effects(self, advance: Advance = no_progress) -> Mapping[str, Measurement]:
        """What having each component does to the target, to first order."""
        return measured_effects(
            self.comparisons, self.layer, self.gram, self.clips.gradient_groups, self.settings, advance
        )

    def retained(self, name: str, twin: Twin) -> Retained:
        """What of a component's presence along its CAV stays in a twin."""
        if name not in self.comparisons or twin not in self.clips.plan.twins:
            return NOT_MEASURED
        comparison, chosen = self.comparisons[name], self.strong[name].clips
        rows, twin_rows = comparison.rows["none"], self.clips.twin_rows(twin)[chosen]
        kernel = self.gram.of_rows(rows).kernel
        alphas = self.settings.fitter.fit(kernel, Labelling(labels=comparison.design.labels[None]))
        unit = unit_coefficients(kernel, alphas)[0]
        along = np.zeros(len(self.gram.kernel))
        along[rows] = unit
        coordinates = (along[None] @ self.gram.kernel)[0]
        recorded = twin_rows >= 0
        return retained(
            coordinates[rows[recorded]],
            coordinates[twin_rows[recorded]],
            comparison.design.labels[recorded],
            comparison.design.groups[recorded],
            self.settings.seed,
        )

    def kept_maps(self) -> ComponentMaps:
        """Maps of the clips that have most of each component, and of some that every model of these clips has maps of."""
        confirming = self.confirming
        of_class = self.clips.of_class[confirming]
        chosen = {*confirming[of_class][:_COMPARED].tolist(), *confirming[~of_class][:_COMPARED].tolist()}
        for column in self.presences[confirming].T:
            chosen |= set(confirming[np.argsort(-column, kind="stable")[:EXAMPLES]].tolist())
        numbers = sorted(chosen)
        blocks = list(self.components.maps(self.store, self.clips.rows[numbers]))
        grid = self.components.grid
        return ComponentMaps(
            layer=self.layer,
            clips=tuple(numbers),
            values=np.moveaxis(np.concatenate(blocks), -1, 0).astype(np.float16),
            spacings=grid.spacings,
            clip_shape=grid.clip_shape,
        )

    def maps_of(self, column: int, clips: Int[np.ndarray, " clip"]) -> Float[np.ndarray, "clip time height width"]:
        """How much of one component every position of some clips has."""
        return np.concatenate([maps[..., column] for maps in self.components.maps(self.store, self.clips.rows[clips])])

    def map_on_clip(self, column: int, clip: int) -> Float[np.ndarray, "time height width"]:
        """The map of one component for one clip, in its own frames and pixels."""
        maps = self.maps_of(column, np.asarray([clip]))
        grid = self.components.grid
        alone = ComponentMaps(
            layer=self.layer,
            clips=(clip,),
            values=maps[None],
            spacings=grid.spacings,
            clip_shape=grid.clip_shape,
        )
        return alone.on_clip(1, clip)
