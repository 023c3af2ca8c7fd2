"""HiResCAM: activation times gradient at each position, with no averaging before."""

from dataclasses import dataclass
from typing import ClassVar

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import LayerMethod, Positions


def hires_cam(activations: Positions, gradients: Positions) -> Map:
    """Sum over channels of activation × gradient; where the head is linear behind the layer, exactly what each position gave.

    Args:
        activations: of one layer.
        gradients: of the target by them.

    Source:
        Draelos and Carin 2020, arXiv:2011.08891, equation 4.
    """
    return (activations * gradients).sum(-1)


@dataclass(frozen=True, kw_only=True)
class HiResCAM(LayerMethod):
    """HiResCAM (Draelos and Carin 2020, arXiv:2011.08891)."""

    name: ClassVar[str] = "hirescam"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """See `hires_cam`."""
        return hires_cam(activations, gradients)
