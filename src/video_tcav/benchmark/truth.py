"""Masks of the true cause of a rendered model, and the map that lies on it."""

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.metrics.localisation import Mask, dilated
from video_tcav.attribution.perturbation import Baseline
from video_tcav.rendered import RenderedClip, Rule

# What deleted voxels are replaced by: a blurred scene would still be that scene, and grey that comes and goes is a motion.
BASELINES: dict[str, Baseline] = {"motion": "blur", "order": "blur", "object": "grey", "scene": "grey"}
# Half the stride of the networks' first layer, which is the precision that a map can have.
DILATION_PX = 2
_NEAR_PX = 9  # over which nearness to the cause is averaged: about two strides of the first layer


def true_cause(rule: Rule, rendered: RenderedClip) -> Bool[Tensor, "time height width"]:
    """Mask of the cause of a rule in a clip.

    Args:
        rule: its cause.
        rendered: a clip with its truth.

    Returns:
        For motion, and its order, all that moves: the figure and what it holds. For an object, the object and two pixels
        around it, as the networks see four at a time. For a scene, all that is neither.
    """
    moving = rendered.mask("figure") | rendered.mask("object")
    if rule.cause == "object":
        return dilated(rendered.mask("object")[None], DILATION_PX)[0]
    return ~moving if rule.cause == "scene" else moving


def truth_maps(cause: Mask) -> Map:
    """A map of the cause itself, the best that any method could give: its middle first, far voxels last."""
    near = F.avg_pool2d(cause.float(), _NEAR_PX, stride=1, padding=_NEAR_PX // 2)
    return torch.where(cause, near, near - 1)
