"""Signed attribution maps over time, height and width, on a layer's own grid and on the clip's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import EmptyMapError, LayerNotFoundError
from video_tcav.models.axes.spacing import Spacing, Spacings, even_spacing
from video_tcav.models.devices import where_float64

Map = Float[Tensor, "clip time height width"]
# The layer name of methods that attribute to pixels and look at no layer.
INPUT = "input"


@dataclass(frozen=True, kw_only=True, eq=False)
class MapSum:
    """What maps at one layer add up to, over all of its positions and class tokens.

    Attributes:
        total: the amount that is divided among positions, measured by itself, in units of the target.
        unplaced: the share of class tokens, which have no position and are not on the map; it is part of the sum.
        gap: how far the sum is from `total`, as a share of it; where `total` is within rounding, as a share of what rounding
            resolves.
    """

    MOST_GAP: ClassVar[float] = 0.01  # a larger one is said

    total: Float[Tensor, " clip"]
    unplaced: Float[Tensor, " clip"]
    gap: Float[Tensor, " clip"]

    @classmethod
    def joined(cls, sums: "Sequence[MapSum]") -> "MapSum":
        """Those of several batches, on the CPU."""
        columns = {each.name: [getattr(batch, each.name) for batch in sums] for each in fields(cls)}
        return cls(**{name: torch.cat(values).cpu() for name, values in columns.items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class AttributionMap:
    """Where and when clips raised the target (positive) and lowered it (negative).

    Attributes:
        method: its name, as in `METHODS`.
        layers: by layer, the map at that layer's own positions; `input` for methods that look at pixels.
        clip_shape: `(time, height, width)` of the clips as the model took them.
        target: value of the target, one a clip.
        spacings: by layer, where its positions lie in the clip; evenly if not given.
        sums: by layer, what the map adds up to at the layer's own positions, of methods that know it.
    """

    method: str
    layers: Mapping[str, Map]
    clip_shape: tuple[int, int, int]
    target: Float[Tensor, " clip"]
    spacings: Mapping[str, Spacings] = field(default_factory=dict)
    sums: Mapping[str, MapSum] = field(default_factory=dict)

    def values(self, layer: str | None = None) -> Map:
        """The signed map on the clip's own frames and pixels.

        Args:
            layer: which one; if not given, the only one, or the average of all, each scaled to a largest value of one.

        Raises:
            LayerNotFoundError: for a layer that the method did not look at.
        """
        if layer is None and len(self.layers) > 1:
            # Layers differ in scale by orders of magnitude: unscaled, the average would be the map of one of them.
            return torch.stack([scaled(self.values(name)) for name in self.layers]).mean(0)
        name = next(iter(self.layers)) if layer is None else layer
        if name not in self.layers:
            raise LayerNotFoundError(
                f"`layer` must be one of {', '.join(self.layers)}. Got {name!r}. Ask the method for that layer."
            )
        return to_clip(self.layers[name], self.clip_shape, self.spacings.get(name))

    def saliency(self, layer: str | None = None) -> Map:
        """The positive part of the map, which raises the target, on the clip's own frames and pixels.

        Args:
            layer: as for `values`.

        Raises:
            EmptyMapError: if nothing in a clip raises the target.
        """
        positive = self.values(layer).clamp(min=0)
        empty = [number for number, clip_map in enumerate(positive) if not bool(clip_map.any())]
        if empty:
            raise EmptyMapError(
                f"`{self.method}` must find something that raises the target. Got a map that is negative everywhere,"
                f" for clip {empty[0]} of {len(positive)}. Look at the signed map, another layer, or another target."
            )
        return positive

    def time_profile(self, layer: str) -> tuple[Float[np.ndarray, "clip step"], Float[np.ndarray, " step"]]:
        """Sums over height and width at each time of a layer, and the frame, fractional, in whose middle each time lies."""
        sums = where_float64(self.layers[layer]).double().sum((2, 3)).cpu().numpy()
        steps, frames = sums.shape[1], self.clip_shape[0]
        spacing = self.spacings[layer][0] if layer in self.spacings else even_spacing(steps, frames)
        return sums, spacing.first + np.arange(steps) * spacing.step


def to_clip(maps: Map, clip_shape: tuple[int, int, int], spacings: Spacings | None = None) -> Map:
    """Enlarge maps of any grid to the clip's own frames and pixels, linearly between the middles of the grid's cells.

    `spacings` says where the middles lie; cells are equal shares of the clip if not given.
    """
    for dim, length in enumerate(clip_shape, start=1):
        positions = maps.shape[dim]
        spacing = even_spacing(positions, length) if spacings is None else spacings[dim - 1]
        if positions != length or spacing != even_spacing(positions, length):
            # One matrix product an axis: `F.interpolate` knows even spacing alone.
            weights = _linear_weights(positions, length, spacing).to(maps.dtype).to(maps.device)
            maps = (maps.movedim(dim, -1) @ weights).movedim(-1, dim)
    return maps


def _linear_weights(positions: int, length: int, spacing: Spacing) -> Float[Tensor, "position length"]:
    """How much each position counts for each frame or pixel; beyond the outermost middles, the outermost alone."""
    fractional = ((torch.arange(length, dtype=torch.float64) - spacing.first) / spacing.step).clamp(0, positions - 1)
    distance = (fractional - torch.arange(positions, dtype=torch.float64)[:, None]).abs()
    return (1 - distance).clamp(min=0)  # a triangle of half width one around each position


def scaled(maps: Map) -> Map:
    """Each clip's map with a largest absolute value of one; a map of zeros stays as it is."""
    largest = maps.abs().amax((1, 2, 3), keepdim=True)
    return maps / torch.where(largest > 0, largest, torch.ones_like(largest))
