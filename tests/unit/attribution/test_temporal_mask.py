import pytest
import torch
from torch import nn

from video_tcav.attribution.optimised_masks import TemporalMask, freeze, reverse
from video_tcav.core.errors import EmptyMapError, InputError
from video_tcav.models import load_model

from . import tiny


def numbers(count, seed=0):
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_freezing_repeats_what_was_shown_before():
    mask, frames = numbers(7), numbers(7, seed=1)
    shown = [frames[0]]
    for time in range(1, 7):
        shown.append((1 - mask[time]) * frames[time] + mask[time] * shown[time - 1])
    assert torch.allclose(freeze(mask) @ frames, torch.stack(shown))
    assert (freeze(torch.tensor([0.0, 0, 1, 1, 0])) @ torch.arange(5.0)).tolist() == [0, 1, 1, 1, 4]
    assert (freeze(torch.ones(3)) @ torch.arange(3.0)).tolist() == [0, 0, 0]


def test_each_masked_stretch_runs_backwards():
    mask = torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    assert (reverse(mask) @ torch.arange(8.0)).tolist() == [2, 1, 0, 3, 4, 5, 7, 6]
    assert (reverse(torch.ones(4)) @ torch.arange(4.0)).tolist() == [3, 2, 1, 0]
    half = torch.tensor([0.0, 0.5, 0.2, 0.05])
    assert torch.allclose(reverse(half) @ torch.arange(4.0), torch.tensor([0.0, 1.5, 1.8, 3.0]))


@pytest.mark.parametrize("mixture", [freeze, reverse])
def test_frames_are_mixed_never_weighted_and_a_gradient_flows(mixture):
    mask = numbers(6).requires_grad_()
    mixed = mixture(mask)
    assert torch.allclose(mixed.sum(1), torch.ones(6, dtype=torch.float64))
    assert torch.equal(mixture(torch.zeros(6)), torch.eye(6))
    (gradient,) = torch.autograd.grad((mixed @ numbers(6, seed=2)).square().sum(), mask)
    assert gradient.abs().sum() > 0


class Change(nn.Module):
    """Its logit is how much the picture changes between two frames that follow each other, or in which direction."""

    clip_spec = {"layout": "channels_first"}

    def __init__(self, first: int, last: int, signed: bool) -> None:
        super().__init__()
        self.first, self.last, self.signed = first, last, signed
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, clip):
        change = clip.mean((1, 3, 4)).diff(dim=1)[:, self.first - 1 : self.last]
        strength = change.sum(1) if self.signed else change.square().sum(1)
        return torch.stack([self.gain * strength, torch.zeros_like(strength)], 1)


def moving(first, last, *, signed=False):
    network = Change(first, last, signed).double()
    model = load_model(network, frames=12, size=8, classes=["moves", "stands"])
    brightness = torch.arange(12.0) if signed else torch.arange(12) % 2
    return model, brightness.double().reshape(1, 1, 12, 1, 1).expand(1, 3, 12, 8, 8)


def test_the_frames_whose_motion_counts_are_found():
    model, clip = moving(5, 7)
    found = TemporalMask()(model, clip, target="moves")
    assert found.layers["input"].shape == (1, 12, 1, 1)
    mask = found.values()
    assert mask.shape == (1, 12, 8, 8)
    assert torch.equal(mask, mask[..., :1, :1].expand_as(mask))  # time alone
    times = mask[0, :, 0, 0]
    assert times.argmax() in (5, 6, 7) and times[[0, 1, 2, 10, 11]].max() < 0.1
    assert times.min() >= 0 and times.max() <= 1


def test_the_frames_whose_order_counts_are_found():
    model, clip = moving(5, 7, signed=True)
    times = TemporalMask(perturb="reverse")(model, clip, target="moves").values()[0, :, 0, 0]
    assert times[4:8].mean() > 0.5 > 0.2 > times[[0, 1, 10, 11]].max()


def test_a_larger_weight_masks_fewer_frames():
    model, clip = moving(3, 9)
    sizes = [float(TemporalMask(size=size)(model, clip, target=0).values().mean()) for size in (0.1, 3.0)]
    assert sizes[1] < 0.7 * sizes[0]


def test_a_scaled_target_changes_nothing():
    model, clip = moving(5, 7)
    before = TemporalMask(steps=20)(model, clip, target=0, against="logit").values()
    model.module.gain.data *= 50
    assert torch.allclose(before, TemporalMask(steps=20)(model, clip, target=0, against="logit").values())


@pytest.mark.parametrize("perturb", ["freeze", "reverse"])
def test_a_clip_that_stands_still_has_no_map(perturb):
    model, clip = moving(5, 7)
    still = torch.ones_like(clip)
    with pytest.raises(EmptyMapError, match="`temporalmask` must find something"):
        TemporalMask(perturb=perturb)(model, still, target=0)


def test_a_clip_of_one_frame_has_no_map():
    model = load_model(tiny.convolutions().module, frames=1, size=(8, 12), classes=["a", "b", "c"])
    with pytest.raises(EmptyMapError, match="`temporalmask` must find something"):
        TemporalMask()(model, tiny.noise_clips(1)[:, :, :1], target=0)


def test_settings_that_do_not_fit():
    for name, value in (("size", -1), ("smoothness", -0.5), ("steps", 0), ("learning_rate", 0)):
        with pytest.raises(InputError, match=f"`{name}` must .* Got {value}"):
            TemporalMask(**{name: value})
    with pytest.raises(
        InputError, match="`perturb` must be one of freeze, reverse. Got 'shuffle'. Choose one of them."
    ):
        TemporalMask(perturb="shuffle")
