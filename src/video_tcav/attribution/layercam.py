"""LayerCAM: activation times positive gradient at each position."""

from dataclasses import dataclass
from typing import ClassVar

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import LayerMethod, Positions


def layer_cam(activations: Positions, gradients: Positions) -> Map:
    """Sum over channels of activation × positive gradient.

    Args:
        activations: of one layer.
        gradients: of the target by them.

    Source:
        Jiang et al. 2021, doi:10.1109/TIP.2021.3089943, equations 6 and 7.
    """
    return (activations * gradients.clamp(min=0)).sum(-1)


@dataclass(frozen=True, kw_only=True)
class LayerCAM(LayerMethod):
    """LayerCAM (Jiang et al. 2021)."""

    name: ClassVar[str] = "layercam"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """See `layer_cam`."""
        return layer_cam(activations, gradients)
