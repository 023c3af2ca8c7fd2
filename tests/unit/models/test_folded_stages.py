import pytest
import torch
from torch import nn
from torchvision.models import resnet18

import video_tcav as vt
from video_tcav.core.errors import LayerNotFoundError
from video_tcav.models.layers import layers_axes
from video_tcav.models.load import load_model

FRAMES = 4


class Folded(nn.Module):
    """An image network on each frame, whose answers are averaged (TSN) or go through something over time."""

    clip_spec = {"frames": FRAMES, "size": 32}

    def __init__(self, image, width, over_time=None):
        super().__init__()
        self.image, self.over_time, self.head = image, over_time, nn.Linear(width, 3)

    def forward(self, clip):
        rows = self.image(clip.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(clip), -1))
        if self.over_time is not None:
            rows = self.over_time(rows)[0]
        return self.head(rows.mean(1))


def image_network(pooled=True):
    convolutions = [nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1)]
    return nn.Sequential(*convolutions, *([nn.AdaptiveAvgPool2d(1), nn.Flatten()] if pooled else []))


class Shift(nn.Module):
    """Temporal shift (TSM) before a convolution on folded frames."""

    clip_spec = {"frames": FRAMES, "size": 32}

    def __init__(self):
        super().__init__()
        self.stem, self.stage, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1), nn.Linear(8, 3)

    def forward(self, clip):
        rows = self.stem(clip.transpose(1, 2).flatten(0, 1)).relu().unflatten(0, (len(clip), -1))
        shifted = torch.zeros_like(rows)
        shifted[:, :-1, :2], shifted[:, 1:, 2:4], shifted[:, :, 4:] = rows[:, 1:, :2], rows[:, :-1, 2:4], rows[:, :, 4:]
        return self.head(self.stage(shifted.flatten(0, 1)).relu().mean((2, 3))).unflatten(0, (len(clip), -1)).mean(1)


class Patches(nn.Module):
    """A small image transformer, as CLIP's, with a class token."""

    def __init__(self, width=16):
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, width, 8, 8), nn.Parameter(torch.randn(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, 17, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True) for _ in range(2)
        )

    def forward(self, images):
        tokens = self.patch(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1) + self.place
        for block in self.blocks:
            tokens = block(tokens)
        return tokens.mean(1)


def residual_network():
    network = resnet18(num_classes=8)
    network.fc = nn.Identity()
    return network


RESNET = tuple(f"image.layer{number}" for number in (1, 2, 3, 4))
IMAGE = ("clip", "time", "channel", "height", "width")


@pytest.mark.parametrize(
    ("build", "stages", "dims"),
    [
        (Shift, ("stem", "stage"), IMAGE),
        (lambda: Folded(residual_network(), 512), RESNET, IMAGE),
        (lambda: Folded(residual_network(), 512, nn.LSTM(512, 512, batch_first=True)), (*RESNET, "over_time"), IMAGE),
        (lambda: Folded(Patches(), 16), ("image.blocks.0", "image.blocks.1"), ("clip", "time", "token", "channel")),
    ],
)
@pytest.mark.parametrize("wrap", [lambda network: network, lambda network: torch.compile(network, backend="eager")])
def test_stages_of_networks_over_folded_frames(build, stages, dims, wrap):
    torch.manual_seed(0)
    model = load_model(wrap(build()))
    assert model.default_layers == stages
    axes = layers_axes(model, stages)
    assert axes[stages[0]].dims == dims
    assert axes[stages[0]].fold == FRAMES


def test_frames_before_clips_are_no_stage():
    class TimeMajor(Shift):
        def forward(self, clip):
            rows = self.stage(self.stem(clip.permute(2, 0, 1, 3, 4).flatten(0, 1)))
            return self.head(rows.mean((2, 3))).unflatten(0, (-1, len(clip))).mean(0)

    assert load_model(TimeMajor()).default_layers == ()


def test_a_model_without_stages_says_so_before_any_clip_is_passed(tmp_path):
    class Flat(nn.Module):
        clip_spec = {"frames": FRAMES, "size": 8}

        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, clip):
            return self.head(clip.mean((2, 3, 4)))

    model = load_model(Flat())
    with pytest.raises(
        LayerNotFoundError, match=r"`layers` must be given for Flat, which has no default layers. Got none"
    ):
        vt.run_tcav(model, target="1", clips=tmp_path, concepts={"a": tmp_path}, random=tmp_path)
    with pytest.raises(LayerNotFoundError, match="has no default layers"):
        vt.learn_cavs(model, concepts={"a": tmp_path}, random=tmp_path)
