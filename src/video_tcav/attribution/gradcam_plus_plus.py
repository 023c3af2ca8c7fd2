"""Grad-CAM++: gradients weighted by how often a channel fires, so that several objects count."""

from dataclasses import dataclass
from typing import ClassVar

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import LayerMethod, Positions

_EPSILON = 1e-6


def grad_cam_plus_plus(activations: Positions, gradients: Positions) -> Map:
    """Sum of the channels, weighted by their positive gradients, each position by the closed-form coefficient of the paper.

    Args:
        activations: of one layer.
        gradients: of the target by them.

    Source:
        Chattopadhyay et al. 2018, arXiv:1710.11063, equation 19, for a target behind an exponential.
    """
    squared, cubed = gradients**2, gradients**3
    share = squared / (2 * squared + activations.sum((1, 2, 3), keepdim=True) * cubed + _EPSILON)
    weights = (share * gradients.clamp(min=0)).sum((1, 2, 3), keepdim=True)
    return (activations * weights).sum(-1)


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(LayerMethod):
    """Grad-CAM++ (Chattopadhyay et al. 2018, arXiv:1710.11063)."""

    name: ClassVar[str] = "gradcam++"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """See `grad_cam_plus_plus`."""
        return grad_cam_plus_plus(activations, gradients)
