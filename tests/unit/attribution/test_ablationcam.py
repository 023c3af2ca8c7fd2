import pytest
import torch
from torch import nn

from tests.unit.models.networks import ChannelsLast, FrameWise, Tokens, unchanged
from video_tcav.attribution.channel_cam import AblationCAM, ablated
from video_tcav.models import LayerAxes, Target, load_model

from . import tiny


def slow_ablation_cam(model, clip, layer, channel_dim, positions):
    """Channel by channel: set it to zero, see what the target loses."""
    whole, seen, lost = tiny.value(model, clip), {}, []

    def remove(channel):
        def hook(_module, _inputs, output):
            tensor = output[0] if isinstance(output, tuple) else output
            seen["found"] = tensor.detach().clone()
            if channel is None:
                return None
            changed = tensor.clone()
            index = [slice(None)] * tensor.ndim
            index[channel_dim] = channel
            if positions is not None:
                index[1] = positions
            changed[tuple(index)] = 0
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return hook

    for channel in range(99):
        if seen and channel >= seen["found"].shape[channel_dim]:
            break
        handle = model.layer(layer).register_forward_hook(remove(channel))
        lost.append(whole - tiny.value(model, clip))
        handle.remove()
    handle = model.layer(layer).register_forward_hook(remove(None))
    tiny.value(model, clip)
    handle.remove()
    rows = seen["found"].movedim(channel_dim, -1)
    return sum(weight * rows[..., channel] for channel, weight in enumerate(torch.cat(lost)))


def test_it_is_the_definition():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    for layer in ("stages.0", "stages.2"):
        found = AblationCAM(layers=(layer,))(model, clips, target=tiny.TARGET).layers[layer]
        for clip, one in zip(clips, found, strict=True):
            assert torch.allclose(one, slow_ablation_cam(model, clip[None], layer, 1, None)[0])


def test_channels_last():
    model = load_model(tiny.network(ChannelsLast), frames=4, size=(8, 12), classes=["a", "b", "c", "d"])
    clip = torch.randn(1, 3, 4, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = AblationCAM(layers=("blocks",))(model, clip, target=tiny.TARGET).layers["blocks"]
    assert found.shape == (1, 2, 2, 3)
    assert torch.allclose(found, slow_ablation_cam(model, clip, "blocks", 4, None))


class TupleTokens(Tokens):
    """Its first block gives a tuple, as many encoders do."""

    def __init__(self) -> None:
        super().__init__(order=("height", "time", "width"), prefix=2)
        self.blocks[0] = _Tuple(self.blocks[0])

    def forward(self, clip):
        tokens = self.patch(clip).permute(0, *self.order, 1).flatten(1, 3)
        tokens = torch.cat([self.prefix.expand(len(tokens), -1, -1), tokens], 1)
        return self.head(self.blocks[1](self.blocks[0](tokens)[0])[:, -1])


class _Tuple(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens):
        return self.block(tokens), "more"


def test_tokens_in_a_tuple_behind_prefix_tokens_that_keep_the_channel():
    model = load_model(tiny.network(TupleTokens), frames=4, size=(8, 12), classes=["a", "b", "c", "d"])
    clip = torch.randn(1, 3, 4, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = AblationCAM(layers=("blocks.0",))(model, clip, target=tiny.TARGET).layers["blocks.0"]
    slow = slow_ablation_cam(model, clip, "blocks.0", 2, slice(2, None))[:, 2:]
    assert torch.allclose(found, slow.reshape(1, 2, 2, 3).transpose(1, 2))  # tokens run height, time, width


def test_frames_folded_into_the_batch():
    model = load_model(tiny.network(FrameWise), frames=4, size=(8, 12), classes=["a", "b", "c", "d"])
    clips = torch.randn(2, 3, 4, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = AblationCAM(layers=("image.0",))(model, clips, target=tiny.TARGET).layers["image.0"]
    for clip, one in zip(clips, found, strict=True):
        assert torch.allclose(one, slow_ablation_cam(model, clip[None], "image.0", 1, None))


def test_a_linear_head_gives_its_own_weights():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    found = AblationCAM()(model, clips, target=1, against="logit").layers["stages.2"]
    activation = model.module.stages(clips).detach()
    weights = model.module.head.weight[1] * activation.mean((2, 3, 4))
    assert torch.allclose(found, torch.einsum("nc,ncthw->nthw", weights, activation))


def test_a_layer_ablated_is_one_channel():
    axes = LayerAxes(dims=("clip", "time"))
    activation = torch.ones(1, 4)
    assert not ablated(axes, activation, torch.tensor([0])).any()
    assert activation.all()


def test_each_clip_loses_its_own_channel():
    axes = LayerAxes(dims=("clip", "time", "channel", "height", "width"), fold=3)
    activation = torch.ones(6, 4, 2, 2)
    changed = ablated(axes, activation, torch.tensor([3, 1])).reshape(2, 3, 4, 2, 2)
    expected = torch.ones(2, 3, 4, 2, 2)
    expected[0, :, 3] = expected[1, :, 1] = 0
    assert torch.equal(changed, expected)
    assert activation.all()


def test_the_model_is_left_as_it_came_after_an_exception():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    calls = []

    class Failing(Target):
        def __call__(self, logits):
            calls.append(len(logits))
            if len(calls) > 1:
                raise KeyboardInterrupt("stop")
            return super().__call__(logits)

    with unchanged(model), pytest.raises(KeyboardInterrupt, match="stop"):
        AblationCAM()(model, clips, target=Failing(class_index=0))
    assert len(calls) == 2


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    clip[:, :, tiny.PLACE[0], tiny.PLACE[1], tiny.PLACE[2]] += 1
    assert tiny.inside(AblationCAM(layers=("look",))(model, clip, target="bright").values())
