"""Input × gradient: what each pixel gives to the first order."""

from dataclasses import dataclass
from typing import ClassVar

import captum.attr

from video_tcav.attribution.attribution_map import INPUT
from video_tcav.attribution.method import Advance, Clips, Found, Method
from video_tcav.attribution.perturbation import channel_dim, scalar_of, target_values
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True)
class InputXGradient(Method):
    """Input × gradient (Shrikumar et al. 2016, arXiv:1605.01713), by Captum; a pixel of the average colour gives nothing."""

    name: ClassVar[str] = "inputxgradient"

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> Found:
        """One forward and one backward for all clips, and one forward for the target."""
        leaf = clips.detach().clone().requires_grad_()
        found = captum.attr.InputXGradient(scalar_of(model, target)).attribute(leaf).detach()
        values = target_values(model, [clips], target)
        advance(len(clips))
        return Found(layers={INPUT: found.sum(channel_dim(model))}, target=values)
