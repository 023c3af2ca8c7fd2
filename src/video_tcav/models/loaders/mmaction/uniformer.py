"""UniFormer of mmaction2 configs: two stages of convolutions, and two of attention over the whole clip."""

from collections import OrderedDict
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.models.axes.declared import uniformer_axes
from video_tcav.models.loaders.mmaction.names import NameRules
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.resnet3d import Volume, VolumeScores
from video_tcav.models.loaders.mmaction.settings import Component

NAMES: NameRules = ((r"\.attn\.in_proj_", ".attn.qkv."), (r"\.attn\.out_proj\.", ".attn.proj."))
_DEFAULTS = {
    **{"depth": (5, 8, 20, 7), "embed_dim": (64, 128, 320, 512), "head_dim": 64, "mlp_ratio": 4.0},
    "img_size": 224,  # no weight depends on it
}
"""Of UniFormer in mmaction2 1.2.0, models/backbones/uniformer.py."""
_FIXED = {"in_chans": (3,), "qkv_bias": (True,), "qk_scale": (None,)}
_STAGES = 4
_ATTENTION_FROM = 2  # index of the first stage with attention


class PatchEmbed(nn.Module):
    """A convolution without overlap in space, and normalisation of channels; the first one also halves the frames."""

    def __init__(self, channels: int, width: int, *, patch: int, halves_frames: bool) -> None:
        super().__init__()
        length, stride, padding = (3, 2, 1) if halves_frames else (1, 1, 0)
        kernel, step = (length, patch, patch), (stride, patch, patch)
        self.proj = nn.Conv3d(channels, width, kernel, stride=step, padding=(padding, 0, 0))
        self.norm = nn.LayerNorm(width)

    def forward(self, volume: Volume) -> Float[Tensor, "clip width time_out height_out width_out"]:
        """Volumes, a patch a position."""
        return self.norm(self.proj(volume).movedim(1, -1)).movedim(-1, 1)


class ConvolutionBlock(nn.Module):
    """A block whose relations are local: convolutions of each channel over five frames, rows and columns.

    Source:
        Li et al. 2022, arXiv:2201.04676, section 3; mmaction2 1.2.0, models/backbones/uniformer.py.
    """

    def __init__(self, width: int, *, mlp_width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv3d(width, width, 3, padding=1, groups=width)
        self.norm1, self.norm2 = nn.BatchNorm3d(width), nn.BatchNorm3d(width)
        self.conv1, self.conv2 = nn.Conv3d(width, width, 1), nn.Conv3d(width, width, 1)
        self.attn = nn.Conv3d(width, width, 5, padding=2, groups=width)
        self.mlp = _mlp(nn.Conv3d(width, mlp_width, 1), nn.Conv3d(mlp_width, width, 1))

    def forward(self, volume: Volume) -> Volume:
        """Positions, local relation, and channels, each with what came in."""
        volume = volume + self.pos_embed(volume)
        volume = volume + self.conv2(self.attn(self.conv1(self.norm1(volume))))
        return volume + self.mlp(self.norm2(volume))


class AttentionBlock(nn.Module):
    """A block whose relations are global: all positions of the clip attend to each other.

    Source:
        Li et al. 2022, arXiv:2201.04676, section 3; mmaction2 1.2.0, models/backbones/uniformer.py.
    """

    def __init__(self, width: int, *, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv3d(width, width, 3, padding=1, groups=width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = _mlp(nn.Linear(width, mlp_width), nn.Linear(mlp_width, width))

    def forward(self, volume: Volume) -> Volume:
        """Positions, global relation, and channels, each with what came in."""
        grid = (volume + self.pos_embed(volume)).movedim(1, -1)
        normed = self.norm1(grid).flatten(1, 3)
        grid = grid + self.attn(normed, normed, normed, need_weights=False)[0].view_as(grid)
        return (grid + self.mlp(self.norm2(grid))).movedim(-1, 1)


class UniFormer(nn.Module):
    """Four stages, each behind its patches; settings are those of a config's `backbone`, complete."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        channels = 3
        for index, (depth, width) in enumerate(zip(settings["depth"], settings["embed_dim"], strict=True)):
            first = index == 0
            patches = PatchEmbed(channels, width, patch=4 if first else 2, halves_frames=first)
            self.add_module(f"patch_embed{index + 1}", patches)
            blocks = nn.Sequential(*(_block(settings, index, width) for _ in range(depth)))
            self.add_module(f"blocks{index + 1}", blocks)
            channels = width
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, volume: Volume) -> Float[Tensor, "clip width time_out height_out width_out"]:
        """Activations of the last stage, normalised."""
        for index in range(1, _STAGES + 1):
            volume = self.get_submodule(f"patch_embed{index}")(volume)
            volume = self.get_submodule(f"blocks{index}")(volume)
        return self.norm(volume)


def build_uniformer(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `UniFormer` with an `I3DHead`."""
    settings = backbone.checked(_DEFAULTS, _FIXED)
    head.checked({"num_classes": None}, {"spatial_type": ("avg",)})
    depths, widths = settings["depth"], settings["embed_dim"]
    if (len(depths), len(widths)) != (_STAGES, _STAGES) or min(depths) < 1:
        raise backbone.error(f"have a depth and an embed_dim of {_STAGES} stages", (depths, widths))
    module = VolumeScores(UniFormer(settings), width=widths[-1], outputs=outputs)
    stages = tuple(f"backbone.blocks{index + 1}.{depth - 1}" for index, depth in enumerate(depths))
    return Recognizer(module=module, names=NAMES, stages=stages, axes=uniformer_axes(module))


def _block(settings: dict[str, Any], index: int, width: int) -> nn.Module:
    mlp_width = int(width * settings["mlp_ratio"])
    if index < _ATTENTION_FROM:
        return ConvolutionBlock(width, mlp_width=mlp_width)
    return AttentionBlock(width, heads=width // settings["head_dim"], mlp_width=mlp_width)


def _mlp(first: nn.Module, second: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(fc1=first, act=nn.GELU(), fc2=second))
