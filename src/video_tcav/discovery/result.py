"""Result of `discover`: components with their tests, presences by clip, typical clips with maps, sentences and tables."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from jaxtyping import Float

from video_tcav.core.displays import PlainText, draw, html_heading, html_list, html_table
from video_tcav.core.errors import InputError
from video_tcav.core.files import write_json
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.discovery.component import Component
from video_tcav.discovery.explained import ExplainedShare, NothingExplained
from video_tcav.discovery.maps import ComponentMaps
from video_tcav.discovery.sentences import component_sentence, headline, suggestion_sentence
from video_tcav.media import Skipped
from video_tcav.tcav.wording import effect_text, p_text, signed, units
from video_tcav.words import NameSuggestions

if TYPE_CHECKING:  # figures are drawn above results
    from matplotlib.figure import Figure

Half = Literal["find", "confirm"]


@dataclass(frozen=True, kw_only=True)
class DiscoveredClip:
    """A clip in which components were looked for.

    Attributes:
        clip: the source's key.
        window: which clip of the source.
        path: the file; empty for a clip in memory.
        start_s: of the segment, `None` from the start.
        end_s: likewise.
        group: what it belongs to.
        of_class: whether it is a class clip, or a random one.
        half: whether components were found in it, or confirmed.
    """

    clip: str
    window: int
    path: str
    start_s: float | None
    end_s: float | None
    group: str
    of_class: bool
    half: Half


@dataclass(frozen=True, kw_only=True, eq=False)
class ComponentExample:
    """A clip that has much of a component, and where.

    Attributes:
        clip: which.
        presence: mean over its positions, in standard deviations of random clips.
        heat: presence at each position of the layer's grid.
    """

    clip: DiscoveredClip
    presence: float
    heat: Float[np.ndarray, "time height width"]


@dataclass(frozen=True, kw_only=True, repr=False)
class DiscoveryResult(ItemSequence[Component]):
    """What a layer's activations are made of, and what of it the class relies on: a sequence of `Component`.

    Confirmed components come first, each part by the size of the effect.

    Attributes:
        target: class that is explained.
        against: the target's definition.
        at: whether gradients are of class or of random clips of the half that finds.
        method: name of the factorisation.
        alpha: level of the family of tests.
        components: of all layers.
        names: words nearest to the tubes of each confirmed component, by its name; none without an encoder of texts.
        explained: how much of the target the confirmed ones explain together, and what they leave.
        clips: in which they were looked for.
        presences: mean over positions, in standard deviations of random clips, of each component in each clip.
        maps: by layer, of the clips that have most of each component and some more.
        skipped: files that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions, settings, digests of model and clips.
        seconds: time spent, by stage.
    """

    FIELD: ClassVar[str] = "components"

    target: str
    against: str
    at: str
    method: str
    alpha: float
    components: tuple[Component, ...]
    names: Mapping[str, NameSuggestions]
    explained: ExplainedShare | NothingExplained
    clips: tuple[DiscoveredClip, ...]
    presences: Mapping[str, Float[np.ndarray, " clip"]] = field(repr=False)
    maps: tuple[ComponentMaps, ...] = field(repr=False)
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]

    @property
    def confirmed(self) -> tuple[Component, ...]:
        """The components that hold in clips that found nothing."""
        return tuple(component for component in self if component.confirmed)

    def component(self, name: str) -> Component:
        """The component of that name.

        Raises:
            InputError: if there is none.
        """
        for component in self:
            if component.name == name:
                return component
        raise InputError(
            f"`name` must be a component of the result. Got {name}. Choose one of {', '.join(c.name for c in self)}."
        )

    def layer_maps(self, layer: str) -> ComponentMaps:
        """The maps of a layer.

        Raises:
            InputError: for a layer that was not looked at.
        """
        for maps in self.maps:
            if maps.layer == layer:
                return maps
        layers = ", ".join(maps.layer for maps in self.maps)
        raise InputError(f"`layer` must be one of {layers}. Got {layer}. Choose one of them.")

    def examples(self, name: str, most: int = 6) -> tuple[ComponentExample, ...]:
        """The clips that have most of a component, of those that it was not found in, with its map.

        Args:
            name: of the component.
            most: how many at most.
        """
        component = self.component(name)
        maps, presences = self.layer_maps(component.layer), self.presences[name]
        # clips that found it would show what it was fitted to
        confirming = [clip for clip in maps.clips if self.clips[clip].half == "confirm"]
        ranked = sorted(confirming, key=lambda clip: -presences[clip])[:most]
        return tuple(
            ComponentExample(
                clip=self.clips[clip], presence=float(presences[clip]), heat=maps.of(component.number, clip)
            )
            for clip in ranked
        )

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same result with other names for some components.

        Args:
            names: new names by old ones.

        Raises:
            InputError: for an unknown component, or two of one name.
        """
        for old in names:
            self.component(old)
        chosen = [names.get(component.name, component.name) for component in self]
        if len(set(chosen)) < len(chosen):
            raise InputError(f"`names` must be distinct. Got {', '.join(names.values())}. Choose other names.")
        components = tuple(replace(each, name=name) for each, name in zip(self.components, chosen, strict=True))
        return replace(
            self,
            components=components,
            names={names.get(name, name): suggestions for name, suggestions in self.names.items()},
            explained=self.explained.renamed(names),
            presences={names.get(name, name): values for name, values in self.presences.items()},
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a component."""
        return pd.DataFrame([asdict(each) for each in self.components], columns=[f.name for f in fields(Component)])

    def presence_frame(self) -> pd.DataFrame:
        """One row a clip, with a column for the presence of each component."""
        rows = pd.DataFrame([asdict(clip) for clip in self.clips], columns=[f.name for f in fields(DiscoveredClip)])
        return rows.assign(**self.presences)

    def sentences(self) -> tuple[str, ...]:
        """What was confirmed, in plain words, one sentence for each component that was, names, and how much they explain."""
        unit = units(self.against)
        return (
            headline(self.components, self.target),
            *(component_sentence(each, self.target, unit) for each in self.confirmed),
            *(suggestion_sentence(name, suggestions) for name, suggestions in self.names.items()),
            *([self.explained.sentence()] if self.confirmed else []),
        )

    def plot(self) -> "Figure":
        """Slopes and removals of components with intervals, as a matplotlib figure; filled where that test confirms.

        Raises:
            InputError: if no component has an effect.
        """
        return draw("components_figure", self)

    def summary(self) -> str:
        """Plain sentences, then what to beware of."""
        return PlainText("\n".join([*self.sentences(), *(f"Caution: {text}" for text in self.warnings)]))

    def __repr__(self) -> str:
        layers = len({component.layer for component in self})
        return (
            f"<DiscoveryResult for {self.target!r}: {len(self.confirmed)} of {len(self)} components confirmed, "
            f"{layers} layers>"
        )

    def _repr_html_(self) -> str:
        columns = ("component", "kind", f"slope, {units(self.against)}", "95 %", "taken out", "adjusted p", "confirmed")
        rows = [
            (
                each.name,
                each.kind,
                *effect_text(each),
                "–" if math.isnan(each.removed) else signed(each.removed),
                p_text(each.p_adjusted),
                f"by {each.confirmed_by}" if each.confirmed else "no",
            )
            for each in self.components
        ]
        return (
            html_heading(f"What {self.target} relies on")
            + html_list(self.sentences())
            + html_table(columns, rows, numbers=columns[2:6])
            + html_list(self.warnings, prefix="⚠ ")
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file; without maps."""
        facts = {name: getattr(self, name) for name in ("target", "against", "at", "method", "alpha")}
        return {
            "provenance": {**self.provenance, "seconds": dict(self.seconds)},
            **facts,
            "warnings": list(self.warnings),
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "components": [asdict(component) for component in self.components],
            "suggested_names": {name: asdict(suggestions) for name, suggestions in self.names.items()},
            "explained": self.explained.to_dict(),
            "clips": [asdict(clip) for clip in self.clips],
            "presences": {name: values.tolist() for name, values in self.presences.items()},
        }

    def to_json(self, path: str | Path) -> None:
        """Write everything but the maps as JSON."""
        write_json(Path(path), self.to_dict())
