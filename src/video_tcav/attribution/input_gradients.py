"""Attribution to pixels by gradients, with Captum: input × gradient, integrated gradients, SmoothGrad."""

from dataclasses import dataclass
from typing import ClassVar

import captum.attr
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import INPUT, Map
from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, batch_size, channel_dim, clip_shape
from video_tcav.attribution.perturbation import Baseline, ClipMethod, baseline_clips, chunks, scalar_of, target_values
from video_tcav.core.checks import at_least, require
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True)
class InputXGradient(Method):
    """Input × gradient: what each pixel adds to the target to first order; a pixel of the average colour adds nothing."""

    name: ClassVar[str] = "inputxgradient"
    help: ClassVar[str] = "Pixel × gradient: the target to first order"
    source: ClassVar[str] = "Shrikumar et al. 2016, arXiv:1605.01713"

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """One forward and one backward for all clips, and one forward for the target."""
        leaf = clips.detach().clone().requires_grad_()
        products = captum.attr.InputXGradient(scalar_of(model, target)).attribute(leaf).detach()
        values = target_values(model, [clips], target)  # Captum does not give the values of its own forward
        advance(len(clips))
        return LayerMaps(layers={INPUT: products.sum(channel_dim(model))}, target=values)


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(ClipMethod):
    """Integrated gradients: gradients averaged on the straight line from a baseline to the clip, times their difference.

    The sum of the map is target(clip) - target(baseline) (proposition 1); where the gap is large, take more `steps`.

    Attributes:
        steps: points on the line, Gauss-Legendre; each costs a forward and a backward.
        baseline: where the line starts; `frozen` gives what motion adds to the middle frame.
    """

    name: ClassVar[str] = "ig"
    help: ClassVar[str] = "Integrated gradients: adds up to the target's change from a baseline"
    source: ClassVar[str] = "Sundararajan et al. 2017, arXiv:1703.01365"
    steps: int = 32
    baseline: Baseline = "grey"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("steps", self.steps, 1, cure="32 suffice as a rule.")

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """As many steps at once as fit into memory."""
        value = scalar_of(model, target)

        def value_with_progress(points: Clips) -> Float[Tensor, " clip"]:
            advance(len(points) / self.steps)
            return value(points)

        products = captum.attr.IntegratedGradients(value_with_progress).attribute(
            clip.detach(),
            baselines=baseline_clips(model, clip, self.baseline),
            n_steps=self.steps,
            internal_batch_size=batch_size(model, clip),  # Captum would pass all steps at once
        )
        return products.detach().sum(channel_dim(model))


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(ClipMethod):
    """SmoothGrad, signed: the gradient, averaged over noisy copies of the clip.

    It says where brighter pixels would raise the target, in units of the target per standard deviation of the colour.

    Attributes:
        samples: noisy copies; each costs a forward and a backward.
        noise: standard deviation of the noise, as a fraction of the range of the clip's values.
        seed: of the noise, which is the same for every clip.
    """

    name: ClassVar[str] = "smoothgrad"
    help: ClassVar[str] = "Gradients averaged over noisy copies of the clip"
    source: ClassVar[str] = "Smilkov et al. 2017, arXiv:1706.03825"
    samples: int = 32
    noise: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("samples", self.samples, 1, cure="32 suffice as a rule.")
        require(self.noise >= 0, "noise", "not be negative", self.noise, "Give a fraction such as 0.15.")

    def explain(self, model: VideoModel, clip: Clips, target: Target, advance: Advance) -> Map:
        """As many copies at once as fit into memory."""
        # Captum's NoiseTunnel has no seed of its own: it draws from the global random state.
        gradient_of = captum.attr.Saliency(scalar_of(model, target))
        generator = torch.Generator().manual_seed(self.seed)
        deviation = self.noise * (clip.max() - clip.min())
        total = torch.zeros_like(clip)
        for batch in chunks(self.samples, batch_size(model, clip)):
            noise = torch.stack([self._draw(model, clip, generator) for _ in batch])
            noisy = (clip.detach() + deviation * noise).requires_grad_()
            # Captum's Saliency gives absolute values unless told otherwise.
            total += gradient_of.attribute(noisy, abs=False).sum(0, keepdim=True)
            advance(len(batch) / self.samples)
        return (total / self.samples).sum(channel_dim(model))

    def _draw(self, model: VideoModel, clip: Clips, generator: torch.Generator) -> Tensor:
        """Noise of one copy: drawn on the CPU, channels first, so that it depends on neither batch, device nor layout."""
        noise = torch.randn(3, *clip_shape(model, clip), generator=generator, dtype=clip.dtype)
        return noise.movedim(0, channel_dim(model) - 1).to(clip.device)
