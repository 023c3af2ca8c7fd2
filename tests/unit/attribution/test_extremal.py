import pytest
import torch

from video_tcav.attribution.attribution_map import to_clip
from video_tcav.attribution.optimised_masks import ExtremalPerturbation, area_loss, change_over_time
from video_tcav.core.errors import EmptyMapError, InputError
from video_tcav.models import load_model

from . import tiny


def test_the_area_loss_compares_ranks():
    keep = torch.rand(1, 2, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ranked = sorted(keep.flatten().tolist(), reverse=True)
    slow = sum((one - (1.0 if place < 9 else 0.0)) ** 2 for place, one in enumerate(ranked)) / 30
    assert float(area_loss(keep, 0.3)) == pytest.approx(slow)
    exact = torch.zeros(1, 2, 3, 5)
    exact[0, 1, :, 2:] = 1
    assert area_loss(exact, 0.3) == 0 and area_loss(exact, 0.4) > 0
    assert area_loss(exact, 0.3) == area_loss(exact.flip(1), 0.3)  # wherever the ones are


def test_the_change_over_time_is_the_mean_difference_of_neighbours():
    mask = torch.rand(1, 4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slow = torch.stack([(mask[0, time] - mask[0, time + 1]).abs().mean() for time in range(3)]).mean()
    assert torch.allclose(change_over_time(mask), slow)
    assert change_over_time(mask[:, :1]) == 0


@pytest.fixture(scope="module")
def found():
    model, clip = tiny.brightness()
    return ExtremalPerturbation(area=1 / 15, cells=(5, 4, 6), baseline="grey")(model, clip, target="bright")


def test_what_is_kept_is_what_the_network_reads(found):
    mask = found.values()
    assert tiny.inside(mask)
    there = torch.zeros(tiny.SHAPE, dtype=torch.bool)
    there[tiny.PLACE] = True
    assert mask[0][there].mean() > 0.8 > 0.1 > mask[0][~there].mean()


def test_it_is_a_mask_of_about_the_given_size_that_keeps_the_target(found):
    mask = found.values()
    assert mask.min() >= 0 and mask.max() <= 1
    assert float((mask > 0.5).double().mean()) == pytest.approx(1 / 15, abs=0.07)
    model, clip = tiny.brightness()
    kept, lost = (torch.cat([clip * mask, clip * (1 - mask)])).split(1)
    whole, grey = model.logits(clip)[0, 0], model.logits(0 * clip)[0, 0]
    assert model.logits(kept)[0, 0] > grey + 0.5 * (whole - grey) > model.logits(lost)[0, 0]


def test_it_finds_a_mask_that_is_better_than_the_start():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    method = ExtremalPerturbation(steps=60, cells=(5, 4, 6))
    mask = to_clip(method(model, clips, target=tiny.TARGET).layers["input"], tiny.SHAPE)
    blurred = torch.nn.functional.interpolate(
        torch.nn.functional.interpolate(clips.flatten(0, 2)[:, None], size=(4, 6), mode="area"),
        size=(8, 12),
        mode="bilinear",
    ).reshape(clips.shape)
    values = tiny.value(model, torch.cat([blurred + (clips - blurred) * mask, (clips + blurred) / 2]))
    assert values[0] > values[1]


def test_a_larger_weight_makes_it_smoother_in_time():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    changes = [
        float(
            change_over_time(ExtremalPerturbation(smoothness=weight, steps=60)(model, clips, target=1).layers["input"])
        )
        for weight in (0.0, 5.0)
    ]
    assert changes[1] < 0.5 * changes[0]


def test_a_scaled_target_changes_nothing():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    method = ExtremalPerturbation(steps=20)
    before = method(model, clips, target=1, against="logit").values()
    for parameter in model.module.head.parameters():
        parameter.data *= 100
    assert torch.allclose(before, method(model, clips, target=1, against="logit").values(), atol=1e-6)


def test_the_grid_is_not_finer_than_the_clip():
    found = ExtremalPerturbation(steps=1, cells=(8, 4, 99))(tiny.convolutions(), tiny.noise_clips(1), target=0)
    assert found.layers["input"].shape == (1, 5, 4, 12)


def test_a_target_that_nothing_moves_has_no_map():
    model = tiny.convolutions()
    model.module.head.weight.data.zero_()
    with pytest.raises(EmptyMapError, match="`extremal` must find something"):
        ExtremalPerturbation()(load_model(model.module, frames=5, size=(8, 12)), tiny.noise_clips(1), target=0)


def test_settings_that_do_not_fit():
    for name, value in (("area", 1.0), ("area", 0), ("steps", 0), ("learning_rate", -1), ("smoothness", -1)):
        with pytest.raises(InputError, match=f"`{name}` must .* Got {value}"):
            ExtremalPerturbation(**{name: value})
    with pytest.raises(InputError, match="`cells` must be three whole numbers"):
        ExtremalPerturbation(cells=(8, 8))
    with pytest.raises(InputError, match="`baseline` must be one of"):
        ExtremalPerturbation(baseline="white")
