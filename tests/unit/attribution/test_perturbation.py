"""What all methods that need no gradient of a layer have in common, tried on each of them; and what they share."""

import pytest
import torch

from tests.unit.models.networks import unchanged
from video_tcav.attribution.attribution_map import INPUT
from video_tcav.attribution.channel_cam import AblationCAM, ScoreCAM
from video_tcav.attribution.input_gradients import InputXGradient, IntegratedGradients, SmoothGrad
from video_tcav.attribution.occlusion import Occlusion
from video_tcav.attribution.optimised_masks import ExtremalPerturbation, TemporalMask
from video_tcav.attribution.perturbation import baseline_clips, blend, channel_dim, chunks, masked_values, target_values
from video_tcav.attribution.rise import RISE
from video_tcav.core.errors import InputError, NonFiniteError
from video_tcav.models import load_model

from . import tiny

METHODS = (
    ScoreCAM(),
    ScoreCAM(layers=("stages.0", "stages.2"), channels=3, baseline="blur"),
    AblationCAM(layers=("stages.1",)),
    InputXGradient(),
    IntegratedGradients(steps=6),
    IntegratedGradients(steps=3, baseline="frozen"),
    SmoothGrad(samples=3),
    Occlusion(window=(2, 4, 4), stride=(2, 4, 4)),
    RISE(masks=20),
    ExtremalPerturbation(steps=4),
    TemporalMask(steps=4),
    TemporalMask(steps=4, perturb="reverse"),
)


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request):
    return request.param


def test_steps_add_up_the_model_and_the_clips_stay_and_the_type_is_kept(method):
    model, clips, steps = tiny.convolutions(), tiny.noise_clips(3), []
    before = clips.clone()
    with unchanged(model):
        found = method(model, clips, target="b", advance=steps.append)
    assert sum(steps) == pytest.approx(3)
    assert torch.equal(clips, before) and not clips.requires_grad
    assert all(one.dtype == torch.float64 and not one.requires_grad for one in found.layers.values())
    assert torch.allclose(found.target, tiny.value(model, clips))
    assert found.values().shape == (3, *tiny.SHAPE)


def test_a_clip_gets_the_same_map_in_any_company_and_under_no_grad(method):
    model, clips = tiny.convolutions(), tiny.noise_clips(3)
    together = method(model, clips, target=tiny.TARGET)
    with torch.no_grad():
        alone = method(model, clips[2:], target=tiny.TARGET)
    for name, found in together.layers.items():
        assert torch.allclose(found[2:], alone.layers[name], atol=1e-9)


def test_the_layout_of_clips_does_not_matter(method):
    clips = tiny.noise_clips(2)
    first, second = tiny.convolutions(), tiny.time_first()
    one = method(first, clips, target=tiny.TARGET)
    other = method(second, clips.transpose(1, 2), target=tiny.TARGET)
    for name, found in one.layers.items():
        assert torch.allclose(found, other.layers[name], atol=1e-9)


def test_every_method_works_in_single_precision(method):
    model = load_model(
        tiny.network(lambda: tiny.convolutions().module).float(), frames=tiny.FRAMES, size=(tiny.HEIGHT, tiny.WIDTH)
    )
    found = method(model, tiny.noise_clips().float(), target=1)
    assert all(one.dtype == torch.float32 and torch.isfinite(one).all() for one in found.layers.values())


def test_a_model_that_gives_nan_is_refused():
    model = tiny.convolutions(wrap=lambda logits: logits * torch.nan)
    for one in (Occlusion(), IntegratedGradients(), ScoreCAM(layers=("stages.0",))):
        with pytest.raises(NonFiniteError, match="`model` must give finite numbers. Got NaN or infinity in the logits"):
            one(model, tiny.noise_clips(), target=0)


def test_what_is_shown_instead():
    model = load_model(
        tiny.convolutions().module,
        frames=5,
        size=(8, 12),
        mean=(0.1, 0.2, 0.3),
        std=(0.5, 0.25, 0.2),
        classes=["a", "b", "c"],
    )
    clips = tiny.noise_clips()
    assert not baseline_clips(model, clips, "grey").any()
    black = baseline_clips(model, clips, "black")
    for colour, dark in enumerate((-0.2, -0.8, -1.5)):
        assert torch.allclose(black[:, colour], torch.full_like(black[:, colour], dark))
    frozen, backwards = baseline_clips(model, clips, "frozen"), baseline_clips(model, clips, "reversed")
    for time in range(5):
        assert torch.equal(frozen[:, :, time], clips[:, :, 2])
        assert torch.equal(backwards[:, :, time], clips[:, :, 4 - time])
    with pytest.raises(InputError, match="`baseline` must be one of grey, black, blur, frozen, reversed. Got 'noise'"):
        baseline_clips(model, clips, "noise")


@pytest.mark.parametrize("size", [(8, 12), (64, 96), (64, 64)])
def test_a_blurred_frame_keeps_four_values_along_its_shorter_side(size):
    model = tiny.convolutions()
    height, width = size
    clip = torch.zeros(1, 3, 2, height, width, dtype=torch.float64)
    clip[0, 1, 1, : height // 4, : height // 4] = 1
    blurred = baseline_clips(model, clip, "blur")
    assert blurred[0, 1, 1, 0, 0] == 1 and blurred[0, 1, 1, -1, -1] == 0
    assert not blurred[0, 0].any() and not blurred[0, 1, 0].any()  # colours and frames are not mixed
    columns = torch.arange(width).double()
    assert not baseline_clips(model, (columns % 2 - 0.5).expand_as(clip), "blur").any()  # no detail is left


def test_a_blend_is_the_clip_the_baseline_or_between():
    for model, clips in (
        (tiny.convolutions(), tiny.noise_clips()),
        (tiny.time_first(), tiny.noise_clips().transpose(1, 2)),
    ):
        instead = torch.ones_like(clips)
        keep = torch.zeros(2, *tiny.SHAPE, dtype=torch.float64)
        keep[:, 1], keep[:, 2] = 1, 0.25
        mixed = blend(model, clips, instead, keep).movedim(channel_dim(model), 1)
        original = clips.movedim(channel_dim(model), 1)
        assert torch.allclose(mixed[:, :, 1], original[:, :, 1])
        assert torch.equal(mixed[:, :, 0], torch.ones_like(mixed[:, :, 0]))
        assert torch.allclose(mixed[:, :, 2], 0.75 + 0.25 * original[:, :, 2])


def test_masked_values_are_those_of_each_mask_alone():
    model, clip, steps = tiny.convolutions(), tiny.noise_clips(1), []
    keep = torch.rand(19, *tiny.SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    instead = tiny.noise_clips(1, seed=8)
    found = masked_values(model, clip, instead, lambda run: keep[list(run)], 19, tiny.TARGET, steps.append)
    slow = [tiny.value(model, clip * one + instead * (1 - one)) for one in keep]
    assert torch.allclose(found, torch.cat(slow))
    assert sum(steps) == pytest.approx(1) and len(steps) == 3
    assert torch.allclose(
        target_values(model, [clip, instead], tiny.TARGET), tiny.value(model, torch.cat([clip, instead]))
    )


def test_chunks_leave_nothing_out():
    assert [list(run) for run in chunks(5, 2)] == [[0, 1], [2, 3], [4]]
    assert list(chunks(0, 2)) == []


def test_maps_of_pixels_are_called_input():
    found = InputXGradient()(tiny.convolutions(), tiny.noise_clips(), target=0)
    assert list(found.layers) == [INPUT] and found.method == "inputxgradient"
