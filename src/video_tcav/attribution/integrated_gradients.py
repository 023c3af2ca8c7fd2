"""Integrated gradients: what each pixel gives on the way from a baseline to the clip."""

from dataclasses import dataclass
from typing import ClassVar

import captum.attr
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import INPUT, AttributionMap, Map
from video_tcav.attribution.method import Advance, Clips, batch_of
from video_tcav.attribution.perturbation import (
    Baseline,
    ClipMethod,
    baseline_clips,
    channel_dim,
    check_baseline,
    scalar_of,
    target_values,
)
from video_tcav.core.checks import require
from video_tcav.models import VideoModel
from video_tcav.models.hooks import untouched
from video_tcav.models.targets import Target


def completeness_gap(
    model: VideoModel, clips: Clips, found: AttributionMap, *, target: Target, baseline: Baseline = "grey"
) -> Float[Tensor, " clip"]:
    """By how much the sum of a map misses the change of the target that it accounts for, in units of the target.

    Args:
        model: the one that the map is of.
        clips: the prepared clips that the map is of.
        found: by `IntegratedGradients`.
        target: the one it was asked for.
        baseline: the one it was asked for.

    Returns:
        Sum of the map, less target(clip) - target(baseline), one a clip. Where it is not small beside that change, take
        more `steps`.

    Source:
        Sundararajan et al. 2017, arXiv:1703.01365, proposition 1.
    """
    clips = clips.to(device=model.device, dtype=model.dtype)
    instead = baseline_clips(model, clips, baseline)
    with untouched(model.module):
        at_baseline = target_values(model, instead.split(batch_of(model, clips)), target).cpu()
    return found.layers[INPUT].sum((1, 2, 3)) - (found.target - at_baseline)


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(ClipMethod):
    """Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), by Captum.

    The sum of the map is target(clip) - target(baseline), up to `completeness_gap`.

    Attributes:
        steps: points on the way, Gauss-Legendre; each costs a forward and a backward.
        baseline: where the way starts; `frozen` gives what motion adds to the middle frame.
    """

    name: ClassVar[str] = "ig"
    steps: int = 32
    baseline: Baseline = "grey"

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", "be at least 1", self.steps, "32 suffice as a rule.")
        check_baseline(self.baseline)

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """As many steps at once as fit into memory."""
        value = scalar_of(model, target)

        def value_and_tell(points: Clips) -> Float[Tensor, " clip"]:
            advance(len(points) / self.steps)
            return value(points)

        found = captum.attr.IntegratedGradients(value_and_tell).attribute(
            clip.detach(),
            baselines=baseline_clips(model, clip, self.baseline),
            n_steps=self.steps,
            internal_batch_size=batch_of(model, clip),
        )
        return found.detach().sum(channel_dim(model))
