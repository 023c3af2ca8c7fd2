"""Does a map lie where the cause is known to be? The pointing game, by energy and by the largest value."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import Map
from video_tcav.core.errors import ShapeError

Mask = Bool[Tensor, "clip time height width"]
PerClip = Float[Tensor, " clip"]


def energy_inside(found: Map, mask: Mask) -> PerClip:
    """The share of what speaks for the target that lies inside a mask, in [0, 1]; NaN where nothing speaks for it.

    Args:
        found: signed maps; only what is positive counts.
        mask: where the cause is known to be.

    Source:
        Wang et al. 2020, arXiv:1910.01279, section 4.3 (energy-based pointing game).
    """
    _check_mask(found, mask)
    positive = found.clamp(min=0)
    return (positive * mask).sum((1, 2, 3)) / positive.sum((1, 2, 3))


def lift(found: Map, mask: Mask) -> PerClip:
    """How many times more of a map lies inside a mask than if it were spread evenly; NaN where the mask is empty.

    Args:
        found: signed maps.
        mask: where the cause is known to be.
    """
    return energy_inside(found, mask) / mask.float().mean((1, 2, 3))


def pointing(found: Map, mask: Mask, tolerance_px: int = 0) -> PerClip:
    """Whether the largest value of a map falls inside a mask, 0 or 1; where several are as large, the share that does.

    Args:
        found: signed maps.
        mask: where the cause is known to be.
        tolerance_px: so far beside it, in the same frame, still counts.

    Source:
        Zhang et al. 2018, arXiv:1608.00507, section 4.2 (pointing game).
    """
    _check_mask(found, mask)
    largest = found == found.amax((1, 2, 3), keepdim=True)
    return (largest & dilated(mask, tolerance_px)).sum((1, 2, 3)) / largest.sum((1, 2, 3))


def dilated(mask: Mask, radius_px: int) -> Mask:
    """A mask with all that is at most so far from it, to each side and diagonally, in the same frame."""
    size = 2 * radius_px + 1
    return F.max_pool2d(mask.float(), kernel_size=size, stride=1, padding=radius_px) > 0


def _check_mask(found: Map, mask: Mask) -> None:
    if found.shape != mask.shape:
        raise ShapeError(
            f"`mask` must have the shape of the maps, {tuple(found.shape)}. Got {tuple(mask.shape)}."
            " Give one mask a clip, on the clip's own grid."
        )
