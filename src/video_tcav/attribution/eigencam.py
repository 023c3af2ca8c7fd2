"""EigenCAM: what the layer's channels have most in common; it asks for no class."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, Found, Method, Positions, mapped_axes, read_layers
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


def eigen_cam(activations: Positions) -> Map:
    """Each position's place on the first principal component of the clip's activations.

    The sign of a principal component means nothing; the end that lies further out is taken to be the positive one.

    Args:
        activations: of one layer.

    Source:
        Muhammad and Yeasin 2020, arXiv:2008.00299, equation 4, on centred activations.
    """
    rows = activations.flatten(1, 3)
    centred = rows - rows.mean(1, keepdim=True)
    # the leading left vector times its value, from whichever side is smaller: both have the same leading value
    _, _, right = torch.linalg.svd(centred, full_matrices=False)
    projected = (centred @ right[:, :1].mT)[..., 0]
    flip = projected.amax(1) < -projected.amin(1)
    signed = torch.where(flip[:, None], -projected, projected)
    return signed.unflatten(1, activations.shape[1:4])


@dataclass(frozen=True, kw_only=True)
class EigenCAM(Method):
    """EigenCAM (Muhammad and Yeasin 2020, arXiv:2008.00299); the same map for every class.

    Attributes:
        layers: dotted module names; the deepest of the model's stages if not given.
    """

    name: ClassVar[str] = "eigencam"
    layers: tuple[str, ...] | None = None

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """One forward serves all layers."""
        axes = mapped_axes(model, self.layers, clips)
        logits, activations = read_layers(model, axes, clips)
        advance(len(clips))
        return Found(layers={name: eigen_cam(one) for name, one in activations.items()}, target=target(logits))
