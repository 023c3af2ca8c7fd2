import pytest
import torch
from torch import nn
from torchvision.models import resnet18

import video_tcav as vt
from video_tcav.core.errors import LayerNotFoundError
from video_tcav.models.layers import layers_axes
from video_tcav.models.load import load_model

from .networks import Folded, Shift


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
    assert axes[stages[0]].fold == build().clip_spec["frames"]


def test_frames_before_clips_are_no_stage():
    class TimeMajor(Shift):
        def forward(self, clip):
            rows = self.stage(self.stem(clip.permute(2, 0, 1, 3, 4).flatten(0, 1)))
            return self.head(rows.mean((2, 3))).unflatten(0, (-1, len(clip))).mean(0)

    assert load_model(TimeMajor()).default_layers == ()


def test_a_model_without_stages_says_so_before_any_clip_is_passed(tmp_path):
    class Flat(nn.Module):
        clip_spec = {"frames": 4, "size": 8}

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
