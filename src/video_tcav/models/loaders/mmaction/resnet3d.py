"""Three-dimensional ResNets of mmaction2 (SlowOnly, I3D, SlowFast's pathways), with its names of layers and tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

Size = tuple[int, int, int]
Volume = Float[Tensor, "clip channel time height width"]

STAGE_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_BOTTLENECK_FROM = 50
"""Depth from which on blocks have three convolutions, the last with four times the channels."""


@dataclass(frozen=True, kw_only=True)
class Lateral:
    """Convolutions that bring the fast pathway's activations into the slow one.

    Attributes:
        ratio: channels of the slow pathway for one of the fast one.
        stride: frames of the fast pathway for one of the slow one.
        kernel: length in time.
        growth: channels that come in for each of the fast pathway's.
        norm: whether normalisation and a rectifier follow.
    """

    ratio: int
    stride: int
    kernel: int
    growth: int
    norm: bool

    def convolution(self, slow_channels: int) -> "ConvNorm":
        """That of a place where the slow pathway has so many channels."""
        fast = slow_channels // self.ratio
        kernel, padding = (self.kernel, 1, 1), ((self.kernel - 1) // 2, 0, 0)
        norm = {"norm": self.norm, "relu": self.norm}
        return ConvNorm(fast, self.growth * fast, kernel, stride=(self.stride, 1, 1), padding=padding, **norm)


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation and rectifier: a ConvModule of mmcv, `conv` and `bn`."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: Size,
        *,
        stride: Size = (1, 1, 1),
        padding: Size = (0, 0, 0),
        norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, outputs, kernel, stride=stride, padding=padding, bias=False)
        if norm:
            self.bn = nn.BatchNorm3d(outputs)
        if relu:
            self.activate = nn.ReLU()


class Block(nn.Module):
    """A residual block: two convolutions (`BasicBlock3d`), or three (`Bottleneck3d`); `inflated` ones look along time.

    Source:
        mmaction2 1.2.0, models/backbones/resnet3d.py.
    """

    def __init__(
        self,
        channels: int,
        planes: int,
        *,
        stride: Size,
        has_shortcut: bool,
        inflated: bool,
        style: str,
        bottleneck: bool,
    ) -> None:
        super().__init__()
        long, outputs = (3 if inflated else 1), planes * (4 if bottleneck else 1)
        if not bottleneck:
            kernel, padding = (long, 3, 3), (long // 2, 1, 1)
            self.conv1 = ConvNorm(channels, planes, kernel, stride=stride, padding=padding)
            self.conv2 = ConvNorm(planes, planes, kernel, padding=padding, relu=False)
        else:
            first, second = (long, 1) if style == "3x1x1" else (1, long)
            self.conv1 = ConvNorm(channels, planes, (first, 1, 1), padding=(first // 2, 0, 0))
            self.conv2 = ConvNorm(planes, planes, (second, 3, 3), stride=stride, padding=(second // 2, 1, 1))
            self.conv3 = ConvNorm(planes, outputs, (1, 1, 1), relu=False)
        self.downsample = ConvNorm(channels, outputs, (1, 1, 1), stride=stride, relu=False) if has_shortcut else None
        self.relu = nn.ReLU()

    def forward(self, volume: Volume) -> Volume:
        """The rectified sum of both ways."""
        residual = self.conv2(self.conv1(volume))
        if hasattr(self, "conv3"):
            residual = self.conv3(residual)
        return self.relu(residual + (volume if self.downsample is None else self.downsample(volume)))


class ResNet3d(nn.Module):
    """A ResNet over volumes; settings are those of a config's `backbone` or pathway, complete.

    Source:
        mmaction2 1.2.0, models/backbones/resnet3d.py, resnet3d_slowonly.py, resnet3d_slowfast.py (ResNet3dPathway).
    """

    def __init__(self, settings: dict[str, Any], lateral: Lateral | None = None) -> None:
        super().__init__()
        width, depth = settings["base_channels"], settings["depth"]
        bottleneck = depth >= _BOTTLENECK_FROM
        kernel = triple(settings["conv1_kernel"])
        stride = (settings["conv1_stride_t"], settings["conv1_stride_s"], settings["conv1_stride_s"])
        height, length = settings["pool1_stride_s"], settings["pool1_stride_t"]
        self.conv1 = ConvNorm(3, width, kernel, stride=stride, padding=_half(kernel))
        self.maxpool = nn.MaxPool3d((1, 3, 3), stride=(length, height, height), padding=(0, 1, 1))
        self.pool2 = nn.MaxPool3d((2, 1, 1), stride=(2, 1, 1))
        self.with_pool1, self.with_pool2 = settings["with_pool1"], settings["with_pool2"]
        # Named as published: `conv1_lateral`, then one behind each stage but the last.
        incoming = 0
        if lateral is not None:
            self.conv1_lateral = lateral.convolution(width)
            incoming = self.conv1_lateral.conv.out_channels
        channels, blocks = width, settings["stage_blocks"] or STAGE_BLOCKS[depth]
        self.stages = tuple(f"layer{index + 1}" for index in range(len(blocks)))
        for index, name in enumerate(self.stages):
            planes, inflate = width * 2**index, each(settings["inflate"], len(blocks))[index]
            stride = (settings["temporal_strides"][index], *(settings["spatial_strides"][index],) * 2)
            options = {"style": settings["inflate_style"], "bottleneck": bottleneck}
            inflated = [flag == 1 for flag in each(inflate, blocks[index])]
            self.add_module(name, _stage(channels + incoming, planes, stride, inflated, options))
            channels, incoming = planes * (4 if bottleneck else 1), 0
            if lateral is not None and index + 1 < len(blocks):
                convolution = lateral.convolution(channels)
                incoming = convolution.conv.out_channels
                self.add_module(f"{name}_lateral", convolution)
        self.width = channels

    def forward(self, volume: Volume) -> Volume:
        """Activations of the last stage."""
        volume = self.conv1(volume)
        if self.with_pool1:
            volume = self.maxpool(volume)
        for index, name in enumerate(self.stages):
            volume = self.get_submodule(name)(volume)
            if index == 0 and self.with_pool2:
                volume = self.pool2(volume)
        return volume


class SlowFast(nn.Module):
    """Two pathways of one clip: every `resample`-th frame, and more frames in fewer channels, which the slow one takes in.

    Source:
        Feichtenhofer et al. 2019, arXiv:1812.03982; mmaction2 1.2.0, models/backbones/resnet3d_slowfast.py.
    """

    def __init__(self, slow: ResNet3d, fast: ResNet3d, *, resample: int, speed_ratio: int) -> None:
        super().__init__()
        self.slow_path, self.fast_path = slow, fast
        self.steps = (resample, resample // speed_ratio)

    def forward(self, clip: Volume) -> tuple[Volume, Volume]:
        """Activations of the last stages, slow and fast."""
        slow, fast = (every(clip, step) for step in self.steps)
        slow, fast = (
            self.slow_path.maxpool(self.slow_path.conv1(slow)),
            self.fast_path.maxpool(self.fast_path.conv1(fast)),
        )
        lateral = "conv1_lateral"
        for name in self.slow_path.stages:
            if hasattr(self.slow_path, lateral):
                slow = torch.cat([slow, self.slow_path.get_submodule(lateral)(fast)], dim=1)
            slow, fast = self.slow_path.get_submodule(name)(slow), self.fast_path.get_submodule(name)(fast)
            lateral = f"{name}_lateral"
        return slow, fast


class VolumeScores(nn.Module):
    """A backbone over volumes with mean pooling and a linear layer; of two pathways, the fast one's means come first."""

    def __init__(self, backbone: nn.Module, *, width: int, outputs: int) -> None:
        super().__init__()
        self.backbone, self.cls_head = backbone, nn.Module()
        self.cls_head.fc_cls = nn.Linear(width, outputs)

    def forward(self, clip: Volume) -> Float[Tensor, "clip class"]:
        """Logits."""
        volumes = self.backbone(clip)
        pathways = volumes[::-1] if isinstance(volumes, tuple) else (volumes,)
        means = torch.cat([volume.mean((2, 3, 4)) for volume in pathways], dim=1)
        return self.cls_head.get_submodule("fc_cls")(means)


def every(clip: Volume, step: int) -> Volume:
    """Every `step`-th frame, as `interpolate(mode="nearest")` picks them: a rest at the end is left out."""
    frames = clip.shape[2] // step
    return clip.index_select(2, torch.arange(frames, device=clip.device) * step)


def _stage(
    channels: int, planes: int, stride: Size, inflated: Sequence[bool], options: dict[str, Any]
) -> nn.Sequential:
    outputs = planes * (4 if options["bottleneck"] else 1)
    # A stride along time alone gets no shortcut in mmaction2 either, and fails there.
    shortcut = stride[1] != 1 or channels != outputs
    blocks = [Block(channels, planes, stride=stride, has_shortcut=shortcut, inflated=inflated[0], **options)]
    for flag in inflated[1:]:
        blocks.append(Block(outputs, planes, stride=(1, 1, 1), has_shortcut=False, inflated=flag, **options))
    return nn.Sequential(*blocks)


def each(value: Any, count: int) -> tuple[Any, ...]:
    """One value for each of `count`, where a single one stands for all."""
    return value if isinstance(value, tuple) else (value,) * count


def triple(value: Any) -> Size:
    """Three sizes, where one stands for all."""
    time, height, width = each(value, 3)
    return time, height, width


def _half(kernel: Size) -> Size:
    time, height, width = ((size - 1) // 2 for size in kernel)
    return time, height, width
