"""Networks with a stream buffer, as MoViNet's: each clip is passed as if it were the first, whatever came before."""

import pytest
import torch
from torch import nn

from video_tcav.core.errors import ModelError
from video_tcav.models.hooks import record_activations
from video_tcav.models.layers import noise_clip
from video_tcav.models.load import load_model

from .networks import Convolutions, Stream


class Streaming(Convolutions):
    """Convolutions whose last stage has the last clip's features in front, with MoViNet's method that forgets them."""

    def __init__(self):
        super().__init__()
        self.stages.append(Stream())

    def clean_activation_buffers(self):
        for module in self.modules():
            if isinstance(module, Stream):
                module.memory = None


def test_each_clip_is_passed_as_if_it_were_the_first():
    network = Streaming()
    model = load_model(network, device="cpu")
    clip, other = noise_clip(model), noise_clip(model, seed=1)
    network.clean_activation_buffers()
    with torch.no_grad():
        expected = network(clip)
        carried = network(clip)  # after a clip that the network remembers
        assert not torch.allclose(expected, carried)
        model.logits(torch.cat([other, other]))  # a batch of another size would not fit in front
        torch.testing.assert_close(model.logits(clip), expected)
    assert any("is cleared before each pass (clean_activation_buffers)" in note for note in model.notes)
    rows = record_activations(model, ["stages.3"], clip)["stages.3"]
    assert torch.equal(rows, record_activations(model, ["stages.3"], clip)["stages.3"])


def test_a_network_inside_another_is_cleared_as_well():
    model = load_model(nn.Sequential(Streaming(), nn.Softmax(1)), size=16, frames=8, device="cpu")
    clip = noise_clip(model)
    assert torch.equal(model.values(clip), model.values(clip))


def test_without_the_method_it_is_refused():
    network = Convolutions()
    network.stages.append(Stream())
    with pytest.raises(ModelError, match="keeps state between clips|from one clip to the next"):
        load_model(network, device="cpu")
