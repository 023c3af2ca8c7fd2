"""Networks with a stream buffer, as MoViNet's: each clip is passed as if it were the first, whatever came before."""

import copy

import pytest
import torch
from torch import Tensor, nn

from video_tcav.core.errors import ModelError
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.layers import list_layers, noise_clip
from video_tcav.models.load import load_model
from video_tcav.models.tail import Tail

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


class CausalMean(nn.Module):
    """Mean over all frames of the stream so far, whose sums are kept, and detached by a hook of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.total: Tensor | None = None
        self.frames = 0
        self.register_forward_hook(self._detach)

    def forward(self, features: Tensor) -> Tensor:
        totals = features.cumsum(2) if self.total is None else features.cumsum(2) + self.total
        means = totals / torch.arange(self.frames + 1, self.frames + features.shape[2] + 1)[:, None, None]
        self.total, self.frames = totals[:, :, -1:].clone(), self.frames + features.shape[2]
        return means

    @staticmethod
    def _detach(module: "CausalMean", _inputs: object, _output: Tensor) -> None:
        if module.total is not None:
            module.total.detach_()


class Causal(nn.Module):
    """A causal convolution whose buffer is zeros of float32 at first, causal means, and a class for each channel."""

    clip_spec = {"frames": 4, "size": 8}

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.stages = nn.Sequential(nn.Conv3d(3, 4, (1, 3, 3)), nn.Conv3d(4, 4, (1, 3, 3)), nn.ReLU())
            self.causal = nn.Conv3d(4, 3, (3, 1, 1))
        self.mean, self.buffer = CausalMean(), None

    def forward(self, clip: Tensor) -> Tensor:
        features = self.stages(clip)
        buffer = torch.zeros(len(clip), 4, 2, *features.shape[3:]) if self.buffer is None else self.buffer
        joined = torch.cat([buffer, features], 2)
        self.buffer = joined[:, :, -2:].detach().clone()
        return self.mean(self.causal(joined).mean((3, 4), keepdim=True))[:, :, -1].flatten(1)

    def clean_activation_buffers(self):
        self.buffer = self.mean.total = None
        self.mean.frames = 0


@pytest.fixture
def causal():
    return load_model(Causal().eval(), device="cpu")


def test_a_rerun_from_a_layer_is_that_of_the_clip_alone(causal):
    clips = torch.cat([noise_clip(causal, seed=seed) for seed in range(3)])
    with torch.no_grad():
        expected = torch.cat([causal.logits(clip) for clip in clips.split(1)])
    for layer in ("stages.0", "stages.2", "causal", "mean"):
        rows, tail = record_activations(causal, [layer], clips)[layer], Tail(causal, layer)
        with tail.running(), torch.no_grad():
            for picked in ([0], [1, 2], [2], [2, 0, 1], [1, 0]):  # buffers have a row for each clip of the batch
                logits = tail.logits(rows[picked], clips[picked] if tail.needs_inputs else None)
                torch.testing.assert_close(logits, expected[picked])


def test_gradients_go_through_the_buffer_within_a_clip(causal):
    """As those of a convolution of the frames behind two of zeros, and the mean of all frames."""
    clips = torch.cat([noise_clip(causal, seed=seed) for seed in range(2)])
    causal.logits(clips[:1])
    gradients = record_gradients(causal, ["stages.1"], clips, lambda logits: logits[:, 1])
    rows = gradients.activations["stages.1"].requires_grad_()
    padded = nn.functional.pad(rows.relu(), (0, 0, 0, 0, 2, 0))
    logits = causal.module.causal(padded).mean((2, 3, 4))
    torch.testing.assert_close(gradients.logits, logits.detach())
    torch.testing.assert_close(gradients.layers["stages.1"], torch.autograd.grad(logits[:, 1].sum(), rows)[0])


def test_the_stream_of_its_user_goes_on():
    network = Causal().eval()
    past, present = torch.randn(2, 1, 3, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        network(past)
        expected = copy.deepcopy(network)(present)
        model = load_model(network, device="cpu")
        model.logits(torch.cat([noise_clip(model)] * 3))
        list_layers(model)
        record_activations(model, ["stages.2"], noise_clip(model), last="stages.2")  # ends in the middle of a forward
        assert torch.equal(network(present), expected)


def test_a_buffer_of_float32_in_half_precision_is_an_error_that_says_so():
    with pytest.raises(ModelError, match=r"runs in half precision: give it in float32 \(`.float\(\)`\)"):
        load_model(Causal().bfloat16().eval(), device="cpu")
