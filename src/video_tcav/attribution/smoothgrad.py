"""SmoothGrad: the gradient, averaged over noisy copies of the clip."""

from dataclasses import dataclass
from typing import ClassVar

import captum.attr
import torch
from torch import Tensor

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, batch_of, clip_shape
from video_tcav.attribution.perturbation import ClipMethod, channel_dim, chunks, scalar_of
from video_tcav.core.checks import require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(ClipMethod):
    """SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825), signed.

    It says where brighter pixels would raise the target, in units of the target per standard deviation of the colour.

    Attributes:
        samples: noisy copies; each costs a forward and a backward.
        noise: standard deviation of the noise, as a fraction of the range of the clip's values.
        seed: of the noise, which is the same for every clip.
    """

    name: ClassVar[str] = "smoothgrad"
    samples: int = 32
    noise: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.samples >= 1, "samples", "be at least 1", self.samples, "32 suffice as a rule.")
        require(self.noise >= 0, "noise", "not be negative", self.noise, "Give a fraction such as 0.15.")

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """As many copies at once as fit into memory."""
        # Captum's NoiseTunnel has no seed of its own: it draws from the global random state
        gradient_of = captum.attr.Saliency(scalar_of(model, target))
        generator = torch.Generator().manual_seed(self.seed)
        deviation = self.noise * (clip.max() - clip.min())
        total = torch.zeros_like(clip)
        for run in chunks(self.samples, batch_of(model, clip)):
            noise = torch.stack([self._draw(model, clip, generator) for _ in run])
            noisy = (clip.detach() + deviation * noise).requires_grad_()
            total += gradient_of.attribute(noisy, abs=False).sum(0, keepdim=True)
            advance(len(run) / self.samples)
        return (total / self.samples).sum(channel_dim(model))

    def _draw(self, model: VideoModel, clip: Clips, generator: torch.Generator) -> Tensor:
        """Noise for one copy; neither the batch, the device nor the layout decides what comes."""
        noise = torch.randn(3, *clip_shape(model, clip), generator=generator, dtype=clip.dtype)
        return noise.movedim(0, channel_dim(model) - 1).to(clip.device)
