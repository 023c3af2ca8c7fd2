"""Attribution methods of Captum, pytorch-grad-cam and torch-cam, and plain maps, with the contract of the benchmark.

python -m video_tcav benchmark attribution --method benchmarks.foreign.peers:captum_integrated_gradients
"""

from collections.abc import Callable
from typing import Any

import torch
from benchmarks.attribution_table.model_free import Centre, FrameDifference
from captum import attr
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam import methods as torchcam

# Tokens of the transformers of the rendered world: time, height, width.
_GRID = (8, 4, 4)
_WINDOW, _STRIDE = (3, 4, 16, 16), (3, 4, 8, 8)  # of occlusion: a quarter of each axis


def random_map(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
    """Random numbers on a grid as coarse as that of a layer, other ones for each clip."""
    # A seed that the clip gives, so that a clip has the same map in every run.
    generator = torch.Generator().manual_seed(int(clip.double().abs().sum() * 1e3))
    return torch.rand(_GRID, generator=generator)


def captum_layer_gradcam(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
    """Captum's Grad-CAM at the layer; it takes tokens for channels, so that it has no map of a transformer."""
    _needs_channels_first(model, layer, clip)
    return attr.LayerGradCam(model, layer).attribute(clip, target, relu_attributions=True)[0, 0].detach()


def captum_integrated_gradients(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
    """Captum's integrated gradients from a grey clip, summed over colours."""
    return attr.IntegratedGradients(model).attribute(clip, target=target, n_steps=25, internal_batch_size=5).sum(1)[0]


def captum_saliency(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
    """Captum's saliency: absolute gradients, the largest of the colours."""
    return attr.Saliency(model).attribute(clip.requires_grad_(), target=target).amax(1)[0]


def captum_input_x_gradient(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
    """Captum's input times gradient, summed over colours."""
    return attr.InputXGradient(model).attribute(clip.requires_grad_(), target=target).sum(1)[0].detach()


def captum_occlusion(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
    """Captum's occlusion with a grey window."""
    with torch.no_grad():
        occlusion = attr.Occlusion(model).attribute(
            clip, _WINDOW, _STRIDE, target=target, baselines=0, perturbations_per_eval=8
        )
    return occlusion.mean(1)[0]


def grad_cam(kind: Any) -> Callable[..., Any]:
    """A CAM of pytorch-grad-cam, with the reshape function that a user has to write for tokens."""

    def explain(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Any:
        reshape = None if _is_channels_first(model, layer, clip) else _tokens_as_channels
        with kind(model=model, target_layers=[layer], reshape_transform=reshape) as cam:
            return cam(input_tensor=clip, targets=[ClassifierOutputTarget(target)])[0]

    return explain


def torch_cam(kind: Any) -> Callable[..., Any]:
    """A CAM of torch-cam, which has none of tokens."""

    def explain(*, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Tensor:
        _needs_channels_first(model, layer, clip)
        # SmoothGrad draws from the global generator: seeded, a clip has the same map in every run.
        with torch.random.fork_rng(devices=[]), kind(model, layer, input_shape=tuple(clip.shape[1:])) as cam:
            torch.manual_seed(0)
            return cam(target, model(clip))[0][0].detach()

    return explain


PEERS: dict[str, tuple[str, Any]] = {
    "random": ("plain", random_map),
    "centre": ("plain", Centre()),
    "frame difference": ("plain", FrameDifference()),
    "LayerGradCam": ("Captum", captum_layer_gradcam),
    "IntegratedGradients": ("Captum", captum_integrated_gradients),
    "Saliency": ("Captum", captum_saliency),
    "InputXGradient": ("Captum", captum_input_x_gradient),
    **{kind.__name__: ("pytorch-grad-cam", grad_cam(kind)) for kind in (GradCAM, GradCAMPlusPlus, LayerCAM, EigenCAM)},
    **{
        f"torchcam.{kind.__name__}": ("torch-cam", torch_cam(kind))
        for kind in (torchcam.GradCAM, torchcam.LayerCAM, torchcam.SmoothGradCAMpp)
    },
    "Occlusion": ("Captum", captum_occlusion),
}
"""By name: the library, and the method."""


def _tokens_as_channels(tokens: Tensor) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, _GRID)


def _needs_channels_first(model: nn.Module, layer: nn.Module, clip: Tensor) -> None:
    if not _is_channels_first(model, layer, clip):
        raise NotImplementedError("the layer's output is a list of tokens, and there is no reshape function")


def _is_channels_first(model: nn.Module, layer: nn.Module, clip: Tensor) -> bool:
    """Whether the layer's output is `(clip, channel, time, height, width)`, by a pass of the clip."""
    dims: list[int] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: dims.append(output.ndim))
    with torch.no_grad():
        model(clip)
    handle.remove()
    return dims[0] == 5
