"""XGrad-CAM: gradients weighted by each position's share of the activation."""

from dataclasses import dataclass
from typing import ClassVar

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import LayerMethod, Positions

_EPSILON = 1e-7


def x_grad_cam(activations: Positions, gradients: Positions) -> Map:
    """Sum of the channels, weighted by gradient × activation, relative to the channel's whole activation.

    Args:
        activations: of one layer.
        gradients: of the target by them.

    Source:
        Fu et al. 2020, arXiv:2008.02312, equation 8.
    """
    whole = activations.sum((1, 2, 3), keepdim=True)
    weights = (gradients * activations).sum((1, 2, 3), keepdim=True) / (whole + _EPSILON)
    return (activations * weights).sum(-1)


@dataclass(frozen=True, kw_only=True)
class XGradCAM(LayerMethod):
    """XGrad-CAM (Fu et al. 2020, arXiv:2008.02312)."""

    name: ClassVar[str] = "xgradcam"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """See `x_grad_cam`."""
        return x_grad_cam(activations, gradients)
