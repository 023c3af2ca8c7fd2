"""Where a layer's positions lie: by the arithmetic of kernels, and by what a single bright voxel lights up."""

import pytest
import torch
from torch import nn

import video_tcav as vt
from video_tcav.attribution.attribution_map import to_clip
from video_tcav.models.axes.spacing import Spacing, even_spacing, layer_spacings
from video_tcav.models.layers import layers_axes

from .networks import FrameWise, Tokens, unchanged


class Strided(nn.Module):
    """Each axis has a kernel, stride and padding of its own; a residual branch and a pooling behind it."""

    def __init__(self, padding="given"):
        super().__init__()
        pads = (1, 0, 2) if padding == "given" else 0
        self.first = nn.Conv3d(3, 4, (3, 2, 5), (2, 2, 3), pads)
        self.same = nn.Conv3d(4, 4, 3, padding="same", dilation=2)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.stages = nn.Identity()
        self.head = nn.Linear(4, 2)

    def forward(self, clip):
        seen = torch.relu(self.first(clip))
        return self.head(self.stages(self.pool(seen + self.same(seen))).mean((2, 3, 4)))


def spacings_of(model, layer):
    return layer_spacings(model, layers_axes(model, [layer]))[layer]


def test_kernel_stride_padding_and_pooling():
    model = vt.load_model(Strided(), frames=12, size=(32, 48))
    with unchanged(model):
        time, height, width = spacings_of(model, "stages")
    assert time == Spacing(first=0.0, step=2.0)  # (3 - 1) / 2 - 1
    assert height == Spacing(first=0.5, step=4.0)  # (2 - 1) / 2 - 0, and then a pooling that is centred
    assert width == Spacing(first=0.0, step=6.0)


class Averages(nn.Module):
    """Positive weights alone, so that every voxel lights up what sees it, the most where it is in the middle."""

    def __init__(self):
        super().__init__()
        sizes = ((3, 4, (1, 7, 7), (1, 2, 2), (0, 3, 3)), (4, 4, 3, 2, 1), (4, 4, (2, 3, 3), (1, 2, 2), (0, 1, 1)))
        parts = []
        for inputs, outputs, kernel, stride, padding in sizes:
            conv = nn.Conv3d(inputs, outputs, kernel, stride, padding)
            with torch.no_grad():
                conv.weight.fill_(1.0)
                conv.bias.zero_()
            parts.append(conv)
        self.stages = nn.Sequential(*parts)
        self.head = nn.Linear(4, 2)

    def forward(self, clip):
        return self.head(self.stages(clip).mean((2, 3, 4)))


class PaddedByHand(nn.Module):
    """Convolutions without padding behind padding by hand, as networks from TensorFlow have: more at the end than in front."""

    def __init__(self):
        super().__init__()
        stages = Averages().stages
        for conv in stages:
            conv.padding = (0, 0, 0)
        first, second, third = stages
        self.stages = nn.Sequential(
            nn.Sequential(nn.ConstantPad3d((2, 3, 3, 3, 0, 0), 0.0), first),
            nn.Sequential(nn.ReplicationPad3d(1), second),
            nn.Sequential(nn.ZeroPad3d((0, 1, 0, 1, 1, 0)), third),
        )
        self.head = nn.Linear(4, 2)

    def forward(self, clip):
        return self.head(self.stages(clip).mean((2, 3, 4)))


@pytest.mark.parametrize("network", [Averages, PaddedByHand])
@pytest.mark.parametrize("layer", ["stages.0", "stages.1", "stages.2"])
def test_the_middle_of_what_a_position_sees_is_where_it_is_said_to_lie(layer, network):
    model = vt.load_model(network(), frames=12, size=(48, 64))
    spacings = spacings_of(model, layer)
    clip = torch.zeros(1, 3, 12, 48, 64, requires_grad=True)
    seen = {}
    handle = model.layer(layer).register_forward_hook(lambda _m, _i, output: seen.update(out=output))
    model.logits(clip)
    handle.remove()
    place = [size // 2 for size in seen["out"].shape[2:]]
    (reach,) = torch.autograd.grad(seen["out"][(0, 0, *place)], clip)
    for axis, (spacing, index) in enumerate(zip(spacings, place, strict=True)):
        profile = reach[0, 0].sum([other for other in range(3) if other != axis])
        middle = float((profile * torch.arange(len(profile))).sum() / profile.sum())
        assert spacing.first + index * spacing.step == pytest.approx(middle)


@pytest.mark.parametrize(
    ("name", "options", "layer", "expected"),
    [
        ("r3d_18", {"frames": 16, "size": 112}, "layer4", [(0, 8), (0, 16), (0, 16)]),
        ("swin3d_t", {"frames": 8, "size": 64}, "features.2", [(0.5, 2), (3.5, 8), (3.5, 8)]),
    ],
)
def test_published_architectures(name, options, layer, expected):
    model = vt.load_model(f"torchvision:{name}", **options)
    assert [(one.first, one.step) for one in spacings_of(model, layer)] == expected


def test_tokens_lie_in_the_middle_of_their_patches_and_frames_keep_their_time():
    model = vt.load_model(Tokens(order=("height", "width", "time")), frames=8, size=(16, 24))
    found = [(one.first, one.step) for one in spacings_of(model, "blocks.1")]
    assert found == [(0.5, 2.0), (1.5, 4.0), (1.5, 4.0)]
    model = vt.load_model(FrameWise(), frames=4, size=16)
    assert [(one.first, one.step) for one in spacings_of(model, "image")] == [(0.0, 1.0), (0.0, 4.0), (0.0, 4.0)]


def test_a_map_is_enlarged_around_the_true_middles():
    found = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    found[0, 1, 2, 1] = 1.0
    spacings = (Spacing(first=0.0, step=4.0), even_spacing(3, 9), Spacing(first=0.0, step=4.0))
    large = to_clip(found, (8, 9, 16), spacings)[0]
    assert [int(index) for index in (large == 1).nonzero()[0]] == [4, 7, 4]
    assert float(large[4, 7, 6]) == pytest.approx(0.5)
    torch.testing.assert_close(to_clip(torch.ones(1, 2, 3, 4), (8, 9, 16), spacings), torch.ones(1, 8, 9, 16))


def test_without_word_it_is_plain_trilinear_enlargement():
    found = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plain = nn.functional.interpolate(found[:, None], size=(8, 10, 15), mode="trilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(to_clip(found, (8, 10, 15)), plain)
