import pytest
import torch

from video_tcav.attribution.input_gradients import InputXGradient, IntegratedGradients
from video_tcav.attribution.perturbation import baseline_clips
from video_tcav.core.errors import EmptyMapError, InputError
from video_tcav.models import load_model

from . import tiny
from .test_input_gradient import Weighted


def slow_integrated_gradients(model, clip, instead, points=150):
    """The middle of each of many small steps."""
    total = torch.zeros_like(clip)
    for step in range(points):
        at = (instead + (step + 0.5) / points * (clip - instead)).requires_grad_()
        logits = model.module(at)
        (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, [0, 2]].logsumexp(0), at)
        total += gradient
    return ((clip - instead) * total / points).sum(1)


@pytest.mark.parametrize("baseline", ["grey", "frozen"])
def test_it_is_the_definition(baseline):
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    instead = torch.zeros_like(clips) if baseline == "grey" else clips[:, :, 2:3].expand_as(clips)
    found = IntegratedGradients(steps=64, baseline=baseline)(model, clips, target=tiny.TARGET).layers["input"]
    slow = slow_integrated_gradients(model, clips, instead)
    assert torch.allclose(found, slow, atol=0.03 * float(slow.abs().max()))


@pytest.mark.parametrize("baseline", ["grey", "black", "blur", "frozen", "reversed"])
def test_it_is_complete(baseline):
    model, clips = tiny.convolutions(), tiny.noise_clips(3)
    found = IntegratedGradients(baseline=baseline)(model, clips, target=tiny.TARGET)
    change = tiny.value(model, clips) - tiny.value(model, baseline_clips(model, clips, baseline))
    gap = found.layers["input"].sum((1, 2, 3)) - change
    assert (gap.abs() < 0.01 * found.layers["input"].abs().sum((1, 2, 3))).all(), (gap, change)
    if baseline in ("grey", "frozen"):
        assert (gap.abs() < 0.03 * change.abs()).all(), (gap, change)


def test_the_gap_tells_of_too_few_steps():
    model, clips = tiny.convolutions(), tiny.noise_clips(3)
    change = tiny.value(model, clips) - tiny.value(model, 0 * clips)
    gaps = [
        IntegratedGradients(steps=steps)(model, clips, target=tiny.TARGET).layers["input"].sum((1, 2, 3)) - change
        for steps in (1, 64)
    ]
    assert (gaps[0].abs() > 5 * gaps[1].abs()).all()


def test_a_linear_network_needs_one_step_and_grey_makes_it_input_times_gradient():
    model = load_model(Weighted(), frames=tiny.FRAMES, size=tiny.SHAPE[1:], classes=["a", "b"])
    clips = tiny.noise_clips(2)
    one = IntegratedGradients(steps=1)(model, clips, target="a", against="logit")
    other = InputXGradient()(model, clips, target="a", against="logit")
    assert torch.allclose(one.values(), other.values())


def test_what_motion_adds_to_a_clip_that_stands_still_is_nothing():
    clips = tiny.noise_clips(1)[:, :, :1].expand(-1, -1, 5, -1, -1)
    with pytest.raises(EmptyMapError, match="`ig` must find something"):
        IntegratedGradients(baseline="frozen", steps=2)(tiny.convolutions(), clips, target=0)


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    assert tiny.inside(IntegratedGradients()(model, clip, target="bright").values())


def test_settings_that_do_not_fit():
    with pytest.raises(InputError, match="`steps` must be at least 1. Got 0."):
        IntegratedGradients(steps=0)
    with pytest.raises(InputError, match="`baseline` must be one of grey, .* Got 'noise'. Choose one of them."):
        IntegratedGradients(baseline="noise")
