"""Video Swin and MViTv2 of mmaction2 configs, built of torchvision's modules, which compute the same."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MissingExtraError
from video_tcav.models.axes.declared import mvit_axes, swin3d_axes
from video_tcav.models.loaders.mmaction.names import NameRules
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.settings import Component
from video_tcav.models.loaders.torchvision_zoo import last_blocks

try:
    from torchvision.models.video.mvit import MSBlockConfig, MViT
    from torchvision.models.video.swin_transformer import SwinTransformer3d
except ImportError as error:
    raise MissingExtraError("torchvision", "Swin and MViT of mmaction2") from error

_SWIN_SIZES: Mapping[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "large": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
}
"""Width, depths and heads by `arch`: mmaction2 1.2.0, models/backbones/swin.py."""
_MVIT_SIZES: Mapping[str, tuple[int, int, int, tuple[int, ...]]] = {
    "tiny": (96, 10, 1, (1, 3, 8)),
    "small": (96, 16, 1, (1, 3, 14)),
    "base": (96, 24, 1, (2, 5, 21)),
    "large": (144, 48, 2, (2, 8, 44)),
}
"""Width, blocks, heads and the blocks that halve height and width by `arch`: mmaction2 1.2.0, models/backbones/mvit.py."""


def _swin_layer(match: re.Match[str]) -> str:
    """Torchvision alternates stages and patch merging; mmaction2 puts the merging into the stage before."""
    layer = f"backbone.layers.{int(match[1]) // 2}."
    return f"{layer}downsample." if int(match[1]) % 2 else f"{layer}blocks."


SWIN_NAMES: NameRules = (
    (r"^features\.(\d+)\.", _swin_layer),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^patch_embed\.", "backbone.patch_embed."),
    (r"^norm\.", "backbone.norm3."),
    (r"^head\.", "cls_head.fc_cls."),
)
MVIT_NAMES: NameRules = (
    (r"^conv_proj\.", "backbone.patch_embed.projection."),
    (r"^pos_encoding\.class_token$", "backbone.cls_token#token"),
    (r"^blocks\.", "backbone.blocks."),
    (r"\.attn\.pool_([qkv])\.pool\.", r".attn.pool_\1."),
    (r"\.attn\.pool_([qkv])\.norm_act\.0\.", r".attn.norm_\1."),
    (r"\.attn\.project\.0\.", ".attn.proj."),
    (r"\.project\.", ".proj."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^norm\.", "backbone.norm3."),
    (r"^head\.1\.", "cls_head.fc_cls."),
)
_SWIN_FIXED = {
    "in_channels": (3,),
    "qkv_bias": (True,),
    "qk_scale": (None,),
    "patch_norm": (True,),
    "out_indices": ((3,),),
    "out_after_downsample": (False,),
    "act_cfg": ({"type": "GELU"},),
}
_MVIT_FIXED = {
    "in_channels": (3,),
    "out_scales": (-1, 3, (-1,), (3,)),
    "use_abs_pos_embed": (False,),
    "interpolate_mode": ("trilinear",),
    "pool_kernel": ((3, 3, 3),),
    "dim_mul": (2,),
    "head_mul": (2,),
    "adaptive_kv_stride": ((1, 8, 8),),
    "rel_pos_embed": (True,),
    "residual_pooling": (True,),
    "with_cls_token": (True,),
    "output_cls_token": (True,),
    "mlp_ratio": (4, 4.0),
    "qkv_bias": (True,),
    "patch_cfg": ({"kernel_size": (3, 7, 7), "stride": (2, 4, 4), "padding": (1, 3, 3)},),
}


def build_swin(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `SwinTransformer3D` with an `I3DHead`.

    Source:
        Liu et al. 2021, arXiv:2106.13230.
    """
    defaults = {"arch": None, "patch_size": (2, 4, 4), "window_size": (8, 7, 7), "mlp_ratio": 4.0}
    settings = backbone.checked(defaults, _SWIN_FIXED)
    head.checked({"num_classes": None}, {"spatial_type": ("avg",)})
    width, depths, heads = _sizes(backbone, settings["arch"], _SWIN_SIZES, ("embed_dims", "depths", "num_heads"))
    if len(depths) != 4:
        raise backbone.error("have four stages", depths)
    module = SwinTransformer3d(
        patch_size=list(settings["patch_size"]),
        embed_dim=width,
        depths=list(depths),
        num_heads=list(heads),
        window_size=list(settings["window_size"]),
        mlp_ratio=settings["mlp_ratio"],
        num_classes=outputs,
        norm_layer=partial(nn.LayerNorm, eps=backbone.layer_norm_eps(1e-5)),
    )
    stages = tuple(f"features.{2 * index}" for index in range(4))
    return Recognizer(module=module, names=SWIN_NAMES, stages=stages, axes=swin3d_axes(module))


def build_mvit(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """An `MViT` with an `MViTHead`.

    Source:
        Li et al. 2022, arXiv:2112.01526.
    """
    defaults = {"arch": "base", "spatial_size": 224, "temporal_size": 16, "dim_mul_in_attention": True}
    settings = backbone.checked(defaults, _MVIT_FIXED)
    head.checked({"num_classes": None}, {"with_cls_token": (True,)})
    size, frames, in_attention = (settings[key] for key in ("spatial_size", "temporal_size", "dim_mul_in_attention"))
    backbone.check_clip(spec, frames=frames, size=size)
    keys = ("embed_dims", "num_layers", "num_heads", "downscale_indices")
    width, blocks, heads, halved = _sizes(backbone, settings["arch"], _MVIT_SIZES, keys)
    if len(halved) != 3:
        raise backbone.error("have three downscale_indices", halved)
    module = MViT(
        spatial_size=(size, size),
        temporal_size=frames,
        block_setting=_mvit_blocks(width, blocks, heads, halved, early=not in_attention),
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=in_attention,
        num_classes=outputs,
        norm_layer=partial(nn.LayerNorm, eps=backbone.layer_norm_eps(1e-6)),
    )
    return Recognizer(module=module, names=MVIT_NAMES, stages=last_blocks(module), axes=mvit_axes(module))


def _mvit_blocks(width: int, count: int, heads: int, halved: tuple[int, ...], *, early: bool) -> list[MSBlockConfig]:
    """Settings of each block: where height and width are halved, channels and heads double, and keys are pooled half as much.

    `early` networks double the channels in the block before, behind its attention.
    """
    blocks, stride_kv = [], 8
    for index in range(count):
        factor = 2 if index in halved else 1
        widening = 2 if index + early in halved else 1
        stride_kv, heads = stride_kv // factor, heads * factor
        blocks.append(
            MSBlockConfig(
                num_heads=heads,
                input_channels=width,
                output_channels=width * widening,
                kernel_q=[3, 3, 3],
                kernel_kv=[3, 3, 3],
                stride_q=[1, factor, factor],
                stride_kv=[1, stride_kv, stride_kv],
            )
        )
        width *= widening
    return blocks


def _sizes(backbone: Component, arch: Any, sizes: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The sizes of an `arch`, given by name or as a dict of `keys`."""
    if isinstance(arch, Mapping):
        if set(arch) != set(keys):
            raise backbone.error(f"have an arch with {', '.join(keys)}", sorted(arch))
        return tuple(arch[key] for key in keys)
    matches = [name for name in sizes if str(arch).lower() in (name, name[0])]
    if not matches:
        raise backbone.error(f"have an arch of {', '.join(sizes)}", arch)
    return sizes[matches[0]]
