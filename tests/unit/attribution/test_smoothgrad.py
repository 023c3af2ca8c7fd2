import pytest
import torch

from tests.unit.models.networks import unchanged
from video_tcav.attribution.input_gradients import SmoothGrad
from video_tcav.core.errors import InputError

from . import tiny


def gradient(model, clip):
    leaf = clip.clone().requires_grad_()
    logits = model.module(leaf)
    return torch.autograd.grad(logits[0, 1] - logits[0, [0, 2]].logsumexp(0), leaf)[0]


def test_it_is_the_definition():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    found = SmoothGrad(samples=11, noise=0.2, seed=4)(model, clips, target=tiny.TARGET).layers["input"]
    for clip, one in zip(clips, found, strict=True):
        generator = torch.Generator().manual_seed(4)
        deviation = 0.2 * float(clip.max() - clip.min())
        total = torch.zeros(1, *clip.shape, dtype=torch.float64)
        for _ in range(11):
            noise = torch.randn(clip.shape, generator=generator, dtype=torch.float64)
            total += gradient(model, clip[None] + deviation * noise[None])
        assert torch.allclose(one, total[0].sum(0) / 11)


def test_without_noise_it_is_the_gradient():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    found = SmoothGrad(samples=3, noise=0.0)(model, clips, target=tiny.TARGET).layers["input"]
    assert torch.allclose(found, gradient(model, clips).sum(1))


def test_the_seed_decides_and_the_global_state_does_not():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    with unchanged(model):
        first = SmoothGrad(samples=4)(model, clips, target=0).values()
    torch.manual_seed(123)
    assert torch.equal(first, SmoothGrad(samples=4)(model, clips, target=0).values())
    assert not torch.allclose(first, SmoothGrad(samples=4, seed=1)(model, clips, target=0).values())


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    assert tiny.inside(SmoothGrad(samples=8)(model, clip, target="bright").values())


def test_settings_that_do_not_fit():
    with pytest.raises(InputError, match="`samples` must be at least 1. Got 0."):
        SmoothGrad(samples=0)
    with pytest.raises(InputError, match="`noise` must not be negative. Got -0.1. Give a fraction such as 0.15."):
        SmoothGrad(noise=-0.1)
