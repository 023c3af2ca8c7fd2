"""Networks of pytorchvideo and Hiera, recognised by their classes: two pathways made from one clip, axes and stages."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.models.axes.declared import CHANNELS_LAST, POOLED, convolution_axes, pooled_grid, token_axes
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.video_model import AxesRule

SLOWFAST_ALPHA = 4
"""Fast frames for a slow one: `slowfast_alpha` of pytorchvideo's published networks (tutorials/torchhub_inference)."""


@dataclass(frozen=True, kw_only=True)
class KnownNetwork:
    """A network of a package whose classes are known.

    Attributes:
        module: takes one tensor a clip.
        axes: of its layers.
        stages: its default layers.
        keeps_logits: whether its head ends in its last linear layer, by how it was built.
    """

    module: nn.Module
    axes: AxesRule
    stages: tuple[str, ...]
    keeps_logits: bool


class TwoPathways(nn.Module):
    """A SlowFast network of pytorchvideo that makes the tensors of both pathways from one clip; layers keep their names."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.blocks = network.blocks
        self._forward_pathways: Callable[[nn.Module, list[Tensor]], Tensor] = type(network).forward

    def forward(self, clip: Float[Tensor, "clip 3 time height width"]) -> Float[Tensor, "clip class"]:
        """The outputs of the network for the slow frames, which are spread over the clip, and all frames."""
        frames = clip.shape[2]
        # PackPathway of the published tutorial: evenly spaced, rounded down
        slow = torch.linspace(0, frames - 1, max(1, frames // SLOWFAST_ALPHA)).long().to(clip.device)
        return self._forward_pathways(self, [clip.index_select(2, slow), clip])


class InOrder(nn.Module):
    """A block of Hiera, with its tokens in the order of rows for a moment: `stage` can be hooked, and changes nothing.

    Hiera keeps the tokens of a mask unit together ("unrolled"), so that no axis runs through them before the last stage.
    """

    def __init__(self, block: nn.Module, *, reroll: Any, unroll: Any, index: int) -> None:
        super().__init__()
        schedule, size = reroll.schedule[index]
        self.block, self.stage = block, nn.Identity()
        self.reroll, self.index = reroll, index
        self.unroll = type(unroll)(size, (1,) * len(size), schedule)  # the inverse, from this stage's grid on

    def forward(self, tokens: Float[Tensor, "clip token channel"]) -> Float[Tensor, "clip token channel"]:
        """The block's tokens; `stage` outputs them as a grid, channels last."""
        grid = self.stage(self.reroll(self.block(tokens), self.index))
        return self.unroll(grid.flatten(1, -2))


def known_network(module: nn.Module) -> KnownNetwork | None:
    """What is known of a network by its class; `None` of any other. The module itself stays as it is.

    Source:
        pytorchvideo 0.1.5 (models/net.py, models/vision_transformers.py, models/slowfast.py); Ryali et al. 2023,
        arXiv:2306.00989 (Hiera), hiera-transformer 0.1.4 (hiera_utils.py).
    """
    package, kind = type(module).__module__.partition(".")[0], type(module).__name__
    if package == "pytorchvideo" and kind == "Net":
        return _convolutions(module)
    if package == "pytorchvideo" and kind == "DetectionBBoxNetwork":
        return _detection(module)
    if package == "pytorchvideo" and kind == "MultiscaleVisionTransformers":
        return _mvit(module)
    if package == "hiera" and kind == "Hiera" and len(getattr(module, "tokens_spatial_shape", ())) == 3:
        return _hiera(module)
    return None


def _convolutions(network: Any) -> KnownNetwork:
    blocks = list(network.blocks)
    two = type(blocks[0]).__name__ == "MultiPathWayWithFuse"
    # The first block is the stem; behind the stages stand the head, and what joins two pathways.
    stages = [f"blocks.{index}" for index, block in enumerate(blocks) if index and hasattr(block, _STAGE_MARK[two])]
    if two:
        stages = [f"{stage}.multipathway_blocks.{pathway}" for stage in stages for pathway in (0, 1)]
    return KnownNetwork(
        module=TwoPathways(network) if two else network,
        axes=_convolution_axes(network),
        stages=tuple(stages),
        keeps_logits=getattr(blocks[-1], "activation", None) is None,
    )


def _detection(network: Any) -> KnownNetwork:
    """Convolutions, and a head that pools inside of boxes; `forward` takes clips and boxes."""
    inside = _convolutions(network.model)
    return KnownNetwork(
        module=_with_submodules(network, model=inside.module),
        axes=_convolution_axes(network),
        stages=tuple(f"model.{stage}" for stage in inside.stages),
        keeps_logits=network.detection_head.activation is None,
    )


def _with_submodules(network: nn.Module, **submodules: nn.Module) -> Any:
    """A shallow copy, with a table of submodules of its own: the user's network stays as it is."""
    changed = copy.copy(network)
    changed._modules = network._modules | submodules
    return changed


_STAGE_MARK = {False: "res_blocks", True: "multipathway_blocks"}
"""Attribute of a stage, and of a stage of two pathways."""


def _convolution_axes(network: nn.Module) -> AxesRule:
    """Volumes, channels first, but for the linear layer of the head, in front of which channels are moved to the end."""
    linear = {name for name, submodule in network.named_modules() if isinstance(submodule, nn.Linear)}

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        return CHANNELS_LAST if layer in linear and len(shape) == 5 else convolution_axes(layer, shape, clip_shape)

    return rule


def _mvit(network: Any) -> KnownNetwork:
    grid: tuple[int, int, int] = tuple(network.cls_positional_encoding.patch_embed_shape)
    prefix, by_tokens = int(network.cls_positional_encoding.cls_embed_on), {}
    for block in network.blocks:
        by_tokens[prefix + prod(grid)] = token_axes(grid, prefix_tokens=prefix)
        if block.attn.pool_q is not None:
            grid = pooled_grid(grid, block.attn.pool_q)
    by_tokens[prefix + prod(grid)] = token_axes(grid, prefix_tokens=prefix)

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) == 2:
            return POOLED
        return by_tokens.get(shape[1]) if len(shape) == 3 else None

    starts = [index for index, block in enumerate(network.blocks) if block.pool_skip is not None]
    # The very last block is left out: the head reads its class token alone.
    ends = [*(start - 1 for start in starts), len(network.blocks) - (2 if prefix else 1)]
    activation = getattr(network.head, "activation", None)
    return KnownNetwork(
        module=network,
        axes=rule,
        stages=tuple(f"blocks.{end}" for end in dict.fromkeys(ends) if end >= 0),
        keeps_logits=activation is None,
    )


def _hiera(network: Any) -> KnownNetwork:
    ends = network.stage_ends
    blocks = [
        InOrder(block, reroll=network.reroll, unroll=network.unroll, index=index) if index in ends else block
        for index, block in enumerate(network.blocks)
    ]
    ordered = _with_submodules(network, blocks=nn.ModuleList(blocks))

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) == 2:
            return POOLED
        return CHANNELS_LAST if layer.endswith(".stage") and len(shape) == 5 else None

    return KnownNetwork(
        module=ordered,
        axes=rule,
        stages=tuple(f"blocks.{end}.stage" for end in ends),
        keeps_logits=False,  # its head returns probabilities in evaluation mode
    )
