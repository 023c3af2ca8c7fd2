"""Grad-CAM: channels weighted by their average gradient."""

from dataclasses import dataclass
from typing import ClassVar

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import LayerMethod, Positions


def grad_cam(activations: Positions, gradients: Positions) -> Map:
    """Sum of the channels, each weighted by the mean of its gradient over time, height and width; signed.

    Args:
        activations: of one layer.
        gradients: of the target by them.

    Source:
        Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2, before the ReLU (`AttributionMap.saliency`).
    """
    weights = gradients.mean((1, 2, 3), keepdim=True)
    return (activations * weights).sum(-1)


@dataclass(frozen=True, kw_only=True)
class GradCAM(LayerMethod):
    """Grad-CAM over space and time (Selvaraju et al. 2017, arXiv:1610.02391)."""

    name: ClassVar[str] = "gradcam"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """See `grad_cam`."""
        return grad_cam(activations, gradients)
