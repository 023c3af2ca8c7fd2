"""The concept map: where and when in a clip a concept raised the target (gradient ⊙ CAV at each position)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, mapped_axes
from video_tcav.core.errors import MethodError, ShapeError
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_gradients
from video_tcav.models.targets import Target
from video_tcav.recording.settings import Space


@dataclass(frozen=True, kw_only=True)
class ConceptMap(Method):
    """Where and when a concept raised the target, by CAVs of flat layers.

    Over all positions the map adds up to the directional derivative, but for class tokens, which have no position.

    Attributes:
        cavs: by layer, one unit vector in the feature space `flatten`, towards the concept: as long as the layer's
            output for one clip, in its order.
    """

    name: ClassVar[str] = "concept"
    help: ClassVar[str] = "Gradient × CAV at each position: where a concept raised the target"
    cavs: Mapping[str, Float[Tensor, " feature"]]

    def __post_init__(self) -> None:
        if not self.cavs:
            raise MethodError("`cavs` must hold a CAV at least. Got none. Learn one from concept and random clips.")

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """One forward and one backward serve all layers."""
        axes = mapped_axes(model, tuple(self.cavs), clips)
        recorded = record_gradients(model, tuple(axes), clips, target)
        maps = {}
        for name, layer in axes.items():
            gradients = layer.per_clip(recorded.layers[name])
            vector = torch.as_tensor(self.cavs[name]).to(gradients)
            check_cav_length(vector, name, gradients[0].numel())
            products = gradients * vector.reshape(gradients.shape[1:])
            # `positions` reads the raw output, which in a frame-wise network has clip and time in one dimension.
            maps[name] = layer.positions(products.reshape(recorded.layers[name].shape)).sum(-1)
        advance(len(clips))
        return LayerMaps(layers=maps, target=recorded.target)


def check_cav_length(cav: Float[Tensor, " feature"], layer: str, values: int, space: Space = "flatten") -> None:
    """Refuse a CAV that does not fit the layer's output for one clip, which has so many values in the feature space."""
    if cav.numel() != values:
        raise ShapeError(
            f"`cavs` must fit the clips. Got {cav.numel()} values at {layer}, where a clip gives {values}. Learn the CAV with"
            f" the feature space {space} and the same --frames and --size."
        )
