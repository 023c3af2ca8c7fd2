"""The concept map: where and when in a clip a concept raised the target (METHOD: where and when)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, Found, Method, Positions, mapped_axes
from video_tcav.core.errors import MethodError, ShapeError
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.hooks import record_gradients
from video_tcav.models.targets import Target


def concept_map(gradients: Positions, cav: Float[Tensor, "time height width channel"]) -> Map:
    """Gradient ⊙ CAV at each position; over all positions it adds up to the directional derivative.

    Args:
        gradients: of the target by one layer.
        cav: unit vector of the same layer, at its positions, towards the concept.
    """
    return (gradients * cav).sum(-1)


@dataclass(frozen=True, kw_only=True)
class ConceptMap(Method):
    """Where and when a concept raised the target, by CAVs of flat layers.

    Attributes:
        cavs: by layer, one unit vector in the feature space `flatten`, towards the concept: as long as the layer's
            output for one clip, in its order.
    """

    name: ClassVar[str] = "concept"
    cavs: Mapping[str, Float[Tensor, " feature"]]

    def __post_init__(self) -> None:
        if not self.cavs:
            raise MethodError("`cavs` must hold a CAV at least. Got none. Learn one from concept and random clips.")

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """One forward and one backward serve all layers."""
        axes = mapped_axes(model, tuple(self.cavs), clips)
        recorded = record_gradients(model, tuple(axes), clips, target)
        layers = {
            name: concept_map(
                layer.positions(recorded.layers[name]), self._at_positions(name, layer, recorded.layers[name])
            )
            for name, layer in axes.items()
        }
        advance(len(clips))
        return Found(layers=layers, target=recorded.target)

    def _at_positions(self, name: str, axes: LayerAxes, gradient: Tensor) -> Float[Tensor, "time height width channel"]:
        """The CAV laid out as the layer is; the part at class tokens, which have no position, is left out."""
        one = axes.per_clip(gradient)[:1]
        vector = torch.as_tensor(self.cavs[name]).to(one)
        if vector.numel() != one.numel():
            raise ShapeError(
                f"`cavs` must fit the clips. Got {vector.numel()} values at {name}, where a clip gives {one.numel()}."
                " Learn the CAV with the feature space flatten and the same --frames and --size."
            )
        shaped = vector.reshape(one.shape)
        return axes.positions(shaped.flatten(0, 1) if axes.fold > 1 else shaped)[0]
