"""The clamp map against whole forwards with a replaced output: its sum, its shares, layouts, spaces, and what it refuses."""

import pytest
import torch
from torch import nn

from video_tcav.attribution import ClampMap, ConceptAxis
from video_tcav.core.errors import AxesError, EmptyMapError, InputError, MethodError, ModelError, ShapeError
from video_tcav.models import load_model

from .square import FRAMES, GRID, HEIGHT, LAYOUTS, WIDTH, reader, square_clip
from .tiny import convolutions, noise_clips

CHANNELS = 5
TOKENS = ("tokens", "tokens_time_fastest")


def unit_vector(size, seed=0):
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return vector / vector.norm()


def axis_of(size, *, space="flatten", concept_mean=2.5, random_mean=-0.5):
    return ConceptAxis(vector=unit_vector(size), concept_mean=concept_mean, random_mean=random_mean, space=space)


def recorded(model, layer, clips):
    """The layer's output in a plain forward."""
    outputs = []
    handle = model.layer(layer).register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    model.module(clips)
    handle.remove()
    return outputs[0]


def logits_with(model, layer, clips, activation):
    """A whole forward in which the layer returns this activation instead."""
    handle = model.layer(layer).register_forward_hook(lambda _module, _inputs, _output: activation)
    logits = model.module(clips)
    handle.remove()
    return logits


def log_odds(logits):
    return logits[:, 0] - logits[:, 1:].logsumexp(1)


def clamp_by_hand(model, layer, clip, axis):
    """LO(u·h := m_c) - LO(u·h := m_r) of one clip, in the space flatten."""
    activation = recorded(model, layer, clip)
    unit = axis.vector.reshape(activation.shape)
    coordinate = (activation * unit).sum()
    ends = [activation + (mean - coordinate) * unit for mean in (axis.concept_mean, axis.random_mean)]
    with_concept, without = (log_odds(logits_with(model, layer, clip, end)) for end in ends)
    return float((with_concept - without).detach())


def class_token(layout, products):
    return float(products[:, 0].sum()) if layout in TOKENS else 0.0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_adds_up_to_the_clamp_of_whole_forwards(layout):
    model, (clip, _) = reader(layout), square_clip()
    axis = axis_of(recorded(model, "read", clip).numel())
    found = ClampMap(axes={"read": axis})(model, clip, target="square")
    expected = clamp_by_hand(model, "read", clip, axis)
    total = found.sums["read"]
    assert abs(expected) > 0.1
    assert float(total.total) == pytest.approx(expected, rel=1e-9)
    assert float(found.layers["read"].sum() + total.unplaced) == pytest.approx(expected, rel=1e-4)
    assert float(total.gap) < 1e-4
    assert (float(total.unplaced) != 0) == (layout in TOKENS)
    assert found.layers["read"].shape == (1, *GRID)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_behind_a_linear_head_it_is_gradient_times_shift(layout):
    model, (clip, _) = reader(layout), square_clip()
    activation = recorded(model, "read", clip).detach().requires_grad_()
    axis = axis_of(activation.numel())
    found = ClampMap(axes={"read": axis}, tails=1)(model, clip, target="square", against="logit")
    # what happens behind the layer is a sum and a linear layer
    (gradient,) = torch.autograd.grad(logits_with(model, "read", clip, activation.clone())[:, 0].sum(), activation)
    products = gradient * 3.0 * axis.vector.reshape(activation.shape)
    by_position = {
        "channels_first": lambda: products.sum(1),
        "channels_last": lambda: products.sum(-1),
        "tokens": lambda: products[:, 1:].sum(-1).reshape(1, *GRID),
        "tokens_time_fastest": lambda: products[:, 1:].sum(-1).reshape(1, *GRID[1:], GRID[0]).permute(0, 3, 1, 2),
        "frame_by_frame": lambda: products.sum(1)[None],
    }[layout]()
    torch.testing.assert_close(found.layers["read"], by_position, rtol=1e-9, atol=1e-12)
    assert float(found.sums["read"].unplaced) == pytest.approx(class_token(layout, products), rel=1e-9)


@pytest.mark.parametrize(("space", "mean"), [("space", (3, 4)), ("time", (2,)), ("spacetime", (2, 3, 4))])
def test_in_a_pooled_space_every_position_is_moved_by_the_vector(space, mean):
    model, (clip, _) = reader("channels_first"), square_clip()
    activation = recorded(model, "read", clip).detach()
    # features run time, height, width, channel, as far as they are kept
    pooled = activation.mean(mean, keepdim=True)
    features = pooled.permute(0, 2, 3, 4, 1)
    axis = axis_of(features.numel(), space=space, concept_mean=0.03, random_mean=-0.01)
    unit = axis.vector.reshape(features.shape).permute(0, 4, 1, 2, 3)
    coordinate = (pooled * unit).sum()
    ends = [activation + (end - coordinate) * unit for end in (axis.concept_mean, axis.random_mean)]
    assert float((ends[0].mean(mean, keepdim=True) * unit).sum()) == pytest.approx(axis.concept_mean)
    expected = [float(log_odds(logits_with(model, "read", clip, end)).detach()) for end in ends]
    found = ClampMap(axes={"read": axis})(model, clip, target="square")
    assert float(found.sums["read"].total) == pytest.approx(expected[0] - expected[1], rel=1e-9)
    assert float(found.layers["read"].sum()) == pytest.approx(expected[0] - expected[1], rel=1e-4)


def test_class_tokens_of_a_pooled_space_come_first_and_keep_their_share():
    model, (clip, _) = reader("tokens"), square_clip()
    axis = axis_of(2 * CHANNELS, space="spacetime", concept_mean=0.03, random_mean=-0.01)
    activation = recorded(model, "read", clip).detach()
    feature = torch.cat([activation[:, 0], activation[:, 1:].mean(1)], 1)
    unit = axis.vector.reshape(2, 1, 1, CHANNELS)
    moved = torch.cat([unit[0], unit[1].expand(1, activation.shape[1] - 1, CHANNELS)], 1)
    coordinate = feature[0] @ axis.vector
    ends = [activation + (end - coordinate) * moved for end in (axis.concept_mean, axis.random_mean)]
    expected = [float(log_odds(logits_with(model, "read", clip, end)).detach()) for end in ends]
    found = ClampMap(axes={"read": axis})(model, clip, target="square")
    total = found.sums["read"]
    assert float(total.unplaced) != 0
    assert float(found.layers["read"].sum() + total.unplaced) == pytest.approx(expected[0] - expected[1], rel=1e-4)


def test_every_clip_and_layer_of_a_batch_has_its_own_sum():
    model, clips = convolutions(), noise_clips(3)
    axes = {name: axis_of(recorded(model, name, clips[:1]).numel()) for name in ("stages.0", "stages.2")}
    found = ClampMap(axes=axes)(model, clips, target=0)
    for name, axis in axes.items():
        expected = [clamp_by_hand(model, name, clip[None], axis) for clip in clips]
        torch.testing.assert_close(found.sums[name].total, torch.tensor(expected, dtype=torch.float64))
        sums = found.layers[name].sum((1, 2, 3)) + found.sums[name].unplaced
        torch.testing.assert_close(sums, found.sums[name].total, rtol=0.01, atol=1e-6)
    assert len(set(found.sums["stages.0"].total.tolist())) == 3


class Unheard(nn.Module):
    """A network with a layer that it does not listen to."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Conv3d(3, 3, 1), nn.Linear(3, 3)

    def forward(self, clip):
        self.layer(clip)
        return self.head(clip.mean((2, 3, 4)))


def test_a_layer_that_the_target_does_not_depend_on_is_refused():
    model = load_model(Unheard().double(), frames=FRAMES, size=(HEIGHT, WIDTH), classes=["a", "b", "c"])
    clip, _ = square_clip()
    with pytest.raises(ModelError, match="`layer` must run once .* Got layer, which no logit depends on"):
        ClampMap(axes={"layer": axis_of(clip.numel())})(model, clip, target=0)


class PassedBy(nn.Module):
    """A layer that a skip connection passes by: what stands behind it needs the clip as well."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv3d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 3)

    def forward(self, clip):
        return self.head((self.layer(clip) + clip).relu().mean((2, 3, 4)))


def test_a_layer_that_a_skip_connection_passes_by():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = PassedBy().double()
    model = load_model(network, frames=FRAMES, size=(HEIGHT, WIDTH), classes=["a", "b", "c"])
    clips = torch.randn(2, 3, FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    axis = axis_of(clips[0].numel(), concept_mean=900.0, random_mean=-500.0)
    found = ClampMap(axes={"layer": axis})(model, clips, target=0)
    expected = [clamp_by_hand(model, "layer", clip[None], axis) for clip in clips]
    torch.testing.assert_close(found.sums["layer"].total, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(found.layers["layer"].sum((1, 2, 3)), found.sums["layer"].total, rtol=0.01, atol=1e-9)


def test_more_tails_where_the_sum_is_missed_and_the_gap_is_said_where_they_end():
    model, (clip, _) = reader("channels_first"), square_clip()
    # all channels of all positions move as one, far enough for the log-odds to bend
    size = recorded(model, "read", clip).numel()
    vector = torch.ones(size, dtype=torch.float64) / size**0.5
    axis = ConceptAxis(vector=vector, concept_mean=0.3, random_mean=-0.1)
    coarse = ClampMap(axes={"read": axis}, tails=1, most_tails=1)(model, clip, target="square")
    total = coarse.sums["read"]
    missed = float((coarse.layers["read"].sum() - total.total) / total.total)
    assert abs(missed) > 0.05
    assert float(total.gap) == pytest.approx(abs(missed), rel=1e-6)
    fine = ClampMap(axes={"read": axis}, tails=1, most_tails=256)(model, clip, target="square")
    assert float(fine.sums["read"].gap) <= 0.01
    torch.testing.assert_close(fine.sums["read"].total, total.total)


def test_an_effect_within_rounding_is_not_called_incomplete():
    model, (clip, _) = reader("channels_first"), square_clip()
    axis = axis_of(recorded(model, "read", clip).numel(), concept_mean=1e-15, random_mean=0.0)
    found = ClampMap(axes={"read": axis})(model, clip, target="square", allow_empty=True)
    assert float(found.sums["read"].gap) <= 0.01


def test_the_model_is_left_as_it_came_and_no_gradient_is_asked_for():
    model, clips = convolutions(), noise_clips(1)
    model.module.train()
    axis = axis_of(recorded(model, "stages.1", clips).numel())
    with torch.no_grad():
        ClampMap(axes={"stages.1": axis})(model, clips, target=0)
    assert all(module.training and "forward" not in vars(module) for module in model.module.modules())
    assert not any(module._forward_hooks for module in model.module.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.module.parameters())


def test_a_direction_that_tells_nothing_apart_has_no_map():
    model, (clip, _) = reader("channels_first"), square_clip()
    size = recorded(model, "read", clip).numel()
    nothing = ConceptAxis(vector=torch.zeros(size), concept_mean=0.0, random_mean=0.0)
    with pytest.raises(EmptyMapError, match="Got a map of zeros at read"):
        ClampMap(axes={"read": nothing})(model, clip, target="square")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"axes": {}}, MethodError, "`axes` must hold a CAV at least"),
        ({"tails": 0}, InputError, "`tails` must be at least 1. Got 0"),
        ({"tails": 32, "most_tails": 16}, InputError, "`most_tails` must not be below `tails`. Got 16"),
    ],
)
def test_settings_that_make_no_map_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        ClampMap(**{"axes": {"read": axis_of(3)}, **settings})


@pytest.mark.parametrize(
    ("layer", "axis", "error", "message"),
    [
        (
            "read",
            axis_of(3),
            ShapeError,
            "Got 3 values at read, where a clip gives 1200. Learn the CAV with the feature",
        ),
        (
            "read",
            axis_of(7, space="spacetime"),
            ShapeError,
            "a clip gives 5. Learn the CAV with the feature space spacet",
        ),
        ("head", axis_of(3), AxesError, "`layer` must have positions to be mapped"),
    ],
)
def test_what_does_not_fit_the_layer_is_refused(layer, axis, error, message):
    model, (clip, _) = reader("channels_first"), square_clip()
    with pytest.raises(error, match=message):
        ClampMap(axes={layer: axis})(model, clip, target="square")
