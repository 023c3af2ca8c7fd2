"""The grid of positions that components of a layer live on: the layer's own, coarsened where it is fine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.models import LayerAxes, VideoModel, layer_axes
from video_tcav.models.axes.spacing import Spacing, Spacings, layer_spacings
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip, noise_clip_shape

MOST_POSITIONS = (8, 14, 14)
"""In time, height and width: what a person can tell apart on a clip, and 0.4 MB a clip at 64 channels."""


@dataclass(frozen=True, kw_only=True)
class LayerGrid:
    """How a layer's whole output becomes a grid of positions.

    Attributes:
        layer: dotted module name.
        axes: of its output.
        shape: of its output for one clip.
        factors: positions of the layer in time, height and width that make one of the grid.
        size: positions of the grid in time, height and width.
        clip_shape: `(time, height, width)` of the clips.
        layer_spacings: where the layer's own positions lie in the clip.
    """

    layer: str
    axes: LayerAxes
    shape: tuple[int, ...]
    factors: tuple[int, int, int]
    size: tuple[int, int, int]
    clip_shape: tuple[int, int, int]
    layer_spacings: Spacings

    @property
    def spacings(self) -> Spacings:
        """Where positions of the grid lie: the first in the middle of those that it is made of."""
        return tuple(
            Spacing(first=axis.first + (factor - 1) / 2 * axis.step, step=factor * axis.step)
            for axis, factor in zip(self.layer_spacings, self.factors, strict=True)
        )

    @property
    def width(self) -> int:
        """Values of a layer's whole output for one clip."""
        return math.prod(self.shape)

    @property
    def is_whole(self) -> bool:
        """Whether positions of the grid are all that the layer's output has: none is an average, and no token has no position."""
        return self.factors == (1, 1, 1) and math.prod(self.positions(torch.empty(1, self.width)).shape) == self.width

    def native(self, rows: Float[Tensor, "clip value"]) -> Float[Tensor, "row ..."]:
        """Whole outputs as the network has them, from one row a clip."""
        # frames that a layer folds into its first axis lie behind each other, clip by clip
        return rows.reshape(len(rows) * self.shape[0], *self.shape[1:])

    def positions(self, rows: Float[Tensor, "clip value"]) -> Float[Tensor, "clip time height width channel"]:
        """Activations averaged over the positions that make one of the grid."""
        positions = self.axes.positions(self.native(rows))
        if self.factors == (1, 1, 1):
            return positions
        first = positions.movedim(-1, 1)  # average pooling wants channels first
        # a last, smaller cell is the mean of what there is
        pooled = torch.nn.functional.avg_pool3d(first, self.factors, ceil_mode=True, count_include_pad=False)
        return pooled.movedim(1, -1)

    def spread(self, positions: Float[Tensor, "clip time height width channel"]) -> Float[Tensor, "clip value"]:
        """Whole outputs with these values: copied to all that `positions` averages, 0 at tokens without a position."""
        output = positions.new_zeros((len(positions), self.width), requires_grad=True)
        with torch.enable_grad():
            means = self.positions(output)
        # the transpose of a mean shares a value out, whatever the layout; that of ones says among how many
        shared, shares = (
            torch.autograd.grad(means, output, values, retain_graph=True)[0]
            for values in (positions, torch.ones_like(positions))
        )
        return torch.where(shares > 0, shared / shares, shared)


def layer_grids(model: VideoModel, layers: tuple[str, ...]) -> dict[str, LayerGrid]:
    """The grid of each layer.

    Raises:
        AxesError: for a layer without positions, or whose axes are not clear.
    """
    axes = {layer: layer_axes(model, layer) for layer in layers}
    for layer, layer_axis in axes.items():
        if not layer_axis.has_positions:
            raise AxesError(
                f"`layers` must have time and place. Got {layer} with axes ({', '.join(layer_axis.dims)}). Choose a layer "
                "before the pooling."
            )
    shapes = trace_layers(model, layers, noise_clip(model).to(model.device)).shapes
    spacings, clip_shape = layer_spacings(model, axes), noise_clip_shape(model.clip_spec)
    grids = {}
    for layer in layers:
        sizes = axes[layer].positions(torch.empty(shapes[layer])).shape[1:4]
        time, height, width = (_coarsened(size, most) for size, most in zip(sizes, MOST_POSITIONS, strict=True))
        grids[layer] = LayerGrid(
            layer=layer,
            axes=axes[layer],
            shape=shapes[layer],
            factors=(time[0], height[0], width[0]),
            size=(time[1], height[1], width[1]),
            clip_shape=clip_shape,
            layer_spacings=spacings[layer],
        )
    return grids


def kept_beside_grids(grids: Mapping[str, LayerGrid], layers: Sequence[str]) -> tuple[str, ...]:
    """Those of some layers whose whole outputs must be kept to run the rest of the network from: their grids lack values."""
    return tuple(layer for layer in layers if not grids[layer].is_whole)


def _coarsened(size: int, most: int) -> tuple[int, int]:
    """How many positions of an axis make one, so that there are at most so many; and how many there are."""
    factor = -(-size // most)  # rounded up
    return factor, -(-size // factor)
