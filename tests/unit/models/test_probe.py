import dataclasses

import pytest
import torch
from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import AxesError
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.axes.probe import probe_axes
from video_tcav.models.layers import layer_axes, layers_axes, noise_clip
from video_tcav.models.load import load_model

from .networks import ChannelsLast, Convolutions, FrameWise, GlobalMix, Tokens, unchanged

THW = ("time", "height", "width")


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_channels_first_and_last():
    model = load_model(ChannelsLast(), frames=8, size=(24, 20))
    with unchanged(model):
        axes = layers_axes(model, ["patch", "blocks.0", "blocks.1"])
    assert axes["patch"].dims == ("clip", "channel", *THW)
    assert axes["blocks.0"].dims == axes["blocks.1"].dims == ("clip", *THW, "channel")


@pytest.mark.parametrize("prefix", [0, 1, 2])
@pytest.mark.parametrize("order", [THW, ("height", "width", "time"), ("width", "time", "height")])
def test_token_layers(order, prefix):
    model = load_model(Tokens(order=order, prefix=prefix), frames=8, size=(16, 24))
    expected = LayerAxes(dims=("clip", "token", "channel"), token_order=order, grid=(4, 4, 6), prefix_tokens=prefix)
    assert layers_axes(model, model.default_layers) == {"blocks.0": expected, "blocks.1": expected}


def test_a_square_token_layer_of_real_size():
    model = load_model(Tokens(depth=1), frames=16, size=56)
    axes = layer_axes(model, "blocks.0")
    assert (axes.token_order, axes.grid, axes.prefix_tokens) == (THW, (8, 14, 14), 1)


def test_probed_positions_are_where_the_clip_changed():
    model = load_model(Tokens(order=("height", "width", "time")), frames=8, size=(16, 24))
    axes = layer_axes(model, "blocks.1")
    clip = noise_clip(model)
    changed = clip.clone()
    changed[:, :, 4:6, 8:12, 20:24] += 5.0  # the patch at time 2, height 2, width 5
    seen = []
    handle = model.layer("blocks.1").register_forward_hook(lambda _m, _i, output: seen.append(output))
    with torch.no_grad():
        model.logits(clip)
        model.logits(changed)
    handle.remove()
    moved = (axes.positions(seen[1]) - axes.positions(seen[0])).abs().sum(-1)[0]
    assert moved.argmax() == torch.tensor([2 * 24 + 2 * 6 + 5])


@pytest.mark.parametrize(
    ("network", "size", "layer"), [(GlobalMix(), 16, "mix"), (Tokens(mix=64, prefix=1), 16, "blocks.0")]
)
def test_global_mixing_is_ambiguous(network, size, layer):
    model = load_model(network, frames=16 if layer == "mix" else 8, size=size)
    with unchanged(model), pytest.raises(AxesError, match=r"`layer` must have axes that can be told apart. Got "):
        layer_axes(model, layer)


def test_frames_folded_into_the_batch():
    model = load_model(FrameWise(), frames=8, size=32)
    axes = layers_axes(model, ["image", "temporal"])
    assert axes["image"] == LayerAxes(dims=("clip", "time", "channel", "height", "width"), fold=8)
    assert axes["temporal"] == LayerAxes(dims=("clip", "channel", "time"))
    activation = torch.randn(24, 8, 8, 8)
    assert torch.equal(axes["image"].positions(activation)[1, 2, 3, 4], activation[10, :, 3, 4])


def test_frames_before_clips_are_refused():
    model = load_model(FrameWise(time_major=True), frames=8, size=32)
    with pytest.raises(
        AxesError, match=r"keep the rows of one clip together. Got image with 8 rows a clip, time-major"
    ):
        layer_axes(model, "image")


def test_a_clip_dimension_elsewhere_is_refused():
    class SequenceFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.mlp, self.head = nn.Conv3d(3, 6, 4, 4), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, clip):
            return self.head(self.mlp(self.patch(clip).flatten(2).permute(2, 0, 1)).mean(0))

    with pytest.raises(AxesError, match=r"clip as its first dimension. Got mlp with shapes \(16, 1, 6\)"):
        layer_axes(load_model(SequenceFirst(), frames=4, size=16), "mlp")


def test_clips_that_see_each_other_are_refused():
    class Mixing(Convolutions):
        def forward(self, clip):
            return super().forward(clip - clip.mean(0, keepdim=True) / 2)

    with pytest.raises(AxesError, match=r"keep the rows of one clip together. Got stages.0 with 1 rows"):
        layer_axes(load_model(Mixing(), frames=4, size=8, allow_impure=True), "stages.0")


def test_dimensions_of_size_one_by_elimination():
    network = nn.Sequential(
        nn.Conv3d(3, 4, 3, padding=1), nn.AdaptiveAvgPool3d((None, 1, 1)), nn.Flatten(), nn.Linear(32, 2)
    )
    axes = layers_axes(load_model(network, frames=8, size=16), ["1", "2"])
    assert axes["1"].dims == ("clip", "channel", *THW)
    assert axes["2"].dims == ("clip", "channel")
    assert not axes["2"].has_positions


class Stretched(nn.Module):
    """Patches of one frame (`step` frames), whose frames are made more by `stretch`, in any layout."""

    clip_spec = {"frames": 8, "size": 32}

    def __init__(self, stretch, layout=lambda grid: grid, step=1, width=6):
        super().__init__()
        self.patch, self.layer = nn.Conv3d(3, width, (step, 4, 4), (step, 4, 4)), nn.Identity()
        self.stretch, self.layout = stretch, layout

    def forward(self, clip):
        return self.layer(self.layout(self.stretch(self.patch(clip)))).flatten(1)[:, ::64][:, :4]


def twice_each(grid):
    return grid.repeat_interleave(2, 2)


def twice_over(grid):
    return torch.cat([grid, grid], 2)


def tokens(grid):
    return grid.flatten(2).transpose(1, 2)


LAYOUTS = {
    "channels first": lambda grid: grid,
    "channels last": lambda grid: grid.permute(0, 2, 3, 4, 1),
    "tokens": tokens,
    "tokens of a smaller grid": lambda grid: tokens(nn.functional.avg_pool3d(grid, (1, 2, 2))),
    "one channel": lambda grid: grid.mean(1, keepdim=True),
    "one channel, last": lambda grid: grid.mean(1)[..., None],
    "no place": lambda grid: grid.mean((3, 4)),
    "no place, channels last": lambda grid: grid.mean((3, 4)).transpose(1, 2),
}


@pytest.mark.parametrize("stretch", [twice_each, twice_over, lambda grid: nn.functional.interpolate(grid, (24, 8, 8))])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_more_times_than_frames_are_refused(stretch, layout):
    model = load_model(Stretched(stretch, LAYOUTS[layout]))
    with pytest.raises(AxesError, match="`layer` must"):
        layer_axes(model, "layer")


def test_as_many_times_as_frames_are_read():
    assert layer_axes(load_model(Stretched(twice_each, step=2)), "layer").dims == ("clip", "channel", *THW)
    assert layer_axes(load_model(Stretched(twice_each, tokens, step=2)), "layer").grid == (8, 8, 8)
    # Where time runs fastest, frames that come twice are as many places twice, each with its frames.
    time_fastest = Stretched(twice_over, lambda grid: tokens(grid.movedim(2, 4)))
    assert layer_axes(load_model(time_fastest), "layer").grid == (8, 8, 16)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_frames_that_begin_anew_are_refused(layout):
    model = load_model(Stretched(twice_over, LAYOUTS[layout], step=2))
    with pytest.raises(AxesError, match="where a cell of the clip responds elsewhere than its axes say"):
        layer_axes(model, "layer")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("r3d_18", {"frames": 8, "size": 32}),
        ("r2plus1d_18", {"frames": 4, "size": 32}),
        ("swin3d_t", {"frames": 8, "size": 64}),
    ],
)
def test_declared_axes_are_what_probing_finds(name, options):
    model = load_model(f"torchvision:{name}", **options)
    declared = layers_axes(model, model.default_layers)
    with unchanged(model):
        assert probe_axes(model, model.default_layers, noise_clip(model)) == declared


def test_declared_axes_of_s3d_are_what_probing_finds():
    model = load_model("torchvision:s3d")
    model.module.avgpool = nn.AdaptiveAvgPool3d(1)  # the published one takes 224 pixels and more
    model = dataclasses.replace(model, clip_spec=ClipSpec(frames=16, size=(64, 64)))
    declared = layers_axes(model, model.default_layers)
    assert probe_axes(model, model.default_layers, noise_clip(model)) == declared
