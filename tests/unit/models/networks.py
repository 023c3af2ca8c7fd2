"""Tiny networks with known axes."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.axes.probe_cells import misplaced
from video_tcav.models.hooks import record_activations
from video_tcav.models.layers import layers_axes, noise_clip
from video_tcav.models.video_model import VideoModel


class ChannelsLast(nn.Module):
    """Patches, then everything with the channel last."""

    def __init__(self, width: int = 6, classes: int = 4) -> None:
        super().__init__()
        self.patch = nn.Conv3d(3, width, (2, 4, 4), (2, 4, 4))
        self.blocks = nn.Sequential(nn.LayerNorm(width), nn.Sequential(nn.Linear(width, width), nn.GELU()))
        self.head = nn.Linear(width, classes)

    def forward(self, clip: Tensor) -> Tensor:
        return self.head(self.blocks(self.patch(clip).permute(0, 2, 3, 4, 1)).mean((1, 2, 3)))


class Tokens(nn.Module):
    """A transformer with prefix tokens and any order of the grid; `mix` makes every token see all others at once."""

    def __init__(
        self,
        order: tuple[str, str, str] = ("time", "height", "width"),
        prefix: int = 1,
        depth: int = 2,
        mix: int = 0,
        width: int = 16,
    ) -> None:
        super().__init__()
        self.patch = nn.Conv3d(3, width, (2, 4, 4), (2, 4, 4))
        self.order = [2 + ("time", "height", "width").index(axis) for axis in order]
        self.prefix = nn.Parameter(torch.randn(1, prefix, width))
        self.mix = nn.Linear(mix, mix) if mix else nn.Identity()
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True) for _ in range(depth)
        )
        self.head = nn.Linear(width, 4)

    def forward(self, clip: Tensor) -> Tensor:
        tokens = self.patch(clip).permute(0, *self.order, 1).flatten(1, 3)
        tokens = self.mix(tokens.transpose(1, 2)).transpose(1, 2)
        tokens = torch.cat([self.prefix.expand(len(tokens), -1, -1), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, -1])


class FrameWise(nn.Module):
    """An image network on each frame, time folded into the batch; then a convolution over time."""

    def __init__(self, time_major: bool = False) -> None:
        super().__init__()
        self.time_major = time_major
        self.image = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))
        self.temporal = nn.Conv1d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, clip: Tensor) -> Tensor:
        clips, _, frames = clip.shape[:3]
        images = clip.permute(2, 0, 1, 3, 4) if self.time_major else clip.transpose(1, 2)
        seen = self.image(images.flatten(0, 1)).mean((2, 3))
        sizes = (frames, clips) if self.time_major else (clips, frames)
        seen = seen.unflatten(0, sizes).movedim(0 if self.time_major else 1, -1)
        return self.head(self.temporal(seen).mean(2))


class Convolutions(nn.Module):
    """Four small stages with channels first; its output and a stage's can be wrapped."""

    def __init__(self, num_classes: int = 3, wrap: Callable[[Tensor], object] = lambda logits: logits) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            *(nn.Sequential(nn.Conv3d(a, b, 3, padding=1), nn.ReLU()) for a, b in ((3, 4), (4, 5), (5, 6)))
        )
        self.head = nn.Linear(6, num_classes)
        self.wrap = wrap

    def forward(self, clip: Tensor) -> object:
        return self.wrap(self.head(self.stages(clip).mean((2, 3, 4))))


class GlobalMix(nn.Module):
    """Looks like a convolutional network, but each position sees the whole clip."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 6, 4, 4)
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(384, 384), nn.Unflatten(1, (6, 4, 4, 4)))
        self.head = nn.Linear(6, 4)

    def forward(self, clip: Tensor) -> Tensor:
        return self.head(self.mix(self.stem(clip)).mean((2, 3, 4)))


class Blocked(nn.Module):
    """Tokens in the order of mask units, as Hiera's: units row by row, and the tokens of each unit one after the other."""

    def __init__(self, unit: tuple[int, int, int], depth: int = 1, prefix: int = 0, width: int = 16) -> None:
        super().__init__()
        self.unit, self.patch = unit, nn.Conv3d(3, width, (2, 4, 4), (2, 4, 4))
        self.prefix = nn.Parameter(torch.randn(1, prefix, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True) for _ in range(depth)
        )
        self.head = nn.Linear(width, 4)

    def forward(self, clip: Tensor) -> Tensor:
        grid = self.patch(clip)
        for dim, size in zip((2, 4, 6), self.unit, strict=True):
            grid = grid.unflatten(dim, (-1, size))  # (clip, channel, time, in unit, height, in unit, width, in unit)
        tokens = grid.permute(0, 2, 4, 6, 3, 5, 7, 1).flatten(1, 6)
        tokens = torch.cat([self.prefix.expand(len(tokens), -1, -1), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens.mean(1))


class Folded(nn.Module):
    """An image network on each frame, whose answers are averaged (TSN) or go through something over time."""

    clip_spec = {"frames": 4, "size": 32}

    def __init__(self, image: nn.Module, width: int, over_time: nn.Module | None = None) -> None:
        super().__init__()
        self.image, self.over_time, self.head = image, over_time, nn.Linear(width, 3)

    def forward(self, clip: Tensor) -> Tensor:
        rows = self.image(clip.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(clip), -1))
        if self.over_time is not None:
            rows = self.over_time(rows)[0]
        return self.head(rows.mean(1))


def image_network() -> nn.Module:
    """Eight numbers for each image."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


class Shift(nn.Module):
    """Temporal shift (TSM) before a convolution on folded frames."""

    clip_spec = {"frames": 4, "size": 32}

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stage, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1), nn.Linear(8, 3)

    def forward(self, clip: Tensor) -> Tensor:
        rows = self.stem(clip.transpose(1, 2).flatten(0, 1)).relu().unflatten(0, (len(clip), -1))
        shifted = torch.zeros_like(rows)
        shifted[:, :-1, :2], shifted[:, 1:, 2:4], shifted[:, :, 4:] = rows[:, 1:, :2], rows[:, :-1, 2:4], rows[:, :, 4:]
        return self.head(self.stage(shifted.flatten(0, 1)).relu().mean((2, 3))).unflatten(0, (len(clip), -1)).mean(1)


class Stream(nn.Module):
    """Puts the last clip's features in front, which must be of the same number of clips, as MoViNet's stream buffers do."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        joined = features if self.memory is None else torch.cat([self.memory, features], 2)
        self.memory = features[:, :, -1:]
        return joined


def huggingface(family: str = "VideoMAE", **settings: object) -> nn.Module:
    """A small random classifier of Hugging Face, as code holds it in memory."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = getattr(transformers, f"{family}Config")(image_size=32, patch_size=8, num_frames=4, **sizes, **settings)
    return getattr(transformers, f"{family}ForVideoClassification")(config).eval()


@contextmanager
def unchanged(model: VideoModel) -> Iterator[None]:
    """Weights, modes, flags and hooks are the same at the end, and so is the global random state."""
    digest, modes = model.weights_digest, [part.training for part in model.module.modules()]
    state, flags = torch.get_rng_state(), [p.requires_grad for p in model.module.parameters()]
    try:
        yield
    finally:
        assert VideoModel.weights_digest.func(model) == digest  # type: ignore[attr-defined]
        assert [part.training for part in model.module.modules()] == modes
        assert [p.requires_grad for p in model.module.parameters()] == flags
        assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.module.modules())
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.is_grad_enabled()


def layers_that_single_cells_contradict(
    model: VideoModel, reading: Callable[[LayerAxes], LayerAxes] = lambda axes: axes
) -> set[str]:
    """Stages whose declared axes, changed by `reading`, do not say where single cells of a noise clip answer."""
    stages, clip = model.stages(), noise_clip(model)
    axes = {name: reading(declared) for name, declared in layers_axes(model, stages).items()}
    return set(
        misplaced(model, axes, record_activations(model, stages, clip), clip, (model.clip_spec.time_dim + 1, 3, 4))
    )


def in_another_order(axes: LayerAxes) -> LayerAxes:
    """A wrong reading of the same tokens: the slowest and the fastest axis change places."""
    return dataclasses.replace(axes, token_order=axes.token_order[::-1])


def pooled_without_overlap(module: nn.Module) -> None:
    """Make the poolings of MViT take the central token alone: random overlapping kernels may answer more at a neighbour."""
    for part in module.modules():
        if isinstance(part, nn.Conv3d) and part.groups > 1:
            nn.init.dirac_(part.weight, part.groups)
