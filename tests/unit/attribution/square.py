"""A clip whose only change is a moving square, and a network of any layout that reads bright squares and nothing else."""

import torch
from torch import Tensor, nn

from video_tcav.models import VideoModel, load_model

FRAMES, HEIGHT, WIDTH = 8, 24, 40  # no two alike, so that swapped axes cannot hide
PATCH = (2, 4, 4)
GRID = (4, 6, 10)
LAYOUTS = ("channels_first", "channels_last", "tokens", "tokens_time_fastest", "frame_by_frame")


class SquareReader(nn.Module):
    """Patches, each channel sees brightness in its own way; the head adds them up for class 0.

    The layer `read` gives its activation in the layout that was asked for.
    """

    def __init__(self, layout: str, channels: int = 5) -> None:
        super().__init__()
        self.layout = layout
        self.patch = nn.Conv3d(3, channels, PATCH, PATCH)
        with torch.no_grad():
            strength = torch.linspace(0.5, 1.0, channels).reshape(-1, 1, 1, 1, 1)
            texture = torch.randn(self.patch.weight.shape, generator=torch.Generator().manual_seed(0))
            self.patch.weight.copy_((strength + 0.5 * texture) / self.patch.weight[0].numel())
            self.patch.bias.fill_(0.2)
        self.read = _Layout(layout)
        self.head = nn.Linear(channels, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0], [-0.5], [0.1]]).expand(3, channels))
            self.head.bias.zero_()

    def forward(self, clip: Tensor) -> Tensor:
        seen = torch.relu(self.patch(clip))
        positions = self.read(seen + 3 * torch.relu(seen - 0.8))  # bright patches have the steeper slope
        if self.layout == "frame_by_frame":
            positions = positions.unflatten(0, (len(clip), -1)).transpose(1, 2)
        dim = {"channels_last": 4, "tokens": 2, "tokens_time_fastest": 2}.get(self.layout, 1)
        others = [axis for axis in range(1, positions.ndim) if axis != dim]
        return self.head(positions.sum(others))


class _Layout(nn.Module):
    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, found: Tensor) -> Tensor:
        if self.layout == "channels_last":
            return found.permute(0, 2, 3, 4, 1).contiguous()
        if self.layout == "tokens":
            return _with_class_token(found.flatten(2).transpose(1, 2))
        if self.layout == "tokens_time_fastest":
            return _with_class_token(found.permute(0, 3, 4, 2, 1).flatten(1, 3))
        if self.layout == "frame_by_frame":
            return found.transpose(1, 2).flatten(0, 1)
        return found.clone()


def _with_class_token(tokens: Tensor) -> Tensor:
    return torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)


def reader(layout: str) -> VideoModel:
    """The model, which nobody told the axes of its layers."""
    return load_model(
        SquareReader(layout).double(), frames=FRAMES, size=(HEIGHT, WIDTH), classes=["square", "none", "other"]
    )


def square_clip() -> tuple[Tensor, Tensor]:
    """A prepared clip, dark but for a square that moves in frames 4 and 5 near the right bottom; and where it is."""
    clip = torch.full((1, 3, FRAMES, HEIGHT, WIDTH), 0.01, dtype=torch.float64)
    there = torch.zeros(FRAMES, HEIGHT, WIDTH, dtype=torch.bool)
    for frame, left in ((4, 27), (5, 29)):
        there[frame, 15:21, left : left + 6] = True
    clip[:, :, there] = 2.0
    return clip, there
