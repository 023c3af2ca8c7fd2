"""Class activation maps (CAMs) of a layer: sums over its channels, weighted by gradients or by principal component.

A CAM that is added here as a class with a `name` is in `METHODS`, `explain --method` and `explain --methods`.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from video_tcav.attribution.attribution_map import Map
from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, Positions, mapped_axes, read_layers
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_gradients
from video_tcav.models.targets import Target


@dataclass(frozen=True, kw_only=True)
class GradientCAM(Method):
    """Base class of CAMs that combine a layer's activations with the target's gradients; one pass serves all layers.

    Attributes:
        layers: dotted module names; the deepest of the model's stages if not given.
    """

    layers: tuple[str, ...] | None = None

    @abstractmethod
    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """The signed map of one layer, from its activations and the gradients of the target by them."""

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """One forward and one backward for all layers."""
        axes = mapped_axes(model, self.layers, clips)
        # Activations of the same pass as the gradients: a second forward could differ in the last digits.
        recorded = record_gradients(model, tuple(axes), clips, target)
        maps = {
            name: self.combine(layer.positions(recorded.activations[name]), layer.positions(recorded.layers[name]))
            for name, layer in axes.items()
        }
        advance(len(clips))
        return LayerMaps(layers=maps, target=recorded.target)


class GradCAM(GradientCAM):
    """Grad-CAM: channels weighted by their mean gradient over time, height and width."""

    name: ClassVar[str] = "gradcam"
    help: ClassVar[str] = "Channels weighted by their mean gradient"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """Equations 1 and 2, before the ReLU (`AttributionMap.saliency`)."""
        weights = gradients.mean((1, 2, 3), keepdim=True)
        return (activations * weights).sum(-1)


class HiResCAM(GradientCAM):
    """HiResCAM: activation × gradient at each position; where the head is linear, exactly what each position contributes."""

    name: ClassVar[str] = "hirescam"
    help: ClassVar[str] = "Activation × gradient at each position; exact where the head is linear"
    source: ClassVar[str] = "Draelos and Carin 2020, arXiv:2011.08891"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """Equation 4."""
        return (activations * gradients).sum(-1)


class GradCAMPlusPlus(GradientCAM):
    """Grad-CAM++: positive gradients, each position weighted in closed form, so that several objects of a class count."""

    name: ClassVar[str] = "gradcam++"
    help: ClassVar[str] = "Positive gradients weighted in closed form, for several objects of a class"
    source: ClassVar[str] = "Chattopadhyay et al. 2018, arXiv:1710.11063"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """Equation 19, for a target behind an exponential, whose higher derivatives are powers of the first."""
        squared, cubed = gradients**2, gradients**3
        # 1e-6 keeps positions without a gradient, 0 / 0, at zero
        alphas = squared / (2 * squared + activations.sum((1, 2, 3), keepdim=True) * cubed + 1e-6)
        weights = (alphas * gradients.clamp(min=0)).sum((1, 2, 3), keepdim=True)
        return (activations * weights).sum(-1)


class XGradCAM(GradientCAM):
    """XGrad-CAM: gradients weighted by each position's share of the channel's activation."""

    name: ClassVar[str] = "xgradcam"
    help: ClassVar[str] = "Gradients weighted by each position's share of the activation; keeps sums"
    source: ClassVar[str] = "Fu et al. 2020, arXiv:2008.02312"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """Equation 8."""
        channel_sums = activations.sum((1, 2, 3), keepdim=True)
        # 1e-7 keeps channels that never fire, 0 / 0, at zero
        weights = (gradients * activations).sum((1, 2, 3), keepdim=True) / (channel_sums + 1e-7)
        return (activations * weights).sum(-1)


class LayerCAM(GradientCAM):
    """LayerCAM: activation × positive gradient at each position."""

    name: ClassVar[str] = "layercam"
    help: ClassVar[str] = "Activation × positive gradient; sharp in early layers"
    source: ClassVar[str] = "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943"

    def combine(self, activations: Positions, gradients: Positions) -> Map:
        """Equations 6 and 7."""
        return (activations * gradients.clamp(min=0)).sum(-1)


@dataclass(frozen=True, kw_only=True)
class EigenCAM(Method):
    """EigenCAM: each position's score on the first principal component of the activations; the same map for every class.

    Attributes:
        layers: see `GradientCAM`.
    """

    name: ClassVar[str] = "eigencam"
    help: ClassVar[str] = "The first principal component of the activations; the same for every class"
    source: ClassVar[str] = "Muhammad and Yeasin 2020, arXiv:2008.00299"
    layers: tuple[str, ...] | None = None

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """One forward for all layers."""
        axes = mapped_axes(model, self.layers, clips)
        logits, activations = read_layers(model, axes, clips)
        advance(len(clips))
        maps = {name: first_component(positions) for name, positions in activations.items()}
        return LayerMaps(layers=maps, target=target(logits))


def first_component(activations: Positions) -> Map:
    """Scores of a clip's positions on the first principal component of its activations (EigenCAM, equation 4, centred)."""
    rows = activations.flatten(1, 3)
    centred = rows - rows.mean(1, keepdim=True)
    _, _, right = torch.linalg.svd(centred, full_matrices=False)
    scores = (centred @ right[:, :1].mT)[..., 0]
    # The sign of a principal component is arbitrary: the end that lies further out is taken to be the positive one.
    flip = scores.amax(1) < -scores.amin(1)
    return torch.where(flip[:, None], -scores, scores).unflatten(1, activations.shape[1:4])
