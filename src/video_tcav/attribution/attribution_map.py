"""What every method of attribution gives: signed maps over time, height and width."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import EmptyMapError, LayerNotFoundError
from video_tcav.models.axes.spacing import Spacing, Spacings, even_spacing

Map = Float[Tensor, "clip time height width"]
INPUT = "input"
"""Where methods look that need no layer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AttributionMap:
    """Where and when clips spoke for the target (positive) and against it (negative).

    Attributes:
        method: its name, as `METHODS` knows it.
        layers: by layer, the map at that layer's own positions; `input` for methods that look at pixels.
        clip_shape: `(time, height, width)` of the clips as the model took them.
        target: value of the target, one a clip.
        spacings: by layer, where its positions lie in the clip; evenly where nothing is said.
    """

    method: str
    layers: Mapping[str, Map]
    clip_shape: tuple[int, int, int]
    target: Float[Tensor, " clip"]
    spacings: Mapping[str, Spacings] = field(default_factory=dict)

    def values(self, layer: str | None = None) -> Map:
        """The signed map on the clip's own frames and pixels.

        Args:
            layer: which one; if not given, the only one, or the average of all, each scaled to a largest value of one.

        Raises:
            LayerNotFoundError: for a layer that was not looked at.
        """
        if layer is None and len(self.layers) > 1:
            return torch.stack([scaled(self.values(name)) for name in self.layers]).mean(0)
        name = next(iter(self.layers)) if layer is None else layer
        if name not in self.layers:
            raise LayerNotFoundError(
                f"`layer` must be one of {', '.join(self.layers)}. Got {name!r}. Ask the method for that layer."
            )
        return to_clip(self.layers[name], self.clip_shape, self.spacings.get(name))

    def saliency(self, layer: str | None = None) -> Map:
        """What speaks for the target alone, non-negative, on the clip's own frames and pixels.

        Args:
            layer: as for `values`.

        Raises:
            EmptyMapError: if nothing in a clip speaks for the target.
        """
        found = self.values(layer).clamp(min=0)
        empty = [number for number, one in enumerate(found) if not bool(one.any())]
        if empty:
            raise EmptyMapError(
                f"`{self.method}` must find something that speaks for the target. Got a map that is negative everywhere,"
                f" for clip {empty[0]} of {len(found)}. Look at the signed map, another layer, or another target."
            )
        return found


def to_clip(found: Map, clip_shape: tuple[int, int, int], spacings: Spacings | None = None) -> Map:
    """A map of any grid on the clip's own frames and pixels, linear between the middles of its cells.

    Args:
        found: at a layer's positions.
        clip_shape: `(time, height, width)`.
        spacings: where the middles lie; those of equal shares if not given.
    """
    for dim, length in enumerate(clip_shape, start=1):
        count = found.shape[dim]
        spacing = even_spacing(count, length) if spacings is None else spacings[dim - 1]
        if count != length or spacing != even_spacing(count, length):
            weights = _linear(count, length, spacing).to(found)
            found = (found.movedim(dim, -1) @ weights).movedim(-1, dim)
    return found


def _linear(count: int, length: int, spacing: Spacing) -> Float[Tensor, "count length"]:
    """How much each position counts for each frame or pixel; beyond the outermost middles, the outermost alone."""
    places = ((torch.arange(length, dtype=torch.float64) - spacing.first) / spacing.step).clamp(0, count - 1)
    distance = (places - torch.arange(count, dtype=torch.float64)[:, None]).abs()
    return (1 - distance).clamp(min=0)


def scaled(found: Map) -> Map:
    """Each clip's map with a largest absolute value of one; a map of zeros stays as it is."""
    largest = found.abs().amax((1, 2, 3), keepdim=True)
    return found / torch.where(largest > 0, largest, torch.ones_like(largest))
