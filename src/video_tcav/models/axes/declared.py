"""Declared axes: rules for the layers of known families, where they are certain; everything else is probed."""

from collections.abc import Iterator
from math import prod
from typing import Any

from torch import nn

from video_tcav.models.axes.layer_axes import POSITION_AXES, LayerAxes
from video_tcav.models.video_model import AxesRule

CHANNELS_FIRST = LayerAxes(dims=("clip", "channel", "time", "height", "width"))
CHANNELS_LAST = LayerAxes(dims=("clip", "time", "height", "width", "channel"))
POOLED = LayerAxes(dims=("clip", "channel"))


def token_axes(
    grid: tuple[int, int, int], *, prefix_tokens: int = 0, order: tuple[str, ...] = POSITION_AXES
) -> LayerAxes:
    """Axes of a transformer's `(clip, token, channel)`."""
    return LayerAxes(dims=("clip", "token", "channel"), token_order=order, grid=grid, prefix_tokens=prefix_tokens)


def convolution_axes(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
    """Three-dimensional convolutional networks, such as torchvision's r3d_18 and s3d: volumes, but for pooled layers."""
    return CHANNELS_FIRST if len(shape) == 5 else POOLED if len(shape) == 2 else None


def folded_frames_axes(frames: int) -> AxesRule:
    """Image networks over `frames` frames of a clip that are folded into the first dimension: TSN and TSM."""
    image = ("channel", "height", "width")

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if shape[0] != frames or len(shape) not in (2, 4):
            return None
        time = ("time",) if frames > 1 else ()
        return LayerAxes(dims=("clip", *time, *image[: len(shape) - 1]), fold=frames)

    return rule


def swin3d_axes(module: nn.Module) -> AxesRule:
    """Torchvision's swin3d: channels last, but for the patch convolution and the final pooling."""
    modules = dict(module.named_modules())

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) != 5:
            return POOLED if len(shape) == 2 else None
        return CHANNELS_FIRST if isinstance(modules.get(layer), nn.Conv3d | nn.AdaptiveAvgPool3d) else CHANNELS_LAST

    return rule


def mvit_axes(module: nn.Module) -> AxesRule:
    """Torchvision's mvit: a class token, then time-major tokens whose grid shrinks with depth."""
    grids = dict(_mvit_grids(module))

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) == 5:
            return CHANNELS_FIRST if layer == "conv_proj" else None
        if len(shape) == 2:
            return POOLED
        grid = grids.get(layer)
        # The class token comes first.
        return token_axes(grid, prefix_tokens=1) if grid and shape[1] == 1 + prod(grid) else None

    return rule


def folded_tokens(shape: tuple[int, ...], grid: tuple[int, int, int], *, prefix_tokens: int = 0) -> LayerAxes | None:
    """Axes of `(clip × time, token, channel)`: an image transformer that runs over frames folded into the first dimension.

    `None` where the shape of one clip's output is another.
    """
    time, height, width = grid
    # Of a single frame nothing is folded, and what the first dimension would be is left to probing.
    if time == 1 or len(shape) != 3 or shape[:2] != (time, prefix_tokens + height * width):
        return None
    dims = ("clip", "time", "token", "channel")
    return LayerAxes(dims=dims, token_order=("height", "width"), grid=grid, prefix_tokens=prefix_tokens, fold=time)


def uniformer_axes(module: nn.Module) -> AxesRule:
    """UniFormer of mmaction2: volumes, with channels last where linear layers and their normalisation run over them."""
    # Inside blocks with attention, and in the normalisation of patches.
    last = [name for name, layer in module.named_modules() if isinstance(layer, nn.LayerNorm | nn.Linear)]
    containers = {name.rpartition(".")[0] for name in last if name.endswith((".mlp.fc1", ".mlp.fc2"))}

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) != 5:
            return POOLED if len(shape) == 2 else None
        is_last = layer in (*last, *containers) or layer.rpartition(".")[0] in containers
        return CHANNELS_LAST if is_last else CHANNELS_FIRST

    return rule


def uniformer_v2_axes(patch: tuple[int, int, int]) -> AxesRule:
    """UniFormerV2 of mmaction2, whose patches cover `(frames, height, width)` of the input."""

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) == 5:
            return CHANNELS_FIRST
        if len(shape) == 2:
            return POOLED
        time, height, width = (size // step for size, step in zip(clip_shape, patch, strict=True))
        if len(shape) == 4 and shape[1:3] == (time, 1 + height * width):
            # What a global block reads: frames are folded out again, each with its class token.
            dims, order = ("clip", "time", "token", "channel"), ("height", "width")
            return LayerAxes(dims=dims, token_order=order, grid=(time, height, width), prefix_tokens=1)
        return folded_tokens(shape, (time, height, width), prefix_tokens=1)

    return rule


def videoprism_axes(config: Any) -> AxesRule:
    """VideoPrism's vision tower: layers over the patches of a frame, then layers over the frames of a patch."""
    tubelet = _tubelet(config)

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        time, height, width = (size // patch for size, patch in zip(clip_shape, tubelet, strict=True))
        if ".spatial_layers." in layer or layer.startswith("spatial_layers."):
            return folded_tokens(shape, (time, height, width))
        # Frames are folded out again, and patches in: (clip × height × width, time, channel).
        if ".temporal_layers." in layer and height * width > 1 and shape[:2] == (height * width, time):
            dims = ("clip", "token", "time", "channel")
            order = ("height", "width")
            return LayerAxes(dims=dims, token_order=order, grid=(time, height, width), fold=height * width)
        return POOLED if len(shape) == 2 else None

    return rule


def huggingface_axes(config: Any, prefix: str) -> AxesRule | None:
    """VideoMAE, TimeSformer, ViViT and V-JEPA 2 classifiers of Hugging Face; `None` for another family.

    Args:
        config: the model's configuration.
        prefix: name of the backbone inside the classifier; its layers alone have tokens.
    """
    family = config.model_type
    folds_frames = (
        family == "timesformer" and config.attention_type == "space_only"
    )  # into the batch; probing sees that
    if family == "videoprism_vision_model":
        return videoprism_axes(config)
    if folds_frames or family not in ("videomae", "timesformer", "vivit", "vjepa2"):
        return None
    tubelet = _tubelet(config)
    prefix_tokens = 1 if family in ("timesformer", "vivit") else 0
    # TimeSformer's embeddings move time behind space before the tokens are flattened: time runs fastest.
    order = ("height", "width", "time") if family == "timesformer" else POSITION_AXES

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        if len(shape) == 2:
            return POOLED
        if layer.split(".")[0] != prefix:
            return None
        if len(shape) == 5 and layer.endswith(("patch_embeddings.projection", "patch_embeddings.proj")):
            return CHANNELS_FIRST
        time, height, width = (max(size // patch, 1) for size, patch in zip(clip_shape, tubelet, strict=True))
        if len(shape) != 3 or shape[:2] != (1, prefix_tokens + time * height * width):
            return None
        return token_axes((time, height, width), prefix_tokens=prefix_tokens, order=order)

    return rule


def _tubelet(config: Any) -> tuple[int, int, int]:
    """`(frames, height, width)` of the input that one token covers."""
    tubelet = getattr(config, "tubelet_size", 1)
    if isinstance(tubelet, list | tuple):  # ViViT puts the patch in here
        time, height, width = tubelet
        return time, height, width
    patch = config.patch_size
    height, width = patch if isinstance(patch, list | tuple) else (patch, patch)
    return tubelet, height, width


def pooled_grid(grid: tuple[int, int, int], pool: Any) -> tuple[int, int, int]:
    """Grid of tokens behind a pooling or strided convolution of queries."""
    # Output size of a convolution without dilation.
    time, height, width = (
        (size + 2 * padding - kernel) // stride + 1
        for size, padding, kernel, stride in zip(grid, pool.padding, pool.kernel_size, pool.stride, strict=True)
    )
    return time, height, width


def _mvit_grids(module: Any) -> Iterator[tuple[str, tuple[int, int, int]]]:
    grid: Any = (module.pos_encoding.temporal_size, *module.pos_encoding.spatial_size)
    yield "pos_encoding", grid
    for index, block in enumerate(module.blocks):
        yield f"blocks.{index}.norm1", grid
        # norm1 runs before the queries are pooled, everything after it behind them.
        if block.attn.pool_q is not None:
            grid = pooled_grid(grid, block.attn.pool_q.pool)
        for submodule in ("", ".attn", ".attn.project", ".norm2", ".mlp", ".stochastic_depth"):
            yield f"blocks.{index}{submodule}", grid
    yield "norm", grid
