import pytest
import torch
from torch import nn

from video_tcav.core.errors import AxesError, LayerNotFoundError
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import LayerInfo, evenly_spaced, layer_axes, layers_axes, list_layers, noise_clip
from video_tcav.models.load import load_model

from .networks import ChannelsLast, Convolutions, FrameWise, unchanged


class Twice(nn.Module):
    """Runs one activation twice, and one layer never."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv3d(3, 4, 3, padding=1), nn.Conv3d(4, 5, 3, padding=1)
        self.relu, self.idle, self.head = nn.ReLU(), nn.Conv3d(3, 3, 1), nn.Linear(5, 2)

    def forward(self, clip):
        return self.head(self.relu(self.second(self.relu(self.first(clip)))).mean((2, 3, 4)))


class Breaks(Convolutions):
    """Raises from the second forward on, once armed."""

    calls = -100

    def forward(self, clip):
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("broken")
        return super().forward(clip)


def test_layers_in_the_order_of_execution():
    model = load_model(Convolutions(), frames=4, size=8)
    with unchanged(model):
        layers = list_layers(model)
    names = [layer.name for layer in layers]
    expected = (
        "stages.0.0 stages.0.1 stages.0 stages.1.0 stages.1.1 stages.1 stages.2.0 stages.2.1 stages.2 stages head"
    )
    assert names == expected.split()
    by_name = {layer.name: layer for layer in layers}
    assert by_name["stages.1"].shape == (1, 5, 4, 8, 8)
    assert by_name["stages.1"].is_default
    assert not by_name["stages"].is_default
    assert by_name["head"].axes == LayerAxes(dims=("clip", "channel"))


def test_probing_only_when_asked():
    model = load_model(ChannelsLast(), frames=8, size=24)
    assert all(layer.axes is None and layer.axes_note == "not probed" for layer in list_layers(model, probe=False))
    assert all(layer.axes is not None for layer in list_layers(model, probe=True))


def test_a_layer_that_runs_twice_is_noted():
    model = load_model(Twice(), frames=4, size=8)
    notes = {layer.name: layer.axes_note for layer in list_layers(model)}
    assert notes["relu"] == "runs 2 times a clip"
    assert "idle" not in notes
    assert model.default_layers == ("first", "second")
    with pytest.raises(AxesError, match=r"must run once a clip. Got relu, which runs 2 times"):
        layer_axes(model, "relu")
    with pytest.raises(LayerNotFoundError, match=r"must output a floating tensor when the model runs. Got idle"):
        layer_axes(model, "idle")
    with pytest.raises(LayerNotFoundError, match=r"must name a layer of Twice. Got 'secnd'"):
        layer_axes(model, "secnd")


def test_a_layer_that_is_named_twice_does_not_run_twice():
    model = load_model(Convolutions(), frames=4, size=8)
    assert list(layers_axes(model, ["stages.0", "stages.1", "stages.0"])) == ["stages.0", "stages.1"]
    assert trace_layers(model, ["stages.1", "stages.1"], noise_clip(model)).layers == ("stages.1",)


def test_the_model_is_as_before_also_after_an_exception():
    network = Breaks()
    model = load_model(network, frames=4, size=8)
    network.calls = 0
    network.train()  # as a caller may have left it
    with pytest.raises(RuntimeError, match=r"broken"), unchanged(model):
        list_layers(model)
    network.calls = 0
    with pytest.raises(RuntimeError, match=r"broken"), unchanged(model):
        layers_axes(model, ["stages.1"])


def test_default_layers_of_unknown_networks():
    assert load_model(ChannelsLast(), frames=8, size=24).default_layers == ("blocks.0", "blocks.1")
    assert load_model(FrameWise(), frames=8, size=16).default_layers == ("image", "temporal")

    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Module()
            self.body.layers = nn.Sequential(*(nn.Conv3d(3, 3, 1) for _ in range(8)))

        def forward(self, clip):
            return self.body.layers(clip).mean((2, 3, 4))

    assert load_model(Many(), frames=4, size=8).default_layers == tuple(f"body.layers.{i}" for i in (1, 3, 5, 7))


def test_evenly_spaced():
    assert evenly_spaced("abcd") == tuple("abcd")
    assert evenly_spaced("ab") == tuple("ab")
    assert evenly_spaced("abcdefghijkl") == tuple("cfil")


def test_noise_is_seeded_and_of_the_models_shape():
    model = load_model(Convolutions(), frames=4, size="native")
    assert noise_clip(model).shape == (1, 3, 4, 112, 112)
    assert noise_clip(model, size=(8, 12)).shape == (1, 3, 4, 8, 12)
    assert torch.equal(noise_clip(model, seed=1), noise_clip(model, seed=1))


def test_a_notebook_shows_layers_as_a_table():
    layers = list_layers(load_model(Convolutions(), frames=4, size=8))
    html = layers._repr_html_()
    default = next(layer for layer in layers if layer.is_default)
    assert f"{default.name} *" in html and default.shape_text in html and default.axes_text in html
    assert list(layers.to_frame()["layer"]) == [layer.name for layer in layers]


def test_axes_in_words_say_how_tokens_are_laid_out_or_what_is_not_known():
    tokens = LayerAxes(
        dims=("clip", "token", "channel"), token_order=("time", "height", "width"), grid=(8, 14, 14), prefix_tokens=1
    )
    known = LayerInfo(name="block", shape=(1, 1569, 768), axes=tokens, axes_note="", is_default=False)
    assert known.shape_text == "1 × 1569 × 768"
    assert known.axes_text == (
        "clip, token, channel (time, height, width 8×14×14, in the order time, height, width, after 1 class token)"
    )
    unknown = LayerInfo(name="block", shape=(1, 7), axes=None, axes_note="not probed", is_default=False)
    assert unknown.axes_text == "unknown: not probed"
