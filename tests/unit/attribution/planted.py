"""Small models and clips whose truth is known because it was put there."""

import torch
from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.models import VideoModel

SHAPE = (8, 12, 12)
BOX = (slice(2, 6), slice(2, 8), slice(4, 10))
"""Frames, rows and columns: 144 of 1152 voxels."""


class BoxReader(nn.Module):
    """The first class is as likely as the box is bright; nothing else counts."""

    def __init__(self, layout="channels_first"):
        super().__init__()
        self.layout = layout
        self.register_buffer("scale", torch.tensor(12.0, dtype=torch.float64))

    def forward(self, clips):
        clips = clips if self.layout == "channels_first" else clips.transpose(1, 2)
        bright = clips[(slice(None), slice(None), *BOX)].mean((1, 2, 3, 4))
        return torch.stack([self.scale * (bright - 0.5), torch.zeros_like(bright)], dim=1)


class SmallNet(nn.Module):
    """Two stages and a head, a norm that keeps statistics, and a parameter that no module can draw anew."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, 3, *SHAPE))
        self.stem = nn.Conv3d(3, 4, 3, padding=1)
        self.stages = nn.Sequential(
            nn.Sequential(nn.Conv3d(4, 6, 3, padding=1), nn.BatchNorm3d(6), nn.Tanh()),
            nn.Sequential(nn.Conv3d(6, 6, 3, padding=1), nn.Tanh()),
        )
        self.head = nn.Linear(6, 3)

    def forward(self, clips):
        return self.head(self.stages(self.stem(clips + 0.1 * self.place)).mean((2, 3, 4)))


class BrightestBlock(nn.Module):
    """The first class is as likely as the brightest 4 × 4 × 4 block of the clip is bright, wherever it is."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor(12.0, dtype=torch.float64))

    def forward(self, clips):
        blocks = nn.functional.avg_pool3d(clips.mean(1, keepdim=True), 4, stride=1)
        brightest = blocks.flatten(1).amax(1)
        return torch.stack([self.scale * (brightest - 0.5), torch.zeros_like(brightest)], dim=1)


def described(module, classes, *, layers=(), layout="channels_first"):
    return VideoModel(
        name=type(module).__name__,
        module=module.eval(),
        clip_spec=ClipSpec(frames=SHAPE[0], size=SHAPE[1:], mean=(0, 0, 0), std=(1, 1, 1), layout=layout),
        classes=classes,
        default_layers=layers,
        prepare=lambda clip: clip,
    )


def box_model(layout="channels_first"):
    return described(BoxReader(layout), ("bright", "dark"), layout=layout)


def brightest_block_model():
    return described(BrightestBlock(), ("bright", "dark"))


def bright_blocks(corners):
    """Dark clips with one bright block of 4 × 4 × 4 each at its corner, and the masks of these blocks."""
    masks = torch.zeros(len(corners), *SHAPE, dtype=torch.bool)
    for mask, (frame, row, column) in zip(masks, corners, strict=True):
        mask[frame : frame + 4, row : row + 4, column : column + 4] = True
    return masks[:, None].expand(-1, 3, -1, -1, -1).double(), masks


def small_model():
    """Seeded, without a trace in the global random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallNet().double()
        norm = network.stages[0][1]
        for learned in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            learned.data.uniform_(0.5, 1.5)
    return described(network, ("a", "b", "c"), layers=("stages.0", "stages.1"))


def box_mask(clips=1):
    mask = torch.zeros(clips, *SHAPE, dtype=torch.bool)
    mask[(slice(None), *BOX)] = True
    return mask


def noise(clips, seed, low=0.0, high=1.0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(clips, 3, *SHAPE, generator=generator, dtype=torch.float64)


def blobs(clips, seed):
    """A bright spot that is somewhere else in each clip, over noise."""
    generator = torch.Generator().manual_seed(seed)
    found = 0.2 * noise(clips, seed)
    for clip in found:
        row, column = torch.randint(0, SHAPE[1] - 4, (2,), generator=generator).tolist()
        clip[:, :, row : row + 4, column : column + 4] += 1
    return found
