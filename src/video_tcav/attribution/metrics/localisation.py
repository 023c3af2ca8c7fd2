"""Pointing game and ROC AUC: does a map lie where the cause is known to be?"""

import math

import torch
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import Map
from video_tcav.core.errors import ShapeError

Mask = Bool[Tensor, "clip time height width"]
PerClip = Float[Tensor, " clip"]


def energy_inside(maps: Map, mask: Mask) -> PerClip:
    """The share of the positive values that lies inside a mask, in [0, 1]; NaN where a map has none.

    Args:
        maps: signed, one a clip.
        mask: where the cause is known to be.

    Source:
        Wang et al. 2020, arXiv:1910.01279, section 4.3 (energy-based pointing game).
    """
    _check_mask(maps, mask)
    positive = maps.clamp(min=0)
    return (positive * mask).sum((1, 2, 3)) / positive.sum((1, 2, 3))


def lift(maps: Map, mask: Mask) -> PerClip:
    """How many times more of a map lies inside a mask than if it were spread evenly; NaN where the mask is empty."""
    return energy_inside(maps, mask) / mask.float().mean((1, 2, 3))


def pointing(maps: Map, mask: Mask, tolerance_px: int = 0) -> PerClip:
    """Whether the largest value of a map falls inside a mask, 0 or 1; where several are as large, the share that does.

    Args:
        maps: see `energy_inside`.
        mask: see `energy_inside`.
        tolerance_px: so far beside it, in the same frame, still counts.

    Source:
        Zhang et al. 2018, arXiv:1608.00507, section 4.2 (pointing game).
    """
    _check_mask(maps, mask)
    largest = maps == maps.amax((1, 2, 3), keepdim=True)
    # Ties count in part: a flat map would otherwise hit every mask.
    return (largest & dilated(mask, tolerance_px)).sum((1, 2, 3)) / largest.sum((1, 2, 3))


def auc_inside(maps: Map, mask: Mask) -> PerClip:
    """How often a voxel inside a mask has a larger value than one outside (ROC AUC), ties by half; NaN where one is missing.

    Args:
        maps: see `energy_inside`; only the order of their values counts.
        mask: see `energy_inside`.
    """
    _check_mask(maps, mask)
    areas = [
        roc_auc_score(inside, values) if 0 < inside.sum() < inside.size else math.nan
        for values, inside in zip(maps.flatten(1).cpu().numpy(), mask.flatten(1).cpu().numpy(), strict=True)
    ]
    return torch.tensor(areas, dtype=torch.float64)


def dilated(mask: Mask, radius_px: int) -> Mask:
    """A mask with all that is at most so far from it, to each side and diagonally, in the same frame."""
    size = 2 * radius_px + 1
    # Time stands where `max_pool2d` has channels, which it leaves apart.
    return F.max_pool2d(mask.float(), kernel_size=size, stride=1, padding=radius_px) > 0


def _check_mask(maps: Map, mask: Mask) -> None:
    if maps.shape != mask.shape:
        raise ShapeError(
            f"`mask` must have the shape of the maps, {tuple(maps.shape)}. Got {tuple(mask.shape)}."
            " Give one mask a clip, on the clip's own grid."
        )
