"""UniFormerV2 with mmaction2's names of layers and tensors: an image transformer over frames, and blocks over the whole clip."""

import math
from collections import OrderedDict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.models.axes.declared import uniformer_v2_axes
from video_tcav.models.layers import evenly_spaced
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.settings import Component

Tokens = Float[Tensor, "frame token channel"]
"""Frames of all clips, one clip behind the other; the class token of a frame is its first."""
_DEFAULTS = {
    **{"input_resolution": 224, "patch_size": 16, "t_size": 8, "temporal_downsample": False, "kernel_size": 3},
    **{"width": 768, "layers": 12, "heads": 12, "no_lmhra": True, "double_lmhra": False, "dw_reduction": 1.5},
    **{"return_list": (8, 9, 10, 11), "n_layers": 4, "n_dim": 768, "n_head": 12, "mlp_factor": 4.0},
}
"""Of UniFormerV2 in mmaction2 1.2.0, models/backbones/uniformerv2.py."""
_LOCAL_MLP_FACTOR = 4
_FRAME_STRIDE = 2  # of the patch convolution, with `temporal_downsample`


class QuickGelu(nn.Module):
    """The approximation x · sigmoid(1.702 x) of GELU, which CLIP was trained with."""

    def forward(self, values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Value by value."""
        return values * torch.sigmoid(1.702 * values)


class LocalRelation(nn.Module):
    """What a patch takes from the same patch of the neighbouring frames (local MHRA): a convolution of each channel over time.

    Source:
        Li et al. 2022, arXiv:2211.09552, section 3.
    """

    def __init__(self, width: int, *, reduction: float) -> None:
        super().__init__()
        inner = int(width // reduction)
        self.pos_embed = nn.Sequential(
            nn.BatchNorm3d(width),
            nn.Conv3d(width, inner, 1),
            nn.Conv3d(inner, inner, (3, 1, 1), padding=(1, 0, 0), groups=inner),
            nn.Conv3d(inner, width, 1),
        )

    def forward(
        self, volume: Float[Tensor, "clip channel time height width"]
    ) -> Float[Tensor, "clip channel time height width"]:
        """The residual."""
        return self.pos_embed(volume)


class LocalBlock(nn.Module):
    """A block of the image transformer, with up to two local relations: before attention, and behind it.

    Source:
        Li et al. 2022, arXiv:2211.09552, section 3, local UniBlock.
    """

    def __init__(self, settings: dict[str, Any], *, frames: int) -> None:
        super().__init__()
        width, reduction = settings["width"], settings["dw_reduction"]
        relations = 0 if settings["no_lmhra"] else 2 if settings["double_lmhra"] else 1
        self.frames = frames
        self.lmhra1 = LocalRelation(width, reduction=reduction) if relations > 0 else None
        self.lmhra2 = LocalRelation(width, reduction=reduction) if relations > 1 else None
        self.attn = nn.MultiheadAttention(width, settings["heads"], batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = _mlp(width, _LOCAL_MLP_FACTOR * width)

    def forward(self, tokens: Tokens) -> Tokens:
        """Tokens attend within their frame."""
        if self.lmhra1 is not None:
            tokens = with_relation(tokens, self.lmhra1, self.frames)
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        if self.lmhra2 is not None:
            tokens = with_relation(tokens, self.lmhra2, self.frames)
        return tokens + self.mlp(self.ln_2(tokens))


class GlobalBlock(nn.Module):
    """A block in which the clip's own class token attends to all tokens of all frames.

    Source:
        Li et al. 2022, arXiv:2211.09552, section 3, global UniBlock.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        width = settings["n_dim"]
        self.attn = nn.MultiheadAttention(width, settings["n_head"], batch_first=True)
        self.ln_1, self.ln_2, self.ln_3 = (nn.LayerNorm(width) for _ in range(3))
        self.mlp = _mlp(width, round(settings["mlp_factor"] * width))

    def forward(
        self, summary: Float[Tensor, "clip channel"], tokens: Float[Tensor, "clip time token channel"]
    ) -> Float[Tensor, "clip channel"]:
        """The class token, with what it reads from the tokens."""
        memory, query = self.ln_3(tokens).flatten(1, 2), self.ln_1(summary)[:, None]
        summary = summary + self.attn(query, memory, memory, need_weights=False)[0][:, 0]
        return summary + self.mlp(self.ln_2(summary))


class Transformer(nn.Module):
    """Local blocks, of which those of `return_list` have a global block beside them, with a convolution for its positions.

    Source:
        Li et al. 2022, arXiv:2211.09552, section 3; mmaction2 1.2.0, models/backbones/uniformerv2.py.
    """

    def __init__(self, settings: dict[str, Any], *, frames: int) -> None:
        super().__init__()
        width, self.frames = settings["n_dim"], frames
        # mmaction2 takes the blocks in the order of the forward, whatever their order in the list.
        self.global_index = {block: index for index, block in enumerate(sorted(settings["return_list"]))}
        self.resblocks = nn.ModuleList(LocalBlock(settings, frames=frames) for _ in range(settings["layers"]))
        self.temporal_cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.dpe = nn.ModuleList(nn.Conv3d(width, width, 3, padding=1, groups=width) for _ in self.global_index)
        self.dec = nn.ModuleList(GlobalBlock(settings) for _ in self.global_index)
        self.norm = nn.LayerNorm(width)
        self.balance = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Tokens) -> Float[Tensor, "clip channel"]:
        """The clip's class token, weighed by `balance` against the mean of the frames' class tokens."""
        summary = self.temporal_cls_token[0].expand(len(tokens) // self.frames, -1)
        for number, block in enumerate(self.resblocks):
            tokens = block(tokens)
            if number in self.global_index:
                index = self.global_index[number]
                placed = with_relation(tokens, self.dpe[index], self.frames)
                summary = self.dec[index](summary, placed.unflatten(0, (-1, self.frames)))
        share = self.balance.sigmoid()
        frame_means = tokens[:, 0].unflatten(0, (-1, self.frames)).mean(1)
        return self.norm((1 - share) * summary + share * frame_means)


class UniFormerV2(nn.Module):
    """Patches with positions in space, and the transformer; settings are those of a config's `backbone`, complete."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        width, patch, kernel = (settings[key] for key in ("width", "patch_size", "kernel_size"))
        length, stride, padding = (kernel, _FRAME_STRIDE, (kernel - 1) // 2) if strided(settings) else (1, 1, 0)
        size, step = (length, patch, patch), (stride, patch, patch)
        self.conv1 = nn.Conv3d(3, width, size, stride=step, padding=(padding, 0, 0), bias=False)
        tokens = (settings["input_resolution"] // patch) ** 2 + 1
        self.class_embedding = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.positional_embedding = nn.Parameter(torch.randn(tokens, width) / math.sqrt(width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(settings, frames=settings["t_size"] // stride)

    def forward(self, clip: Float[Tensor, "clip 3 time height width"]) -> Float[Tensor, "clip channel"]:
        """One vector a clip."""
        patches = self.conv1(clip).movedim(1, -1).flatten(2, 3).flatten(0, 1)
        class_token = self.class_embedding.expand(len(patches), 1, -1)
        tokens = torch.cat([class_token, patches], dim=1) + self.positional_embedding
        return self.transformer(self.ln_pre(tokens))


def build_uniformer_v2(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `UniFormerV2` with a `TimeSformerHead` or a `UniFormerHead`, which are both a linear layer."""
    settings = backbone.checked(_DEFAULTS, {})
    head.checked({"num_classes": None}, {})
    frames, size, patch = (settings[key] for key in ("t_size", "input_resolution", "patch_size"))
    backbone.check_clip(spec, frames=frames, size=size)
    _check_blocks(backbone, settings)
    stride = _FRAME_STRIDE if strided(settings) else 1
    if frames % stride:
        raise backbone.error("have an even t_size with temporal_downsample", frames)
    head_layer = nn.Linear(settings["width"], outputs)
    module = nn.Sequential(
        OrderedDict(backbone=UniFormerV2(settings), cls_head=nn.Sequential(OrderedDict(fc_cls=head_layer)))
    )
    # Patches behind the last block with a global one have no gradient.
    blocks = [f"backbone.transformer.resblocks.{index}" for index in range(max(settings["return_list"]) + 1)]
    return Recognizer(
        module=module, names=(), stages=evenly_spaced(blocks), axes=uniformer_v2_axes((stride, patch, patch))
    )


def with_relation(tokens: Tokens, relation: nn.Module, frames: int) -> Tokens:
    """Tokens plus what `relation` makes of the clips' volumes of patches; class tokens stay as they are."""
    patches = tokens[:, 1:]
    side = math.isqrt(patches.shape[1])
    volume = patches.unflatten(0, (-1, frames)).unflatten(2, (side, side)).movedim(-1, 1)
    residual = relation(volume).movedim(1, -1).flatten(2, 3).flatten(0, 1)
    return torch.cat([tokens[:, :1], patches + residual], dim=1)


def strided(settings: dict[str, Any]) -> bool:
    """Whether the patch convolution halves the number of frames."""
    return bool(settings["temporal_downsample"])


def _check_blocks(backbone: Component, settings: dict[str, Any]) -> None:
    """Refuse lists of blocks that mmaction2 fails on, or takes in silence for fewer."""
    blocks, layers = settings["return_list"], settings["layers"]
    if not blocks or len(set(blocks)) < len(blocks) or not set(blocks) <= set(range(layers)):
        raise backbone.error(f"have a return_list of different blocks from 0 to {layers - 1}", blocks)
    if settings["n_layers"] != len(blocks):
        raise backbone.error(f"have as many n_layers as return_list has blocks, {len(blocks)}", settings["n_layers"])
    if settings["n_dim"] != settings["width"]:
        raise backbone.error(f"have an n_dim as wide as its width, {settings['width']}", settings["n_dim"])


def _mlp(width: int, inner: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(c_fc=nn.Linear(width, inner), gelu=QuickGelu(), c_proj=nn.Linear(inner, width)))
